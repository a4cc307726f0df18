"""What a call can cost at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.pricing.strategies import SERVICES, patient, prices, usages
from tracking.pricing.catalog import bundled_listings
from tracking.pricing.cost import Bounds, cost, upper_bound, worst_rates
from tracking.pricing.modes import prices_mode
from tracking.pricing.rates import Rates
from tracking.pricing.usage import Usage

AT = datetime(2026, 3, 4, 8, tzinfo=UTC)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Bounds, Rates, Decimal]:
    """The bounds of a call, its price, and what it came to cost."""
    usage, rates = draw(usages()), draw(prices())
    asked = draw(st.sampled_from([None, *SERVICES]))
    uplifts = draw(st.sets(st.sampled_from(["us", "fast"])))
    slack = draw(st.integers(0, 50_000))
    bounds = Bounds(
        input_tokens=usage.input_tokens + slack,
        output_tokens=usage.output_tokens + slack,
        web_searches=usage.web_searches,
        service_tier=asked,
        uplifts=uplifts,
    )
    charged = cost(
        usage=usage,
        rates=rates,
        service_tier=draw(st.sampled_from([asked, None])),
        uplifts=uplifts,
        at=draw(st.sampled_from([None, AT])),
    )
    return bounds, rates, charged.total_usd


@patient
@given(call=calls())
def test_is_never_below_the_cost_of_any_call_within_the_bounds(
    call: tuple[Bounds, Rates, Decimal],
) -> None:
    bounds, rates, charged_usd = call
    assert charged_usd <= upper_bound(bounds=bounds, rates=rates)


@patient
@given(usage=usages(largest=300_000))
def test_is_never_below_the_cost_at_any_price_of_the_catalogue(usage: Usage) -> None:
    usage = replace(usage, web_searches=0)
    bounds = Bounds(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
    for rates in CHAT_PRICES[::40]:
        assert cost(usage=usage, rates=rates, at=AT).total_usd <= upper_bound(
            bounds=bounds, rates=rates
        )


CHAT_PRICES = [
    listing.rates
    for listing in bundled_listings()
    if listing.rates and prices_mode(listing.rates, "chat")
]


def test_is_exact_for_a_plain_price() -> None:
    rates = Rates(per_unit={"input": Decimal("0.000001"), "output": Decimal("0.000002")})
    bounds = Bounds(input_tokens=1000, output_tokens=100, choices=3)
    assert upper_bound(bounds=bounds, rates=rates) == Decimal("0.0016")


def test_reaches_a_dearer_tier_only_when_the_input_can() -> None:
    rates = Rates(
        per_unit={
            "input": Decimal("0.000001"),
            "output": Decimal(0),
            "input>200000": Decimal("0.000002"),
        }
    )
    within = upper_bound(bounds=Bounds(input_tokens=200_000, output_tokens=0), rates=rates)
    past = upper_bound(bounds=Bounds(input_tokens=200_001, output_tokens=0), rates=rates)
    assert (within, past) == (Decimal("0.2"), Decimal("0.400002"))


def test_leaves_out_what_the_call_cannot_incur() -> None:
    rates = Rates(
        per_unit={
            "input": Decimal("0.000001"),
            "output": Decimal(0),
            "audio_input": Decimal("0.0001"),
        }
    )
    bounds = Bounds(input_tokens=1_000_000, output_tokens=0, excluded=("audio_input",))
    assert worst_rates(bounds=bounds, rates=rates).input_usd == Decimal("0.000001")
    assert upper_bound(bounds=bounds, rates=rates) == 1


def test_counts_what_is_charged_for_each_request_and_search() -> None:
    rates = Rates(
        per_unit={
            "input": Decimal(0),
            "output": Decimal(0),
            "request": Decimal("0.005"),
            "search_low": Decimal("0.01"),
            "search_high": Decimal("0.03"),
        }
    )
    bounds = Bounds(input_tokens=1, output_tokens=1, choices=2, web_searches=2)
    assert upper_bound(bounds=bounds, rates=rates) == Decimal("0.07")
