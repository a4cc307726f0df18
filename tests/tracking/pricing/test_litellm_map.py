"""Reading litellm's price map."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tracking.pricing.catalog import bundled_listings, demo_listings, listings_of
from tracking.pricing.litellm_map import published_rate, rates_of
from tracking.pricing.rates import EXACT_DIMENSIONS, Rates, dimension_of


def read(**entry: Any) -> Rates | None:
    """Parse an entry the way the map's file is parsed."""
    return rates_of(json.loads(json.dumps(entry), parse_float=Decimal))


def per_unit(**entry: Any) -> dict[str, str]:
    rates = read(**entry)
    assert rates is not None
    stored: dict[str, str] = rates.as_json()["per_unit"]
    return stored


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.4999999999999998e-06", "0.0000015"),
        ("2.0000000000000003e-7", "0.0000002"),
        ("3e-09", "0.000000003"),
        ("2.0345052083E-9", "0.0000000020345052083"),
        ("0", "0"),
    ],
)
def test_cleans_float_dust_and_nothing_else(written: str, meant: str) -> None:
    assert published_rate(Decimal(written)) == Decimal(meant)


def test_names_thresholds_and_services() -> None:
    assert per_unit(
        input_cost_per_token=1e-06,
        input_cost_per_token_above_200k_tokens=2e-06,
        cache_read_input_token_cost_above_200k_tokens_priority=3e-07,
        cache_creation_input_token_cost_above_1hr=4e-06,
        cache_creation_input_token_cost_above_1hr_above_200k_tokens=5e-06,
        output_cost_per_token_batches=5e-07,
        search_context_cost_per_query={"search_context_size_low": 0.01},
        output_cost_per_second_1080p=0.5,
        input_dbu_cost_per_token=7e-05,
        input_cost_per_token_cache_hit=1e-07,
    ) == {
        "input": "0.000001",
        "input>200000": "0.000002",
        "cached_input>200000@priority": "0.0000003",
        "cache_write_1h": "0.000004",
        "cache_write_1h>200000": "0.000005",
        "output@batch": "0.0000005",
        "search_low": "0.01",
        "output_per_second:1080p": "0.5",
    }


def test_starts_the_dearer_rate_at_the_threshold_where_the_provider_does() -> None:
    entry = {"input_cost_per_token": 1e-06, "input_cost_per_token_above_200k_tokens": 2e-06}
    assert "input>200000" in per_unit(litellm_provider="openai", **entry)
    assert "input>199999" in per_unit(litellm_provider="xai", **entry)


def test_turns_tiers_of_input_size_into_thresholds() -> None:
    tiers = [
        {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06},
        {
            "range": [32000.0, 128000.0],
            "input_cost_per_token": 3e-06,
            "output_cost_per_token": 4e-06,
            "output_cost_per_reasoning_token": 5e-06,
        },
    ]
    assert per_unit(tiered_pricing=tiers) == {
        "input": "0.000001",
        "output": "0.000002",
        "reasoning": "0.000002",
        "input>32000": "0.000003",
        "output>32000": "0.000004",
        "reasoning>32000": "0.000005",
    }


def test_takes_a_listed_zero_for_a_gap_and_not_for_a_gift() -> None:
    assert read(input_cost_per_token=0, output_cost_per_token=0.0) is None
    assert per_unit(
        input_cost_per_token=0, output_cost_per_token=0, output_cost_per_image=0.04
    ) == {"output_per_image": "0.04"}


def test_keeps_a_zero_beside_a_price() -> None:
    assert per_unit(input_cost_per_token=1e-06, output_cost_per_token=0)["output"] == "0"


def test_lists_every_model_of_the_bundled_map_once() -> None:
    listings = {listing.name: listing for listing in bundled_listings()}
    assert len(listings) > 4_000
    assert not {"sample_spec", "fallback_generalizations"} & listings.keys()
    mini = listings["gpt-4o-mini"]
    assert (mini.provider, mini.mode, mini.context_window) == ("openai", "chat", 128_000)
    assert mini.rates is not None
    assert mini.rates.per_unit["input"] == Decimal("0.00000015")
    assert {"vision", "function_calling"} <= set(mini.capabilities)


def test_needs_no_rounding_for_any_token_price_of_the_bundled_map() -> None:
    charged = [
        rate
        for listing in bundled_listings()
        if listing.rates
        for key, rate in listing.rates.per_unit.items()
        if dimension_of(key) in EXACT_DIMENSIONS
    ]
    assert len(charged) > 10_000
    assert all(rate == round(rate, 12) for rate in charged)


def test_reads_a_day_that_is_no_date_as_none() -> None:
    (listing,) = listings_of(
        '{"m": {"mode": "chat", "deprecation_date": "soon", "max_input_tokens": 8192.0}}'
    )
    assert (listing.deprecated_on, listing.context_window) == (None, 8192)


def test_prices_every_demo_model() -> None:
    prices = {listing.name: listing.rates for listing in demo_listings()}
    assert prices.keys() == {
        "demo/small",
        "demo/large",
        "demo/slow",
        "demo/flaky",
        "demo/embed",
        "demo/image",
    }
    small = prices["demo/small"]
    assert small is not None
    assert small.per_unit == {
        "input": Decimal("0.0000005"),
        "cached_input": Decimal("0.00000025"),
        "output": Decimal("0.0000015"),
    }
