"""The cost of a call: exact, and the sum of its lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.pricing.strategies import SERVICES, THRESHOLDS, patient, prices, usages
from tracking.pricing.cost import cost
from tracking.pricing.off_peak import OffPeak, Window
from tracking.pricing.rates import RateMissing, Rates
from tracking.pricing.usage import Usage


def price(**per_million: str) -> Rates:
    """A price stated in USD per million tokens."""
    return Rates(per_unit={kind: Decimal(usd).scaleb(-6) for kind, usd in per_million.items()})


TEXT = price(input="2.50", cached_input="1.25", output="10")


# An oracle in another shape: it sorts single kinds of tokens into piles and multiplies fractions.
PARENTS = {
    "cached": ["cached_input", "input"],
    "cached audio": ["cached_audio_input", "cached_input", "input"],
    "cached image": ["cached_image_input", "cached_input", "input"],
    "write": ["cache_write", "input"],
    "write 1h": ["cache_write_1h", "cache_write", "input"],
    "audio": ["audio_input", "input"],
    "image": ["image_input", "input"],
    "video": ["video_input", "input"],
    "text": ["input"],
    "answer": ["output"],
    "reasoning": ["reasoning", "output"],
    "spoken": ["audio_output", "output"],
    "drawn": ["image_output", "output"],
    "filmed": ["video_output", "output"],
}


def piles(usage: Usage) -> Mapping[str, int]:
    rest = usage.input_tokens
    rest -= usage.cached_input_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
    taken: dict[str, int] = {}
    heard = usage.audio_input_tokens - usage.cached_audio_input_tokens
    for kind, count in (
        ("audio", heard),
        ("image", usage.image_input_tokens - usage.cached_image_input_tokens),
        ("video", usage.video_input_tokens),
    ):
        taken[kind] = min(count, rest)
        rest -= taken[kind]
    spoken_for = usage.reasoning_tokens + usage.audio_output_tokens
    spoken_for += usage.image_output_tokens + usage.video_output_tokens
    return taken | {
        "text": rest,
        "cached": usage.cached_input_tokens
        - usage.cached_audio_input_tokens
        - usage.cached_image_input_tokens,
        "cached image": usage.cached_image_input_tokens,
        "cached audio": usage.cached_audio_input_tokens,
        "write": usage.cache_write_tokens,
        "write 1h": usage.cache_write_1h_tokens,
        "answer": usage.output_tokens - spoken_for,
        "reasoning": usage.reasoning_tokens,
        "spoken": usage.audio_output_tokens,
        "drawn": usage.image_output_tokens,
        "filmed": usage.video_output_tokens,
    }


def oracle(usage: Usage, rates: Rates, service: str | None) -> Fraction:
    def listed(kind: str) -> Fraction | None:
        found = None
        for place in ("", *(f">{limit}" for limit in THRESHOLDS if usage.input_tokens > limit)):
            for key in (f"{kind}{place}@{service}", f"{kind}{place}"):
                if key in rates.per_unit:
                    found = Fraction(rates.per_unit[key])
                    break
        if kind == "output" and not found and "image_output" in rates.per_unit:
            return Fraction(rates.per_unit["image_output"])
        if kind == "reasoning" and f"output@{service}" in rates.per_unit:
            return found if f"reasoning@{service}" in rates.per_unit else None
        return found

    total = Fraction(0)
    for pile, count in piles(usage).items():
        rate = next(found for kind in PARENTS[pile] if (found := listed(kind)) is not None)
        total += count * rate
    total += usage.web_searches * Fraction(rates.per_unit[f"search_{usage.search_context}"])
    return total + Fraction(rates.per_unit.get("request", 0))


@patient
@given(usage=usages(), rates=prices(), service=st.sampled_from([None, *SERVICES]))
def test_equals_an_independent_computation_in_fractions(
    usage: Usage, rates: Rates, service: str | None
) -> None:
    assert Fraction(cost(usage=usage, rates=rates, service_tier=service).total_usd) == oracle(
        usage, rates, service
    )


@patient
@given(usage=usages(), rates=prices(), uplifts=st.sets(st.sampled_from(["us", "fast"])))
def test_adds_up_exactly_from_its_lines(usage: Usage, rates: Rates, uplifts: set[str]) -> None:
    priced = cost(usage=usage, rates=rates, uplifts=uplifts)
    assert sum(line.amount_usd for line in priced.lines) == priced.total_usd
    assert all(line.units * line.rate_usd == line.amount_usd for line in priced.lines)
    assert -priced.total_usd.as_tuple().exponent == 12  # type: ignore[operator]  # a finite number


def test_writes_one_line_for_each_kind_that_was_used() -> None:
    usage = Usage(input_tokens=1000, cached_input_tokens=400, output_tokens=200)
    assert cost(usage=usage, rates=TEXT).lines_json() == [
        {
            "dimension": "input",
            "units": 600,
            "rate_usd": "0.0000025",
            "amount_usd": "0.001500000000",
        },
        {
            "dimension": "cached_input",
            "units": 400,
            "rate_usd": "0.00000125",
            "amount_usd": "0.000500000000",
        },
        {
            "dimension": "output",
            "units": 200,
            "rate_usd": "0.00001",
            "amount_usd": "0.002000000000",
        },
    ]


def test_costs_nothing_when_nothing_was_used() -> None:
    nothing = cost(usage=Usage(), rates=TEXT)
    assert (nothing.lines, nothing.total_usd) == ((), Decimal(0))


def test_refuses_to_give_away_what_the_price_does_not_name() -> None:
    with pytest.raises(RateMissing) as missing:
        cost(usage=Usage(input_tokens=1, output_tokens=1), rates=price(input="1"))
    assert missing.value.details["dimension"] == "output"


def test_refuses_to_give_away_a_search() -> None:
    with pytest.raises(RateMissing):
        cost(usage=Usage(web_searches=1), rates=TEXT)


def test_charges_all_tokens_at_the_dearer_rate_past_a_threshold() -> None:
    rates = price(**{"input": "1", "output": "2", "input>200000": "3", "output>200000": "4"})
    at = cost(usage=Usage(input_tokens=200_000, output_tokens=10), rates=rates)
    past = cost(usage=Usage(input_tokens=200_001, output_tokens=10), rates=rates)
    assert at.total_usd == Decimal("0.200020")
    assert past.total_usd == Decimal("0.600043")


def test_charges_a_service_tier_where_it_is_listed_and_the_standard_rate_elsewhere() -> None:
    rates = price(**{"input": "1", "output": "2", "input@flex": "0.5"})
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert cost(usage=usage, rates=rates, service_tier="flex").total_usd == Decimal("2.5")
    assert cost(usage=usage, rates=rates, service_tier="default").total_usd == 3


def test_charges_fast_service_as_priority() -> None:
    rates = price(**{"input": "1", "output": "2", "input@priority": "5"})
    usage = Usage(input_tokens=1_000_000)
    assert cost(usage=usage, rates=rates, service_tier="Fast").total_usd == 5


def test_multiplies_by_the_uplifts_that_apply() -> None:
    rates = Rates(per_unit=TEXT.per_unit, uplifts={"us": Decimal("1.1"), "fast": Decimal(2)})
    usage = Usage(input_tokens=1_000_000)
    assert cost(usage=usage, rates=rates).total_usd == Decimal("2.5")
    assert cost(usage=usage, rates=rates, uplifts=["us", "fast"]).total_usd == Decimal("5.5")


def test_charges_less_in_the_off_peak_hours_of_the_instant() -> None:
    night = OffPeak(windows=(Window(spans=((time(22), time(6)),), weekdays=frozenset({1})),))
    rates = Rates(per_unit={**TEXT.per_unit, "input@off_peak": Decimal("0.000001")}, off_peak=night)
    usage = Usage(input_tokens=1_000_000)
    monday_night = datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert cost(usage=usage, rates=rates, at=monday_night).total_usd == 1
    assert cost(usage=usage, rates=rates, at=monday_night.replace(hour=12)).total_usd == Decimal(
        "2.5"
    )
    assert cost(usage=usage, rates=rates).total_usd == Decimal("2.5")
