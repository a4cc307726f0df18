"""Prices and usages for tests of properties."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tracking.pricing.off_peak import EVERY_DAY, OffPeak, Window
from tracking.pricing.rates import SEARCH_DIMENSIONS, TOKEN_DIMENSIONS, Rates
from tracking.pricing.usage import Usage

# The machine may be busy with other tests: time says nothing about arithmetic.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

THRESHOLDS = (1_000, 200_000)
SERVICES = ("flex", "priority")
# Whole pico-dollars, so up to $1,000 a million tokens, zero included.
RATES = st.integers(0, 10**9).map(lambda pico: Decimal(pico).scaleb(-12))
COUNTS = st.integers(0, 400_000)

_KEYS = [
    f"{kind}{beyond}{service}"
    for kind in TOKEN_DIMENSIONS
    for beyond in ("", *(f">{tokens}" for tokens in THRESHOLDS))
    for service in ("", *(f"@{name}" for name in SERVICES))
]
_ALWAYS = ("input", "output", *SEARCH_DIMENSIONS)


@st.composite
def prices(draw: st.DrawFn) -> Rates:
    """A price of text and searches, and of any other kinds, tiers and services."""
    per_unit = draw(st.dictionaries(st.sampled_from([*_KEYS, "request"]), RATES, max_size=30))
    per_unit |= {kind: draw(RATES) for kind in _ALWAYS if kind not in per_unit}
    off_peak = draw(st.dictionaries(st.sampled_from(["input@off_peak", "output@off_peak"]), RATES))
    uplifts = draw(
        st.dictionaries(
            st.sampled_from(["us", "fast"]), st.sampled_from([Decimal("1.1"), Decimal(2)])
        )
    )
    return Rates(
        per_unit=per_unit | off_peak,
        uplifts=uplifts,
        off_peak=ALWAYS_OFF_PEAK if off_peak else None,
    )


ALWAYS_OFF_PEAK = OffPeak(windows=(Window(spans=((time(), time()),), weekdays=EVERY_DAY),))


@st.composite
def usages(draw: st.DrawFn, largest: int = 400_000) -> Usage:
    """A usage that adds up, with any of its parts."""
    total = draw(st.integers(0, largest))
    cache = draw(_parts(total, 3))
    modalities = draw(_parts(total, 3))
    cached_audio = draw(st.integers(0, min(cache[0], modalities[0])))
    output = draw(st.integers(0, largest))
    kinds = draw(_parts(output, 4))
    return Usage(
        input_tokens=total,
        cached_input_tokens=cache[0],
        cache_write_tokens=cache[1],
        cache_write_1h_tokens=cache[2],
        audio_input_tokens=modalities[0],
        image_input_tokens=modalities[1],
        video_input_tokens=modalities[2],
        cached_audio_input_tokens=cached_audio,
        cached_image_input_tokens=draw(st.integers(0, min(cache[0] - cached_audio, modalities[1]))),
        output_tokens=output,
        reasoning_tokens=kinds[0],
        audio_output_tokens=kinds[1],
        image_output_tokens=kinds[2],
        video_output_tokens=kinds[3],
        web_searches=draw(st.integers(0, 9)),
        search_context=draw(st.sampled_from(["low", "medium", "high"])),
    )


@st.composite
def _parts(draw: st.DrawFn, total: int, count: int) -> list[int]:
    """Up to ``count`` parts that together do not exceed the total."""
    parts: list[int] = []
    for _ in range(count):
        parts.append(draw(st.integers(0, total - sum(parts))))
    return parts


def reports() -> st.SearchStrategy[dict[str, Any]]:
    """What a provider might report, sense or nonsense."""
    names = st.sampled_from([*Usage.__dataclass_fields__, "something_new"])
    counts = st.one_of(
        st.integers(-(10**30), 10**30), COUNTS, st.none(), st.sampled_from([True, 1.5, "7"])
    )
    return st.dictionaries(names, counts)
