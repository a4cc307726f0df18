"""The list of calls: its order, its pages, and what a row says."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from budgets.core.clock import Period
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.ledger.models import CostRecord
from tracking.pricing.usage import Usage as Used
from tracking.usage.queries import calls_of
from tracking.usage.terms import Call, Place, Slice

pytestmark = pytest.mark.django_db

DAY = Period(make.NOW - timedelta(hours=12), make.NOW + timedelta(hours=12))


def only_call(organization: Organization) -> Call:
    (call,) = calls_of(part=Slice(organization.pk), period=DAY, most=10).calls
    return call


def test_comes_newest_first_page_by_page_without_a_gap(acme: Organization, alice: ApiKey) -> None:
    # Three calls share an instant, across the border of two pages.
    minutes = [5, 1, 3, 3, 3, 2, 4]
    made = [
        (
            make.NOW + timedelta(minutes=n),
            make.call(key=alice, at=make.NOW + timedelta(minutes=n))[0],
        )
        for n in minutes
    ]
    newest_first = [request for _, request in sorted(made, key=lambda m: m[0], reverse=True)]

    pages: list[list[object]] = []
    before: Place | None = None
    while not pages or before:
        page = calls_of(part=Slice(acme.pk), period=DAY, most=3, before=before)
        pages.append([call.request_id for call in page.calls])
        before = page.older

    assert [len(page) for page in pages] == [3, 3, 1]
    listed = [request for page in pages for request in page]
    assert len(set(listed)) == 7
    assert listed[:2] == newest_first[:2]
    assert set(listed[2:5]) == set(newest_first[2:5])
    assert listed[5:] == newest_first[5:]


def test_ends_without_a_further_page_when_the_last_is_full(
    acme: Organization, alice: ApiKey
) -> None:
    for _ in range(2):
        make.call(key=alice)

    assert calls_of(part=Slice(acme.pk), period=DAY, most=2).older is None


def test_says_who_called_what_and_what_it_cost(acme: Organization, alice: ApiKey) -> None:
    used = Used(input_tokens=1000, cached_input_tokens=400, output_tokens=20)
    request, cost_usd = make.call(key=alice, used=used, duration_ms=1234)

    call = only_call(acme)

    assert (call.request_id, call.admitted_at, call.cost_usd) == (request, make.NOW, cost_usd)
    assert (call.user, call.api_key, call.model) == ("Alice", "Laptop", "gpt-4o-mini")
    assert (call.input_tokens, call.cached_input_tokens, call.output_tokens) == (1000, 400, 20)
    assert (call.provider, call.outcome, call.status) == ("openai", "completed", 200)
    assert (call.attempts, call.duration_ms) == (1, 1234)
    assert not call.is_unconfirmed


def test_shows_a_call_that_nobody_recorded_as_an_unconfirmed_estimate(
    acme: Organization, alice: ApiKey
) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0.5", kind="estimate")

    call = only_call(acme)

    assert (call.is_unconfirmed, call.cost_usd) == (True, Decimal("0.5"))
    assert (call.attempts, call.provider, call.input_tokens, call.duration_ms) == (0, None, 0, None)


def test_adds_what_was_corrected_later(acme: Organization, alice: ApiKey) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0.5", kind="estimate")
    make.charge(key=alice, request=request, usd="0.125")

    call = only_call(acme)

    assert (call.cost_usd, call.is_corrected, call.is_unconfirmed) == (
        Decimal("0.125"),
        True,
        False,
    )


def test_lets_the_last_attempt_say_how_it_ended_and_adds_up_all(
    acme: Organization, alice: ApiKey
) -> None:
    request, _ = make.call(
        key=alice,
        used=Used(input_tokens=10),
        outcome=CostRecord.Outcome.FAILED,
        status=503,
        duration_ms=100,
    )
    used = Used(input_tokens=10, output_tokens=5)
    make.record(
        key=alice,
        request=request,
        of=make.price(model="claude", provider="anthropic"),
        spent=make.cost_of(usage=used),
        used=used,
        attempt=2,
        duration_ms=250,
    )

    call = only_call(acme)

    assert (call.attempts, call.provider, call.outcome, call.status) == (
        2,
        "anthropic",
        "completed",
        200,
    )
    assert (call.input_tokens, call.output_tokens, call.duration_ms) == (20, 5, 350)


def test_keeps_to_the_period_and_to_every_filter(acme: Organization, alice: ApiKey) -> None:
    bob, _ = make.key(of=acme, user=make.member(of=acme))
    request, _ = make.call(key=bob)
    make.call(key=alice)
    make.call(key=bob, at=make.NOW + timedelta(days=1))

    def ids(part: Slice) -> list[object]:
        return [call.request_id for call in calls_of(part=part, period=DAY, most=9).calls]

    assert ids(Slice(acme.pk, user_id=bob.user_id)) == [request]
    assert ids(Slice(acme.pk, api_key_id=bob.pk)) == [request]
    assert len(ids(Slice(acme.pk, model="gpt-4o-mini"))) == 2
    assert ids(Slice(acme.pk, model="other")) == []


def test_lists_nothing_of_another_organization(alice: ApiKey) -> None:
    make.call(key=alice)
    globex = make.organization(slug="globex", owner=make.user(name="carol"))

    assert calls_of(part=Slice(globex.pk), period=DAY, most=9).calls == ()
