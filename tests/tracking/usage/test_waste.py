"""Money that bought nothing: each cent under one kind, with the calls behind it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from budgets.holds import operations as holds
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.pricing.usage import Usage as Used
from tracking.usage import operations
from tracking.usage.audit import usage_differences
from tracking.usage.queries import calls_of
from tracking.usage.terms import CallsWanted, Days, Slice
from tracking.usage.waste import Waste, waste_of

pytestmark = pytest.mark.django_db

MARCH = Days(date(2026, 3, 1), date(2026, 3, 31), ZoneInfo("UTC"))
SAME = UUID(int=7)


def of(organization: Organization, **filters: Any) -> Waste:
    return waste_of(part=Slice(organization.pk, **filters), days=MARCH)


def kinds(waste: Waste) -> dict[str, tuple[Decimal, int]]:
    return {kind.kind: (kind.wasted_usd, kind.calls) for kind in waste.kinds if kind.calls}


def behind(organization: Organization, **wanted: Any) -> list[UUID]:
    page = calls_of(
        part=Slice(organization.pk),
        period=MARCH.period,
        most=50,
        only=CallsWanted(**wanted),
    )
    return sorted(call.request_id for call in page.calls)


def test_tells_each_kind_apart_with_its_calls(acme: Organization, alice: ApiKey) -> None:
    make.call(key=alice)
    aborted, aborted_usd = make.call(key=alice, outcome="cancelled", finish_reason="")
    broken, broken_usd = make.call(key=alice, outcome="interrupted", finish_reason="")
    cut, cut_usd = make.call(key=alice, finish_reason="length")
    lost = make.held_call(key=alice, usd="0.25")
    make.charge(key=alice, request=lost, usd="0.25", kind="estimate")
    unbilled = make.held_call(key=alice, usd="0.25")
    make.charge(key=alice, request=unbilled, usd="0", kind="release")

    for _ in range(2):
        assert kinds(of(acme)) == {
            "aborted": (aborted_usd, 1),
            "failed": (broken_usd + Decimal("0.25"), 2),
            "truncated": (cut_usd, 1),
        }
        operations.fill(now=make.NOW)
    assert behind(acme, waste="aborted") == [aborted]
    assert behind(acme, waste="failed") == sorted([broken, lost])
    assert behind(acme, waste="truncated") == [cut]
    assert behind(acme, waste="retried") == []
    assert usage_differences() == []


def test_splits_a_retried_call_between_its_attempts(acme: Organization, alice: ApiKey) -> None:
    price = make.price()
    first, second = (make.cost_of(usage=Used(input_tokens=n), of=price) for n in (1000, 300))
    total = first.total_usd + second.total_usd
    request = make.held_call(key=alice, usd=str(total))
    make.charge(key=alice, request=request, usd=str(total))
    for attempt, spent, outcome in ((1, first, "interrupted"), (2, second, "completed")):
        make.record(
            key=alice,
            request=request,
            of=price,
            spent=spent,
            used=Used(),
            attempt=attempt,
            outcome=outcome,
            finish_reason="length" if attempt == 2 else "",
        )

    for _ in range(2):
        assert kinds(of(acme)) == {
            "retried": (first.total_usd, 1),
            "truncated": (second.total_usd, 1),
        }
        operations.fill(now=make.NOW)
    assert behind(acme, waste="retried") == behind(acme, waste="truncated") == [request]


def test_what_was_refunded_was_not_wasted(acme: Organization, alice: ApiKey) -> None:
    request, cost_usd = make.call(key=alice, finish_reason="length")
    operations.fill(now=make.NOW)
    holds.adjust(
        adjustment=holds.Adjustment(acme, request, "refund", -cost_usd, "Cut off", None),
        now=make.NOW,
    )

    for _ in range(2):
        assert kinds(of(acme)) == {}
        operations.fill(now=make.NOW)
    assert behind(acme, waste="truncated") == []
    assert usage_differences() == []


def test_counts_the_same_prompt_to_the_same_model_again(acme: Organization, alice: ApiKey) -> None:
    calls = [
        make.call(key=alice, model=model, prompt_hash=prompt, used=Used(input_tokens=1 + n))
        for n, (model, prompt) in enumerate(
            [("a", SAME), ("a", SAME), ("b", SAME), ("a", UUID(int=8)), ("a", SAME), ("a", None)]
        )
    ]
    wasted = calls[1][1] + calls[4][1]

    waste = of(acme)

    assert kinds(waste) == {"duplicate": (wasted, 2)}
    (duplicate,) = waste.duplicates
    assert (duplicate.prompt_hash, duplicate.model, duplicate.calls) == (SAME, "a", 3)
    assert duplicate.wasted_usd == wasted
    assert behind(acme, prompt_hash=SAME) == sorted(calls[n][0] for n in (0, 1, 2, 4))
    assert of(acme, model="b").duplicates == ()


def test_tells_nothing_of_another_organization(acme: Organization, alice: ApiKey) -> None:
    for _ in range(2):
        make.call(key=alice, prompt_hash=SAME, finish_reason="length")
    globex = make.organization(slug="globex", owner=make.user(name="carol"))

    assert kinds(of(globex)) == {}
    assert of(globex, user_id=alice.user_id).duplicates == ()
    assert behind(globex, prompt_hash=SAME) == behind(globex, waste="truncated") == []
