"""What one call used."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.tracking.pricing.strategies import patient, reports, usages
from tracking.pricing.rates import INPUT_DIMENSIONS, OUTPUT_DIMENSIONS
from tracking.pricing.usage import MOST_UNITS, Usage, UsageContradiction


@patient
@given(usage=usages())
def test_counts_every_token_exactly_once(usage: Usage) -> None:
    units = usage.units()
    assert sum(units[kind] for kind in INPUT_DIMENSIONS) == usage.input_tokens
    assert sum(units[kind] for kind in OUTPUT_DIMENSIONS) == usage.output_tokens
    assert min(units.values()) >= 0


def test_charges_what_the_cache_covered_as_cached_and_not_also_as_audio() -> None:
    usage = Usage(input_tokens=100, cached_input_tokens=80, audio_input_tokens=60)
    assert usage.units()["cached_input"] == 80
    assert usage.units()["audio_input"] == 20
    assert usage.units()["input"] == 0


def test_tells_cached_audio_apart_where_the_provider_does() -> None:
    usage = Usage(
        input_tokens=100,
        cached_input_tokens=50,
        audio_input_tokens=60,
        cached_audio_input_tokens=40,
    )
    units = usage.units()
    assert (units["cached_input"], units["cached_audio_input"]) == (10, 40)
    assert (units["audio_input"], units["input"]) == (20, 30)


@pytest.mark.parametrize(
    "lie",
    [
        {"input_tokens": -1},
        {"output_tokens": True},
        {"output_tokens": 1.0},
        {"output_tokens": None},
        {"input_tokens": MOST_UNITS + 1},
        {"input_tokens": 10, "cached_input_tokens": 11},
        {"input_tokens": 10, "cached_input_tokens": 6, "cache_write_tokens": 5},
        {"input_tokens": 10, "audio_input_tokens": 6, "image_input_tokens": 5},
        {"output_tokens": 10, "reasoning_tokens": 11},
        {"input_tokens": 10, "audio_input_tokens": 9, "cached_audio_input_tokens": 1},
    ],
)
def test_refuses_a_usage_that_contradicts_itself(lie: dict[str, Any]) -> None:
    with pytest.raises(UsageContradiction) as refusal:
        Usage(**lie)
    assert refusal.value.code == "usage_contradiction"


@patient
@given(report=reports())
def test_reads_any_report_at_its_dearest_without_refusing(report: dict[str, Any]) -> None:
    usage = Usage.reconciled(report)
    for name in ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "output_tokens"):
        count = report.get(name)
        if type(count) is int and 0 <= count <= MOST_UNITS // 4:
            assert getattr(usage, name) >= count


def test_grows_the_total_to_hold_its_parts() -> None:
    usage = Usage.reconciled(
        {"input_tokens": 5, "cached_input_tokens": 30, "cache_write_tokens": 10}
    )
    assert usage.input_tokens == 40
    assert usage.units()["input"] == 0


@patient
@given(usage=usages())
def test_leaves_a_usage_that_adds_up_as_it_is(usage: Usage) -> None:
    report = {name: getattr(usage, name) for name in Usage.__dataclass_fields__}
    assert Usage.reconciled(report) == usage
