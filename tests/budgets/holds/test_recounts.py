"""Limits on requests and tokens go on counting through changes, as limits on dollars do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from budgets.holds import operations, queries
from budgets.holds.terms import HoldRequest, Settlement
from budgets.limits.models import Balance, Budget
from budgets.tenancy.models import ApiKey
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    """Alice's key in an organization in UTC."""
    organization = make.organization(on_plan=make.plan(code="open"))
    return make.key(of=organization, user=make.user())[0]


def ask(key: ApiKey) -> HoldRequest | None:
    """Hold a call of 10 tokens; None if there is no room."""
    request = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(1),
        least_usd=Decimal(1),
        tokens=10,
        ttl_s=60,
    )
    verdict = operations.hold(request=request, now=make.NOW)
    return request if verdict.code == "admitted" else None


def settle(key: ApiKey, request: HoldRequest | None) -> None:
    """Charge a call of 10 tokens."""
    assert request is not None
    charge = Settlement(request.request_id, key.organization_id, Decimal(1), 10)
    assert operations.settle(settlement=charge, now=make.NOW).code == "settled"


@pytest.mark.parametrize(("unit", "limit"), [("requests", "3"), ("tokens", "30")])
def test_a_change_of_time_zone_begins_no_new_count(key: ApiKey, unit: str, limit: str) -> None:
    make.budget(organization=key.organization, limit=limit, unit=unit, window="month")
    settle(key, ask(key))
    under_way = ask(key)

    operations.change_time_zone(
        organization=key.organization, time_zone="Asia/Kolkata", now=make.NOW
    )

    assert ask(key) is not None
    assert ask(key) is None
    settle(key, under_way)
    assert ask(key) is None
    assert queries.differences() == []


@pytest.mark.parametrize(
    ("unit", "window", "limit", "spent", "held"),
    [("requests", "day", 9, 1, 1), ("tokens", "week", 90, 10, 10), ("in_flight", "total", 9, 0, 1)],
)
def test_a_new_limit_counts_what_was_there_before_it(
    key: ApiKey, unit: str, window: str, limit: int, spent: int, held: int
) -> None:
    settle(key, ask(key))
    ask(key)

    budget = Budget(
        organization=key.organization, limit_amount=limit, unit=unit, window=window, name="new"
    )
    operations.put_budget(budget=budget, now=make.NOW)

    balance = Balance.objects.get(budget=budget)
    assert balance.spent == Decimal(spent)
    assert balance.held == Decimal(held)
    assert queries.differences() == []
