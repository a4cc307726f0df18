"""A settle that comes after its estimate, and after people have booked something under the call."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from budgets.holds import operations, queries
from budgets.holds.models import JournalEntry
from budgets.holds.terms import Settlement
from budgets.limits.models import Balance
from budgets.tenancy.models import ApiKey
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    """Alice's key in an organization whose plan gives each user $1 a month."""
    organization = make.organization(on_plan=make.plan(code="tiny", usd_per_user="1"))
    return make.key(of=organization, user=organization.memberships.get().user)[0]


@pytest.mark.parametrize(
    ("refund", "actual", "charged"),
    [("-0.8", "0.3", "0"), ("-0.6", "0.3", "0"), ("-0.2", "0.3", "0.1"), ("-0.8", "0.9", "0.1")],
)
def test_gives_back_no_more_than_a_refund_has_left(
    key: ApiKey, refund: str, actual: str, charged: str
) -> None:
    request = make.held_call(key=key, usd="0.8")
    operations.expire(now=make.NOW + timedelta(hours=1))
    operations.adjust(
        adjustment=operations.Adjustment(
            organization=key.organization,
            request_id=request,
            kind="refund",
            amount_usd=Decimal(refund),
            reason="asked for it",
            actor=None,
        ),
        now=make.NOW,
    )

    late = Settlement(request, key.organization_id, Decimal(actual), 5)
    assert operations.settle(settlement=late, now=make.NOW).code == "corrected"

    entries = JournalEntry.objects.filter(request_id=request)
    assert sum(entry.amount_usd for entry in entries) == Decimal(charged)
    assert Balance.objects.get(unit="usd").spent == Decimal(charged)
    assert queries.differences() == []
