"""Messages as they come, and as nobody would wish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from budgets.alerts.message import Message, Table

PLAIN = Message(
    event="opened",
    level="warning",
    title="Budget Team: 82 % used",
    advice="Raise the budget for a while, or look at what spends.",
    facts=(("Organization", "Acme"), ("Spent", "$82.00"), ("Limit", "$100.00")),
    organization="acme",
    url="https://costs.example.com/alerts/?organization=acme",
    at="2026-03-18T12:00:00+00:00",
    data={"alert": 7, "value": "82.000000000000"},
)
NASTY = Message(
    event="reminder",
    level="critical",
    title="<!channel> & <script>alert(1)</script> *x* [a](http://evil)\r\nBcc: all@example.org "
    * 9,
    advice="@everyone " * 900,
    facts=tuple((f"Fact {n}", "<b>&" * 900) for n in range(30)),
    organization="acme",
    url="https://costs.example.com/alerts/?organization=acme",
    at="2026-03-18T12:00:00+00:00",
    data={},
)
OVER = Message(
    event="recovered",
    level="info",
    title="Budget Team: 82 % used",
    advice="",
    facts=(),
    organization="acme",
    url="https://costs.example.com/alerts/",
    at="2026-03-18T12:00:00+00:00",
    data={},
)
REPORT = Message(
    event="report",
    level="info",
    title="$412.60 spent in March 2026",
    advice="",
    facts=(("Spent", "$412.60"), ("Before", "$398.10 (+3.6 %)")),
    organization="acme",
    url="https://costs.example.com/spending/?organization=acme",
    at="2026-04-01T07:00:00+00:00",
    data={"total_usd": "412.600000000000"},
    tables=(
        Table("Models", (("<!here> & *co*", "$400.00"), ("others", "$12.60"))),
        *(Table("<b>" * 300, (("x" * 900, "y" * 900),) * 40) for _ in range(30)),
    ),
    unsubscribe_url="https://costs.example.com/reports/unsubscribe/token/",
    picture="Cost by day",
)
ALL = (PLAIN, NASTY, OVER, REPORT)


def schema(name: str) -> Draft202012Validator:
    """Read a published format, as it is written down beside this file."""
    text = Path(__file__).with_name(f"{name}.schema.json").read_text(encoding="utf-8")
    written: dict[str, Any] = json.loads(text)
    Draft202012Validator.check_schema(written)
    return Draft202012Validator(written)
