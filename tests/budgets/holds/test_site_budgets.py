"""The site's own budgets bind all organizations together, wherever they are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from budgets.holds import operations, queries
from budgets.holds.terms import HoldRequest
from budgets.limits.models import Balance, Budget
from budgets.tenancy.models import ApiKey
from tests import make

pytestmark = pytest.mark.django_db

LATE_EVENING = datetime(2026, 3, 10, 22, 30, tzinfo=UTC)


def key_in(zone: str) -> ApiKey:
    """A key of an organization in a time zone."""
    slug = zone.rpartition("/")[2].lower()
    organization = make.organization(slug=slug, time_zone=zone)
    return make.key(of=organization, user=make.user())[0]


def ask(key: ApiKey, usd: str) -> str:
    """Hold an amount late in the evening of UTC."""
    request = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(usd),
        least_usd=Decimal(usd),
        tokens=1,
        ttl_s=60,
    )
    return operations.hold(request=request, now=LATE_EVENING).code


@pytest.mark.parametrize("window", ["day", "rolling"])
def test_bind_organizations_of_different_time_zones_together(window: str) -> None:
    days = 3 if window == "rolling" else None
    make.budget(limit="1", window=window, rolling_days=days, name="Site")
    keys = [key_in(zone) for zone in ("UTC", "Asia/Kolkata", "Pacific/Auckland")]

    codes = [ask(key, "0.4") for key in keys]

    assert codes == ["admitted", "admitted", "over_limit"]
    assert queries.differences() == []


def test_a_new_one_counts_what_all_have_spent_on_its_day() -> None:
    keys = [key_in(zone) for zone in ("UTC", "Asia/Kolkata")]
    for key in keys:
        assert ask(key, "0.4") == "admitted"

    budget = Budget(limit_amount=1, window="day", name="Site")
    operations.put_budget(budget=budget, now=LATE_EVENING)

    assert Balance.objects.get(budget=budget).held == Decimal("0.8")
    assert ask(keys[1], "0.3") == "over_limit"
