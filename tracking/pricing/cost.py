"""The arithmetic of money for a call: usage times rates, and what a call can cost at most. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, Inexact
from functools import lru_cache
from typing import Any, Self

from budgets.core.money import ZERO_USD, quantize_usd, round_up_usd, usd_text
from tracking.pricing.rates import (
    INPUT_DIMENSIONS,
    OUTPUT_DIMENSIONS,
    SEARCH_DIMENSIONS,
    RateMissing,
    Rates,
    rate_text,
)
from tracking.pricing.units import UnitsCharged, dearest_units, units_charged
from tracking.pricing.usage import Usage

# Products are exact or an error: rounding happens once, afterwards, and in one place.
_EXACT = Context(prec=80, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cost: so many units of a dimension at a rate. Amounts are USD.

    The dimension carries its variant (``output_per_image:hd/1024x1024``). Units are whole, except
    for seconds.
    """

    dimension: str
    units: Decimal | int
    rate_usd: Decimal
    amount_usd: Decimal

    def as_json(self) -> dict[str, str | int]:
        """Write the line as plain JSON values; money is text, and so is a part of a second."""
        return {
            "dimension": self.dimension,
            "units": self.units if isinstance(self.units, int) else rate_text(self.units),
            "rate_usd": rate_text(self.rate_usd),
            "amount_usd": usd_text(self.amount_usd),
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_json() wrote."""
        units = stored["units"]
        return cls(
            dimension=stored["dimension"],
            units=units if isinstance(units, int) else Decimal(units),
            rate_usd=Decimal(stored["rate_usd"]),
            amount_usd=Decimal(stored["amount_usd"]),
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost: the lines and their sum, in USD with 12 places."""

    lines: tuple[Line, ...]
    total_usd: Decimal

    def lines_json(self) -> list[dict[str, str | int]]:
        """Write the lines as plain JSON values; money is text."""
        return [line.as_json() for line in self.lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a call can reach at most: input tokens, output tokens of each choice, and other units.

    ``excluded`` names the dimensions that the call cannot incur, so that a request of plain text
    is not held for at the rate of audio. All others count, whatever the request says. The other
    units are named as in Usage and count for the whole call; a ``size`` or ``quality`` that is not
    known is bounded by the dearest.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    choices: int = 1
    web_searches: int = 0
    input_characters: int = 0
    output_characters: int = 0
    input_seconds: Decimal | int = 0
    output_seconds: Decimal | int = 0
    input_video_seconds: Decimal | int = 0
    input_images: int = 0
    output_images: int = 0
    output_pixels: int = 0
    queries: int = 0
    pages: int = 0
    annotated_pages: int = 0
    size: str = ""
    quality: str = ""
    service_tier: str | None = None
    uplifts: Collection[str] = ()
    excluded: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class WorstRates:
    """The dearest a token can be: USD per input token and per output token, and USD per call."""

    input_usd: Decimal
    output_usd: Decimal
    fixed_usd: Decimal


def cost(
    *,
    usage: Usage,
    rates: Rates,
    service_tier: str | None = None,
    uplifts: Collection[str] = (),
    at: datetime | None = None,
) -> Cost:
    """Price a call: one line per dimension used, each units times rate, the total their sum.

    Rates of tokens have at most 12 places, so their lines are exact; only a rate that an uplift
    raises is rounded half-even, before it is multiplied. A line of seconds or pixels is rounded
    half-even once. ``at`` is the instant that decides about off-peak hours; without one the
    standard rates hold. ``service_tier`` is the one that was served.

    What a provider counted twice, in tokens and in another unit, is charged once: units_charged().

    :raises RateMissing: if something was used that the price has no rate for: never silently free
    """
    chosen = rates.of_call(
        input_tokens=usage.input_tokens,
        service_tier=service_tier,
        off_peak=rates.is_off_peak(at),
    )
    factor = rates.uplift(uplifts)
    lines = tuple(
        _line(dimension, units, rate, factor)
        for dimension, units, rate in _used(usage, rates, chosen, service_tier)
    )
    return Cost(lines=lines, total_usd=sum((line.amount_usd for line in lines), ZERO_USD))


def worst_rates(*, bounds: Bounds, rates: Rates) -> WorstRates:
    """Find the dearest rates that any call within the bounds can be charged at.

    Looks at every threshold that the input can cross, with and without the service tier asked
    for (a provider may serve at another) and with and without off-peak hours.
    """
    factor = rates.uplift(bounds.uplifts)
    input_usd, output_usd = _dearest(
        rates,
        bisect_left(rates.thresholds, bounds.input_tokens),
        rates.service(bounds.service_tier),
        frozenset(bounds.excluded),
    )
    searches = [rates.per_unit[name] for name in SEARCH_DIMENSIONS if name in rates.per_unit]
    fixed = bounds.web_searches * multiplied(max(searches, default=ZERO_USD), factor)
    fixed += bounds.choices * multiplied(rates.per_unit.get("request", ZERO_USD), factor)
    for _, units, rate in dearest_units(bounds=bounds, rates=rates):
        fixed = _EXACT.add(fixed, _EXACT.multiply(Decimal(units), multiplied(rate, factor)))
    return WorstRates(
        input_usd=multiplied(input_usd, factor),
        output_usd=multiplied(output_usd, factor),
        fixed_usd=round_up_usd(fixed),
    )


def upper_bound(*, bounds: Bounds, rates: Rates) -> Decimal:
    """Bound the cost of any call within the bounds from above, in USD, rounded up to 12 places.

    Tokens and other units are added up, also where a call is charged by only one of them.
    """
    return most_usd(
        worst=worst_rates(bounds=bounds, rates=rates),
        input_tokens=bounds.input_tokens,
        output_tokens=bounds.choices * bounds.output_tokens,
    )


def most_usd(*, worst: WorstRates, input_tokens: int, output_tokens: int) -> Decimal:
    """Give what so many tokens cost at the dearest rates, with all else, rounded up to 12 places."""
    tokens = _EXACT.add(
        _EXACT.multiply(Decimal(input_tokens), worst.input_usd),
        _EXACT.multiply(Decimal(output_tokens), worst.output_usd),
    )
    return round_up_usd(_EXACT.add(tokens, worst.fixed_usd))


def _used(
    usage: Usage, rates: Rates, chosen: Mapping[str, Decimal], service_tier: str | None
) -> Iterator[tuple[str, Decimal | int, Decimal]]:
    others = units_charged(usage=usage, rates=rates, chosen=chosen, service_tier=service_tier)
    yield from _tokens_used(usage, chosen, others)
    yield from others.lines
    search = f"search_{usage.search_context}"
    if usage.web_searches:
        if search not in rates.per_unit:
            raise RateMissing(dimension=search, units=usage.web_searches)
        yield search, usage.web_searches, rates.per_unit[search]
    # A fee per request is charged by the few providers that publish one, and by no other.
    if usage.requests and "request" in rates.per_unit:
        yield "request", usage.requests, rates.per_unit["request"]


def _tokens_used(
    usage: Usage, chosen: Mapping[str, Decimal], others: UnitsCharged
) -> Iterator[tuple[str, int, Decimal]]:
    """Tokens without a rate come with what is charged in another unit; else they are an error."""
    for dimension, units in usage.units().items():
        if not units or dimension in others.instead_of:
            continue
        if dimension in chosen:
            yield dimension, units, chosen[dimension]
        elif not others.lines:
            raise RateMissing(dimension=dimension, units=units)


def _line(dimension: str, units: Decimal | int, rate: Decimal, factor: Decimal) -> Line:
    charged = multiplied(rate, factor)
    amount = quantize_usd(_EXACT.multiply(Decimal(units), charged))
    return Line(dimension=dimension, units=units, rate_usd=charged, amount_usd=amount)


def multiplied(rate: Decimal, factor: Decimal) -> Decimal:
    """Multiply a rate, and round it half-even to 12 places if it had no more before."""
    if factor == 1:
        return rate
    product = _EXACT.multiply(rate, factor)
    return quantize_usd(product) if rate == quantize_usd(rate) else product


@lru_cache(maxsize=8192)
def _dearest(
    rates: Rates, crossable: int, service: str, excluded: frozenset[str]
) -> tuple[Decimal, Decimal]:
    cases = list(_reachable(rates, crossable, service))

    def dearest(dimensions: tuple[str, ...]) -> Decimal:
        kept = [name for name in dimensions if name not in excluded]
        return max(
            (case[name] for case in cases for name in kept if name in case), default=ZERO_USD
        )

    return dearest(INPUT_DIMENSIONS), dearest(OUTPUT_DIMENSIONS)


def _reachable(rates: Rates, crossable: int, service: str) -> Iterator[Mapping[str, Decimal]]:
    sizes = [0, *(threshold + 1 for threshold in rates.thresholds[:crossable])]
    for size in sizes:
        for tier in {"", service}:
            yield rates.of_call(input_tokens=size, service_tier=tier)
            if rates.off_peak:
                yield rates.of_call(input_tokens=size, service_tier=tier, off_peak=True)
