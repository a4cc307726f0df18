"""The receipt of one call."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from budgets.limits.models import Balance
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.ledger.models import CostRecord
from tracking.pricing.cost import cost
from tracking.pricing.models import PriceRule
from tracking.pricing.operations import add_rule
from tracking.pricing.rates import Rates
from tracking.pricing.usage import Usage as Used
from tracking.usage.receipts import CallNotFound, receipt_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    return make.organization(on_plan=make.plan(usd_per_user="100"))


def test_tells_units_times_rates_that_add_up_to_the_charge(
    acme: Organization, alice: ApiKey
) -> None:
    used = Used(input_tokens=1000, cached_input_tokens=400, output_tokens=20)
    request, cost_usd = make.call(key=alice, used=used)

    receipt = receipt_of(organization=acme, request_id=request)

    (attempt,) = receipt.attempts
    assert [(line.dimension, line.units) for line in attempt.lines] == [
        ("input", 600),
        ("cached_input", 400),
        ("output", 20),
    ]
    assert all(line.units * line.rate_usd == line.amount_usd for line in attempt.lines)
    assert sum(line.amount_usd for line in attempt.lines) == attempt.cost_usd == cost_usd
    assert receipt.total_usd == receipt.settled_usd == cost_usd
    assert (attempt.price.model, attempt.price.version) == ("gpt-4o-mini", 1)


def test_tells_which_price_rule_made_the_rates(acme: Organization, alice: ApiKey) -> None:
    rule = add_rule(rule=PriceRule(plan=acme.plan, factor=Decimal("1.15")), now=make.NOW)
    request, _ = make.call(key=alice, rule=rule)
    listed, _ = make.call(key=alice)

    told = [receipt_of(organization=acme, request_id=one).attempts[0] for one in (request, listed)]

    assert [attempt.price.rule for attempt in told] == ["+15 %, of your plan", ""]
    assert [line.rate_usd for line in told[0].lines] == [
        line.rate_usd * Decimal("1.15") for line in told[1].lines
    ]


def test_tells_a_part_of_a_second(acme: Organization, alice: ApiKey) -> None:
    price = make.price()
    used = Used(input_seconds=Decimal("12.345"))
    spent = cost(usage=used, rates=Rates({"input_per_second": Decimal("0.0001")}))
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd=str(spent.total_usd))
    make.record(key=alice, request=request, of=price, spent=spent, used=used)

    (attempt,) = receipt_of(organization=acme, request_id=request).attempts

    assert attempt.lines == spent.lines
    assert attempt.cost_usd == Decimal("0.0012345")


def test_tells_what_was_held_and_what_was_given_back(acme: Organization, alice: ApiKey) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0.2")

    receipt = receipt_of(organization=acme, request_id=request)

    assert (receipt.held_usd, receipt.settled_usd) == (Decimal("0.5"), Decimal("0.2"))
    assert (receipt.released_usd, receipt.overrun_usd) == (Decimal("0.3"), Decimal(0))


def test_tells_what_was_billed_above_the_hold(acme: Organization, alice: ApiKey) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0.7")

    receipt = receipt_of(organization=acme, request_id=request)

    assert (receipt.released_usd, receipt.overrun_usd) == (Decimal(0), Decimal("0.2"))


def test_tells_every_booking_of_an_estimate_that_was_corrected(
    acme: Organization, alice: ApiKey
) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0.5", kind="estimate")
    assert receipt_of(organization=acme, request_id=request).is_unconfirmed
    make.charge(key=alice, request=request, usd="0.125", at=make.NOW + timedelta(hours=1))

    receipt = receipt_of(organization=acme, request_id=request)

    assert [(b.kind, b.amount_usd) for b in receipt.bookings] == [
        ("estimate", Decimal("0.5")),
        ("correction", Decimal("-0.375")),
    ]
    assert (receipt.total_usd, receipt.is_unconfirmed) == (Decimal("0.125"), False)
    assert receipt.attempts == ()


def test_names_the_budgets_that_were_charged(acme: Organization, alice: ApiKey) -> None:
    make.budget(organization=acme, limit="600", name="Acme together")
    request, _ = make.call(key=alice)

    receipt = receipt_of(organization=acme, request_id=request)

    assert [(b.name, b.each, b.window) for b in receipt.budgets] == [
        ("Acme together", "", "month"),
        ("House allowance", "user", "month"),
    ]
    assert receipt.forgotten_budgets == 0


def test_counts_budgets_whose_balance_is_no_longer_kept(acme: Organization, alice: ApiKey) -> None:
    make.budget(organization=acme, limit="60", name="Rate", unit="requests", window="minute")
    request, _ = make.call(key=alice)
    Balance.objects.for_organization(acme).filter(unit="requests").delete()

    receipt = receipt_of(organization=acme, request_id=request)

    assert ([b.name for b in receipt.budgets], receipt.forgotten_budgets) == (
        ["House allowance"],
        1,
    )


def test_tells_every_attempt_in_order(acme: Organization, alice: ApiKey) -> None:
    request, _ = make.call(
        key=alice, outcome=CostRecord.Outcome.FAILED, status=503, error_code="provider_unavailable"
    )
    used = Used(output_tokens=100)
    make.record(
        key=alice,
        request=request,
        of=make.price(),
        spent=make.cost_of(usage=used),
        used=used,
        attempt=2,
        first_byte_ms=200,
        duration_ms=700,
    )

    first, second = receipt_of(organization=acme, request_id=request).attempts

    assert (first.number, first.outcome, first.error_code) == (
        1,
        "failed, not billed",
        "provider_unavailable",
    )
    assert first.output_tokens_per_s is None
    assert (second.number, second.output_tokens_per_s) == (2, Decimal(200))


def test_has_no_receipt_of_another_organization_another_user_or_an_open_call(
    acme: Organization, alice: ApiKey
) -> None:
    request, _ = make.call(key=alice)
    open_request = make.held_call(key=alice, usd="0.5")
    globex = make.organization(slug="globex", owner=make.user(name="carol"))
    bob = make.member(of=acme)

    with pytest.raises(CallNotFound):
        receipt_of(organization=globex, request_id=request)
    with pytest.raises(CallNotFound):
        receipt_of(organization=acme, request_id=request, user_id=bob.pk)
    with pytest.raises(CallNotFound):
        receipt_of(organization=acme, request_id=open_request)
    assert receipt_of(organization=acme, request_id=request, user_id=alice.user_id)


def test_tells_which_call_a_fallback_was_made_in_place_of(
    acme: Organization, alice: ApiKey
) -> None:
    failed, _ = make.call(key=alice)
    request, _ = make.call(key=alice, origin_request_id=failed)

    receipt = receipt_of(organization=acme, request_id=request)

    assert (receipt.origin_request_id, receipt.is_cached) == (failed, False)
    assert receipt.saved_usd == 0
    assert receipt_of(organization=acme, request_id=failed).origin_request_id is None


def test_tells_whose_answer_the_cache_gave_again_and_what_that_saved(
    acme: Organization, alice: ApiKey
) -> None:
    first, cost_usd = make.call(key=alice)
    hit, _ = make.call(
        key=alice,
        origin_request_id=first,
        outcome=CostRecord.Outcome.CACHED,
        saved_usd=cost_usd,
    )

    receipt = receipt_of(organization=acme, request_id=hit)

    assert (receipt.origin_request_id, receipt.is_cached) == (first, True)
    assert receipt.saved_usd == cost_usd > 0
