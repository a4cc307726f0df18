"""What one unit costs: a price taken apart into rates. Pure."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Self

from budgets.core.errors import DomainError
from budgets.core.money import quantize_usd
from tracking.pricing.off_peak import OffPeak
from tracking.pricing.usage import UNIT_DIMENSIONS

OFF_PEAK = "off_peak"

INPUT_DIMENSIONS = (
    "input",
    "cached_input",
    "cached_audio_input",
    "cached_image_input",
    "cache_write",
    "cache_write_1h",
    "audio_input",
    "image_input",
    "video_input",
)
OUTPUT_DIMENSIONS = ("output", "reasoning", "audio_output", "image_output", "video_output")
SEARCH_DIMENSIONS = ("search_low", "search_medium", "search_high")
TOKEN_DIMENSIONS = INPUT_DIMENSIONS + OUTPUT_DIMENSIONS
# A rate of these has at most 12 places and their units are whole, so that no line needs rounding;
# other published rates (per pixel, per second) keep the places they are published with.
EXACT_DIMENSIONS = frozenset((*TOKEN_DIMENSIONS, *SEARCH_DIMENSIONS, "request"))
UNITS = frozenset(UNIT_DIMENSIONS.values())

# What a kind of token costs when its provider names no rate for it: the rate of the kind it is
# part of. The order matters: a fallback is settled before whatever falls back on it.
_FALLBACKS = {
    "cached_input": "input",
    "cached_audio_input": "cached_input",
    "cached_image_input": "cached_input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_input": "input",
    "image_input": "input",
    "video_input": "input",
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
    "video_output": "output",
}

# "fast" is sold by name only; it is charged at the priority rates.
_SERVICE_TIERS = {"fast": "priority"}


class RatesInvalid(DomainError):
    """A price must name rates of zero or more USD per unit, with at most 12 places."""

    code = "rates_invalid"


class RateMissing(DomainError):
    """The price names no rate for something that the call used."""

    code = "rate_missing"


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one price, in USD per single unit (one token, one image, one second).

    ``per_unit`` is keyed ``dimension[:variant][>tokens][@service]``: ``input`` is the standard
    rate, ``input>200000`` what every input token costs once a call has more than 200,000 of them,
    ``input@flex`` the rate of a service tier and ``input@off_peak`` the rate of cheaper hours.
    A variant is what was made: ``output_per_image:hd/1024x1024``, ``output_per_second:1080p``.
    ``uplifts`` are factors by name (``eu``, ``us``, ``fast``, ``regional``) on all rates of a call.
    """

    per_unit: Mapping[str, Decimal]
    uplifts: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    off_peak: OffPeak | None = None
    thresholds: tuple[int, ...] = field(init=False, compare=False)
    services: frozenset[str] = field(init=False, compare=False)
    dimensions: frozenset[str] = field(init=False, compare=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for key, rate in (*self.per_unit.items(), *self.uplifts.items()):
            if not rate.is_finite() or rate < 0:
                raise RatesInvalid(key=key, rate=str(rate))
            if dimension_of(key) in EXACT_DIMENSIONS and rate != quantize_usd(rate):
                raise RatesInvalid(key=key, rate=str(rate))
        object.__setattr__(self, "thresholds", _thresholds(self.per_unit))
        services = frozenset(key.partition("@")[2] for key in self.per_unit)
        object.__setattr__(self, "services", services)
        standard = (key for key in self.per_unit if "@" not in key and ">" not in key)
        object.__setattr__(self, "dimensions", frozenset(map(dimension_of, standard)))
        object.__setattr__(self, "_hash", hash(frozenset(self.per_unit.items())))

    def __hash__(self) -> int:
        return self._hash

    def of_call(
        self, *, input_tokens: int, service_tier: str | None = None, off_peak: bool = False
    ) -> Mapping[str, Decimal]:
        """Choose the rate of every kind of token for a call of that many input tokens.

        Past a threshold *all* tokens of the call are charged at the rate beyond it. A kind that
        is missing has no rate of its own nor one to fall back on. Rules as in litellm 1.106
        (``llm_cost_calc/utils.py``), which the oracle test compares over the whole catalogue.
        """
        crossed = bisect_left(self.thresholds, input_tokens)
        return _chosen(self, crossed, self.service(service_tier), off_peak)

    def of_unit(
        self, dimension: str, *, size: str = "", quality: str = "", service_tier: str | None = None
    ) -> tuple[str, Decimal] | None:
        """Choose the rate of a unit that is no token: its key with the variant, and the rate.

        The narrowest variant goes first: quality and size, quality, size, then the plain rate.
        None where the price names neither.
        """
        service = self.service(service_tier)
        for variant in variants_of(size=size, quality=quality):
            key = f"{dimension}:{variant}" if variant else dimension
            rate = _service_rate(self, key, service)
            if rate is not None:
                return key, rate
        return None

    def service(self, service_tier: str | None) -> str:
        """Name the listed service that a tier is charged as; empty for the standard one."""
        tier = (service_tier or "").lower()
        tier = _SERVICE_TIERS.get(tier, tier)
        return tier if tier in self.services else ""

    def is_off_peak(self, at: datetime | None) -> bool:
        """Tell whether the instant lies in this price's cheaper hours; an unknown one does not."""
        return at is not None and self.off_peak is not None and self.off_peak.covers(at)

    def uplift(self, names: Iterable[str]) -> Decimal:
        """Multiply the named factors; a name that this price does not know counts as one."""
        factor = Decimal(1)
        for name in names:
            factor *= self.uplifts.get(name, Decimal(1))
        return factor

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_json() wrote; decimals are text, so that no float ever touches them."""
        windows = stored.get("off_peak")
        return cls(
            per_unit={key: Decimal(text) for key, text in stored["per_unit"].items()},
            uplifts={key: Decimal(text) for key, text in stored.get("uplifts", {}).items()},
            off_peak=OffPeak.of_json(windows) if windows else None,
        )

    def as_json(self) -> dict[str, Any]:
        """Write the price in its one canonical form, so that equal prices are equal as JSON."""
        stored: dict[str, Any] = {"per_unit": _texts(self.per_unit)}
        if self.uplifts:
            stored["uplifts"] = _texts(self.uplifts)
        if self.off_peak:
            stored["off_peak"] = self.off_peak.as_json()
        return stored


@lru_cache(maxsize=8192)
def parsed_rates(stored: str) -> Rates:
    """Read what as_json() wrote, as text; equal texts share one object, and many prices are equal."""
    return Rates.of_json(json.loads(stored))


# Choosing is asked for on every call and answered by few different tables.
@lru_cache(maxsize=8192)
def _chosen(rates: Rates, crossed: int, service: str, off_peak: bool) -> Mapping[str, Decimal]:  # noqa: FBT001  a key
    chosen: dict[str, Decimal] = {}
    for dimension in TOKEN_DIMENSIONS:
        rate = _own_rate(rates, dimension, crossed, service)
        if off_peak:
            rate = rates.per_unit.get(f"{dimension}@{OFF_PEAK}", rate)
        rate = _or_fallback(rates, dimension, rate, chosen, service)
        if rate is not None:
            chosen[dimension] = rate
    return MappingProxyType(chosen)


def _own_rate(rates: Rates, dimension: str, crossed: int, service: str) -> Decimal | None:
    """The rate past the highest of the crossed thresholds that names one."""
    rate = _service_rate(rates, dimension, service)
    for threshold in rates.thresholds[:crossed]:
        beyond = _service_rate(rates, f"{dimension}>{threshold}", service)
        rate = rate if beyond is None else beyond
    return rate


def _service_rate(rates: Rates, key: str, service: str) -> Decimal | None:
    """A service tier sells some kinds of token at the standard rate and does not list them."""
    at_service = rates.per_unit.get(f"{key}@{service}") if service else None
    return rates.per_unit.get(key) if at_service is None else at_service


def _or_fallback(
    rates: Rates, dimension: str, rate: Decimal | None, chosen: Mapping[str, Decimal], service: str
) -> Decimal | None:
    if dimension == "output" and not rate:
        # A model that answers in images may name only their rate.
        return rates.per_unit.get("image_output", rate)
    if dimension == "reasoning" and _tier_reasons_at_output_rate(rates, service):
        return chosen.get("output")
    return chosen.get(_FALLBACKS.get(dimension, "")) if rate is None else rate


def _tier_reasons_at_output_rate(rates: Rates, service: str) -> bool:
    """A tier that names an output rate but no reasoning rate charges reasoning as output."""
    if not service or f"reasoning@{service}" in rates.per_unit:
        return False
    return f"output@{service}" in rates.per_unit


def dimension_of(key: str) -> str:
    """Read what is counted from a key of per_unit: ``input`` from ``input>200000@flex``."""
    return key.partition("@")[0].partition(">")[0].partition(":")[0]


# Asked for on every call that makes images or video, and answered by few different names.
@lru_cache(maxsize=1024)
def variants_of(*, size: str, quality: str) -> tuple[str, ...]:
    """List the variants that a size and a quality can be priced as, the narrowest first.

    ``1024-x-1024`` is ``1024x1024``; ``1920x1080`` is also the video format ``1080p``.
    """
    size = size.strip().lower().replace("-x-", "x")
    quality = quality.strip().lower()
    sizes = [name for name in (size, _format_of(size)) if name]
    both = [f"{quality}/{name}" for name in sizes] if quality else []
    return (*both, *([quality] if quality else []), *sizes, "")


def _format_of(size: str) -> str:
    sides = size.split("x")
    if len(sides) != 2 or not all(side.isdigit() for side in sides):
        return ""
    lines = min(map(int, sides))
    return {1440: "2k", 2160: "4k"}.get(lines, f"{lines}p")


def per_million(rate: Decimal) -> Decimal:
    """Turn USD per token into USD per million tokens, which is how people read prices."""
    return rate.scaleb(6)


def per_token(usd_per_million: Decimal) -> Decimal:
    """Turn USD per million tokens into USD per token."""
    return usd_per_million.scaleb(-6)


def rate_text(rate: Decimal) -> str:
    """Write a rate as plain digits without trailing zeros (``0.00000015``)."""
    return f"{rate.normalize() + 0:f}"


def _texts(rates: Mapping[str, Decimal]) -> dict[str, str]:
    return {key: rate_text(rates[key]) for key in sorted(rates)}


def _thresholds(per_unit: Mapping[str, Decimal]) -> tuple[int, ...]:
    limits = {int(key.partition(">")[2].partition("@")[0]) for key in per_unit if ">" in key}
    return tuple(sorted(limits))
