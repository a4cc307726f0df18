"""The command prints, writes and draws the same figures as the ledger has."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from budgets.tenancy.models import Organization
from tests import make
from tracking.pricing.usage import Usage as Used

pytestmark = pytest.mark.django_db


@pytest.fixture
def total() -> Iterator[Decimal]:
    """acme with calls of two models on three days; gives what they cost."""
    acme = make.organization()
    key, _ = make.key(of=acme, user=make.user())
    costs = [
        make.call(
            key=key,
            model=model,
            at=make.NOW - timedelta(days=n),
            used=Used(input_tokens=10_000_000, output_tokens=n),
        )[1]
        for n, model in enumerate(("=cheap", "dear", "dear"))
    ]
    with time_machine.travel(make.NOW + timedelta(hours=1), tick=False):
        yield sum(costs, Decimal(0))


def printed(**options: Any) -> str:
    out = io.StringIO()
    call_command("spend_report", stdout=out, **options)
    return out.getvalue()


def test_prints_a_table(total: Decimal) -> None:
    text = printed()

    assert text.startswith("Acme: 2026-02-17 to 2026-03-18, UTC\n")
    assert f"Total ${total:,.2f}, 3 calls" in text
    for name in ("=cheap", "dear", "Alice", "Default", "2026-03-16"):
        assert name in text


def test_writes_json_as_the_api_does(total: Decimal) -> None:
    report = json.loads(printed(format="json", days="2"))

    assert report["period"]["days"] == 2
    assert [day["date"] for day in report["daily_breakdown"]] == ["2026-03-17", "2026-03-18"]
    assert sum(Decimal(day["cost"]) for day in report["daily_breakdown"]) == Decimal(
        report["total_cost"]
    )


def test_writes_csv_that_adds_up_and_runs_nothing(total: Decimal) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(format="csv"))))

    sums = {
        part: sum(Decimal(row["cost_usd"]) for row in rows if row["part"] == part)
        for part in ("total", "day", "model", "person", "project")
    }
    assert set(sums.values()) == {total}
    assert {row["name"] for row in rows if row["part"] == "model"} == {"'=cheap", "dear"}


def test_draws_a_picture(total: Decimal, tmp_path: Path) -> None:
    told = printed(format="png", output=tmp_path / "chart.png")

    assert told == f"Written to {tmp_path / 'chart.png'}.\n"
    drawn = (tmp_path / "chart.png").read_bytes()
    assert drawn.startswith(b"\x89PNG\r\n")
    # IHDR: 12 by 9 inches at 150 dots.
    assert (int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])) == (1800, 1350)


def test_draws_nothing_spent(total: Decimal, tmp_path: Path) -> None:
    printed(
        format="png", output=tmp_path / "none.png", **{"from": "2025-01-01", "to": "2025-01-02"}
    )

    assert (tmp_path / "none.png").stat().st_size > 1000


def test_says_what_makes_no_sense(total: Decimal) -> None:
    for options, says in (
        ({"organization": "nowhere"}, "no organization nowhere"),
        ({"days": "0"}, "days lies between"),
        ({"from": "soon"}, "from is a day"),
    ):
        with pytest.raises(CommandError, match=says):
            printed(**options)
    make.organization(slug="globex")
    with pytest.raises(CommandError, match="several"):
        printed()


def test_does_not_count_an_organization_that_is_shut_when_none_is_named(total: Decimal) -> None:
    make.organization(slug="globex")
    Organization.objects.filter(slug="globex").update(status=Organization.Status.SUSPENDED)

    assert json.loads(printed(format="json"))["organization"] == "acme"
    assert json.loads(printed(format="json", organization="globex"))["organization"] == "globex"
