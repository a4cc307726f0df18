"""A period priced again: differences are booked, originals stay."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from budgets.core.clock import Period
from budgets.holds.models import JournalEntry
from budgets.holds.operations import Adjustment, ReasonMissing, adjust
from budgets.holds.queries import differences
from budgets.limits.models import Balance
from budgets.tenancy.models import ApiKey
from tests import make
from tracking.ledger import queries, rerating
from tracking.pricing.models import Price, PriceRule
from tracking.pricing.operations import Publication, add_rule, end_rule, publish_price
from tracking.pricing.rates import Rates
from tracking.pricing.usage import Usage

pytestmark = pytest.mark.django_db

MARCH = Period(make.NOW.replace(day=1), make.NOW.replace(month=4, day=1))


@pytest.fixture
def key() -> ApiKey:
    """Alice's key, with a limit of $10 on her organization."""
    organization = make.organization()
    make.budget(organization=organization, limit="10")
    return make.key(of=organization, user=organization.memberships.get().user)[0]


def publish_dearer(*, times: Decimal = Decimal(2)) -> Price:
    """Publish twice the price of gpt-4o-mini, after the calls."""
    first = make.price()
    changed = {name: rate * times for name, rate in first.parsed_rates().per_unit.items()}
    return publish_price(
        model=first.model,
        rates=Rates(changed),
        publication=Publication(source=Price.Source.STATED, at=make.NOW + timedelta(days=1)),
    )


def test_prices_a_call_again_at_the_tier_that_was_served(key: ApiKey) -> None:
    first = make.price()
    rates = dict(first.parsed_rates().per_unit)
    halved = {f"{name}@flex": rate / 2 for name, rate in rates.items()}
    used = Usage(input_tokens=1000, output_tokens=500)
    usual, cost = make.call(key=key, used=used)
    flexible, _ = make.call(key=key, used=used, service_tier="flex")
    listed = publish_price(
        model=first.model,
        rates=Rates(rates | halved),
        publication=Publication(source=Price.Source.STATED, at=make.NOW + timedelta(days=1)),
    )

    found = list(rerating.preview(price=listed, period=MARCH))

    assert [(one.request_id, one.difference_usd) for one in found] == [(flexible, -cost / 2)]
    assert usual != flexible


def test_books_the_difference_in_the_original_window(key: ApiKey) -> None:
    used = Usage(input_tokens=1000, output_tokens=500, cached_input_tokens=300)
    request, cost = make.call(key=key, used=used)
    dearer = publish_dearer()

    assert rerating.apply(price=dearer, period=MARCH, reason="late list") == (1, cost)

    entries = JournalEntry.objects.filter(request_id=request).order_by("seq")
    assert [(e.kind, e.amount_usd) for e in entries] == [("charge", cost), ("correction", cost)]
    assert Balance.objects.get(budget__organization=key.organization).spent == cost * 2
    assert differences() == []
    assert queries.record_differences() == []


def test_doing_it_twice_changes_nothing(key: ApiKey) -> None:
    make.call(key=key)
    dearer = publish_dearer()

    rerating.apply(price=dearer, period=MARCH, reason="once")

    assert rerating.apply(price=dearer, period=MARCH, reason="twice") == (0, Decimal(0))


def test_gives_back_no_more_of_a_call_than_a_refund_has_left(key: ApiKey) -> None:
    refunded, cost = make.call(key=key)
    other, _ = make.call(key=key)
    adjust(
        adjustment=Adjustment(
            organization=key.organization,
            request_id=refunded,
            kind=JournalEntry.Kind.REFUND,
            amount_usd=-cost * 4 / 5,
            reason="went wrong",
            actor=None,
        ),
        now=make.NOW,
    )
    cheaper = publish_dearer(times=Decimal("0.5"))

    booked = rerating.apply(price=cheaper, period=MARCH, reason="late list")

    assert booked == (2, -cost / 5 - cost / 2)
    charged = {request: Decimal(0) for request in (refunded, other)}
    for entry in JournalEntry.objects.all():
        charged[entry.request_id] += entry.amount_usd
    assert charged == {refunded: Decimal(0), other: cost / 2}
    assert rerating.apply(price=cheaper, period=MARCH, reason="twice") == (0, Decimal(0))
    assert differences() == []


def test_going_back_books_the_way_back(key: ApiKey) -> None:
    _, cost = make.call(key=key)
    dearer = publish_dearer()
    rerating.apply(price=dearer, period=MARCH, reason="there")

    first = Price.objects.get(model=dearer.model, version=1)

    assert rerating.apply(price=first, period=MARCH, reason="and back") == (1, -cost)
    assert Balance.objects.get(budget__organization=key.organization).spent == cost


def test_applies_the_factor_that_a_call_was_charged_by(key: ApiKey) -> None:
    rule = add_rule(rule=PriceRule(factor=Decimal("0.8")), now=make.NOW - timedelta(days=9))
    _, cost = make.call(key=key, rule=rule)
    assert cost == make.cost_of(usage=Usage(input_tokens=1000, output_tokens=500)).total_usd * 4 / 5
    end_rule(rule=rule, at=make.NOW)

    assert rerating.apply(price=publish_dearer(), period=MARCH, reason="late list") == (1, cost)
    assert queries.record_differences() == []


def test_leaves_a_call_at_the_rates_of_its_rule(key: ApiKey) -> None:
    own = {"per_unit": {"input": "0.000007", "output": "0.000009"}}
    rule = PriceRule(organization=key.organization, model_pattern="gpt-4o-mini", rates=own)
    make.call(key=key, rule=add_rule(rule=rule, now=make.NOW - timedelta(days=9)))

    assert list(rerating.preview(price=publish_dearer(), period=MARCH)) == []


def test_keeps_to_the_period_the_model_and_the_organization(key: ApiKey) -> None:
    other = make.organization(slug="other", owner=make.user(name="carol"))
    carols, _ = make.key(of=other, user=other.memberships.get().user)
    make.call(key=carols)
    make.call(key=key, at=MARCH.starts_at - timedelta(seconds=1))
    make.call(key=key, model="another")
    inside, _ = make.call(key=key, at=MARCH.starts_at)
    dearer = publish_dearer()

    found = list(rerating.preview(price=dearer, period=MARCH, organization=key.organization))

    assert [rerated.request_id for rerated in found] == [inside]


def test_needs_a_reason_and_a_rate_for_all_that_was_used(key: ApiKey) -> None:
    make.call(key=key)
    dearer = publish_dearer()
    poor = publish_price(
        model=dearer.model,
        rates=Rates({"input": Decimal("0.000001")}),
        publication=Publication(source=Price.Source.STATED, at=make.NOW + timedelta(days=2)),
    )

    with pytest.raises(ReasonMissing):
        rerating.apply(price=dearer, period=MARCH, reason=" ")
    with pytest.raises(rerating.LineNotPriced):
        list(rerating.preview(price=poor, period=MARCH))
    assert JournalEntry.objects.count() == 1


def test_the_command_shows_and_books_only_when_told(key: ApiKey) -> None:
    _, cost = make.call(key=key)
    dearer = publish_dearer()
    out = StringIO()
    arguments = [dearer.model.name, "2", "--from", "2026-03-01T00:00:00Z"]

    call_command("rerate", *arguments, stdout=out)
    assert JournalEntry.objects.count() == 1
    call_command("rerate", *arguments, "--apply", "--reason", "late list", stdout=out)
    assert JournalEntry.objects.count() == 2

    assert out.getvalue().count(f"{cost:.12f} USD in all.") == 2
    with pytest.raises(CommandError, match="no version 9"):
        call_command("rerate", dearer.model.name, "9", "--from", "2026-03-01")
