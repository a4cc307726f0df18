"""Where spend is heading: each budget is told of with the calls that count in it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgets.limits.models import Budget
from budgets.limits.queries import standings
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.pricing.usage import Usage as Used
from tracking.usage.outlook import Outlook, budget_outlooks, month_outlook
from tracking.usage.terms import Slice

pytestmark = pytest.mark.django_db


def spend(
    key: ApiKey, *, days: int, model: str = "gpt-4o-mini", tokens: int = 1_000_000
) -> Decimal:
    """Make the same call at noon of each of the days before today; give what one costs."""
    cost = Decimal(0)
    for ago in range(1, days + 1):
        at = make.NOW - timedelta(days=ago)
        _, cost = make.call(key=key, at=at, model=model, used=Used(input_tokens=tokens))
    return cost


def of_budgets(acme: Organization, key: ApiKey) -> dict[str, Outlook]:
    applying = standings(
        organization=acme,
        now=make.NOW,
        user_id=key.user_id,
        project_id=key.project_id,
        api_key_id=key.pk,
    )
    told = budget_outlooks(
        organization=acme, standings=applying, asked=Slice(acme.pk), now=make.NOW
    )
    return {outlook.name: outlook for outlook in told}


def test_tells_the_month_of_an_organization(acme: Organization, alice: ApiKey) -> None:
    cost = spend(alice, days=28)

    told = month_outlook(part=Slice(acme.pk), zone=acme.zone, now=make.NOW)

    assert told.spent_usd == 17 * cost
    assert told.forecast
    # At noon of the 18th half a day and thirteen whole ones are to come.
    assert told.forecast.expected_usd == pytest.approx(cost * Decimal("30.5"), rel=Decimal("0.01"))
    assert told.forecast.last_on == date(2026, 3, 31)


def test_says_why_it_tells_nothing(acme: Organization, alice: ApiKey) -> None:
    spend(alice, days=3)

    told = month_outlook(part=Slice(acme.pk), zone=acme.zone, now=make.NOW)

    assert told.forecast is None
    assert told.reason == "A forecast needs 14 days since the first call; there are 3."


def test_tells_each_budget_by_its_own_calls(acme: Organization, alice: ApiKey) -> None:
    bob, _ = make.key(of=acme, user=make.member(of=acme))
    budgets: dict[str, dict[str, Any]] = {
        "all": {},
        "each user": {"each": "user"},
        "only dear": {"model_pattern": "dear*"},
        "alice": {"scope": "user", "target": str(alice.user_id)},
        "rolling": {"window": "rolling", "rolling_days": 7},
        "ever": {"window": "total"},
    }
    for name, fields in budgets.items():
        make.budget(organization=acme, limit="5", name=name, **fields)
    cheap = spend(alice, days=20)
    dear = spend(bob, days=20, model="dear-1", tokens=500_000)

    told = of_budgets(acme, alice)

    def rate(name: str) -> Decimal:
        """The expected cost of a day to come; 13.5 are."""
        outlook = told[name]
        assert outlook.forecast, outlook.reason
        return (outlook.forecast.expected_usd - outlook.spent_usd) / Decimal("13.5")

    near = Decimal("0.02")
    assert rate("all") == pytest.approx(cheap + dear, rel=near)
    assert rate("each user") == rate("alice") == pytest.approx(cheap, rel=near)
    assert rate("only dear") == pytest.approx(dear, rel=near)
    assert told["rolling"].forecast is None
    assert told["ever"].forecast
    assert told["ever"].forecast.reached_on is not None
    assert told["all"].limit_usd == 5
    assert told["all"].spent_usd == 17 * (cheap + dear)


def test_leaves_rate_limits_alone(acme: Organization, alice: ApiKey) -> None:
    make.budget(organization=acme, limit="4", name="calls", unit=Budget.Unit.REQUESTS)

    assert of_budgets(acme, alice) == {}
