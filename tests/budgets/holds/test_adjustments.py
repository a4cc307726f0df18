"""Refunds, credits and corrections: further entries, in the windows that were charged."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from budgets.holds import operations, queries
from budgets.holds.models import JournalEntry
from budgets.limits.models import Balance
from budgets.tenancy.models import ApiKey
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    """Alice's key in an organization whose plan gives each user $1 a month."""
    organization = make.organization(on_plan=make.plan(code="tiny", usd_per_user="1"))
    return make.key(of=organization, user=organization.memberships.get().user)[0]


@pytest.fixture
def charged(key: ApiKey) -> UUID:
    """A call that was charged $0.60."""
    request = make.held_call(key=key, usd="0.8")
    make.charge(key=key, request=request, usd="0.6")
    return request


def adjust(key: ApiKey, request: UUID, amount: str, **fields: Any) -> None:
    """Refund, unless told otherwise."""
    now = fields.pop("now", make.NOW)
    defaults: dict[str, Any] = {"kind": "refund", "reason": "wrong model", "actor": key.user}
    adjustment = operations.Adjustment(
        organization=key.organization,
        request_id=request,
        amount_usd=Decimal(amount),
        **(defaults | fields),
    )
    operations.adjust(adjustment=adjustment, now=now)


def test_a_refund_makes_room_in_the_window_it_was_charged_in(key: ApiKey, charged: UUID) -> None:
    adjust(key, charged, "-0.25", now=make.NOW + timedelta(days=40))

    balance = Balance.objects.get(unit="usd")
    assert (balance.window_start.month, balance.spent) == (3, Decimal("0.35"))
    make.held_call(key=key, usd="0.65")
    assert queries.differences() == []


def test_the_original_stays_and_the_entry_says_who_and_why(key: ApiKey, charged: UUID) -> None:
    adjust(key, charged, "-0.1")
    adjust(key, charged, "0.05", kind="correction", reason="counted too little")

    entries = JournalEntry.objects.order_by("seq").values_list(
        "seq", "kind", "amount_usd", "reason"
    )
    assert list(entries) == [
        (0, "charge", Decimal("0.6"), ""),
        (2, "refund", Decimal("-0.1"), "wrong model"),
        (3, "correction", Decimal("0.05"), "counted too little"),
    ]
    assert JournalEntry.objects.get(seq=2).actor == key.user


def test_gives_back_no_more_than_was_charged(key: ApiKey, charged: UUID) -> None:
    adjust(key, charged, "-0.6")

    with pytest.raises(operations.BelowZero):
        adjust(key, charged, "-0.000000000001")
    assert Balance.objects.get(unit="usd").spent == 0


def test_needs_a_reason_and_a_call_of_the_organization(key: ApiKey, charged: UUID) -> None:
    other = make.organization(slug="other", owner=make.user(name="carol"))
    carols, _ = make.key(of=other, user=other.memberships.get().user)

    with pytest.raises(operations.ReasonMissing):
        adjust(key, charged, "-0.1", reason="  ")
    with pytest.raises(operations.CallUnknown):
        adjust(carols, charged, "-0.1")
    assert JournalEntry.objects.count() == 1


def test_a_late_settle_still_corrects_an_estimate_that_was_refunded(key: ApiKey) -> None:
    request = make.held_call(key=key, usd="0.8", ttl_s=60)
    operations.expire(now=make.NOW + timedelta(seconds=61))
    adjust(key, request, "-0.1")

    make.charge(key=key, request=request, usd="0.3")

    assert Balance.objects.get(unit="usd").spent == Decimal("0.2")
    assert queries.differences() == []


def test_a_correction_upward_counts_against_the_limit(key: ApiKey, charged: UUID) -> None:
    adjust(key, charged, "0.7", kind="correction")

    balance = Balance.objects.get(unit="usd")
    assert (balance.spent, balance.excess) == (Decimal("1.3"), Decimal("0.3"))
