"""Builders and readers for the tests of alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from budgets.alerts.checks import check_due
from budgets.alerts.models import Alert, AlertRule, Channel, Delivery
from budgets.alerts.operations import put_channel, put_rule
from budgets.holds.operations import put_budget
from budgets.limits.models import Budget
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.make import NOW

SLACK_URL = "https://93.184.215.14/services/T0/B0/secret-token"
MINUTE = timedelta(minutes=1)


def rule(*, of: Organization, at: datetime = NOW, **fields: Any) -> AlertRule:
    """Make a rule: a day's spend from $10 on, unless told otherwise."""
    defaults: dict[str, Any] = {
        "name": "Rule",
        "kind": AlertRule.Kind.SPEND,
        "warning_at": [Decimal(10)] if "kind" not in fields else [],
    }
    made = AlertRule(organization=of, **(defaults | fields))
    put_rule(rule=made, now=at)
    return made


def channel(*, of: Organization, kind: str = "slack", **given: Any) -> Channel:
    """Make a channel, Slack unless told otherwise."""
    made = Channel(organization=of, name=kind.title(), kind=kind)
    defaults: dict[str, Any] = (
        {"to": ["ops@example.org"]} if kind == "email" else {"url": SLACK_URL}
    )
    put_channel(channel=made, given=defaults | given)
    return made


def budget(*, of: Organization, limit: str = "100", **fields: Any) -> Budget:
    """Make a budget of an organization, in force at once."""
    made = make.budget(organization=of, limit=limit, **fields)
    put_budget(budget=made, now=NOW)
    return made


def spend(*, key: ApiKey, usd: str, at: datetime = NOW, model: str = "gpt-4o-mini") -> None:
    """Make a call that costs so much."""
    request = make.held_call(key=key, usd=usd, at=at, model=model)
    make.charge(key=key, request=request, usd=usd, at=at)


def tick(*, at: datetime = NOW) -> int:
    """Look at everything that is due."""
    checked = 0
    while count := check_due(now=at):
        checked += count
    return checked


def alerts(of: Organization) -> list[tuple[str, str]]:
    """Give an organization's alerts: title and state, the first first."""
    rows = Alert.objects.for_organization(of).order_by("pk")
    return [(alert.title, alert.state) for alert in rows]


def told(of: Organization) -> list[tuple[str, str]]:
    """Give what was told: event and title, the first first."""
    rows = Delivery.objects.for_organization(of).order_by("created_at", "pk")
    return [(row.event, row.message["title"]) for row in rows]
