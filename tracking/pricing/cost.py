"""The arithmetic of money for a call: usage times rates, and what a call can cost at most. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, Inexact
from functools import lru_cache

from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD, quantize_usd, round_up_usd, usd_text
from tracking.pricing.rates import (
    INPUT_DIMENSIONS,
    OUTPUT_DIMENSIONS,
    SEARCH_DIMENSIONS,
    Rates,
    rate_text,
)
from tracking.pricing.usage import Usage

# Products are exact or an error: rounding happens once, afterwards, and in one place.
_EXACT = Context(prec=80, traps=[Inexact])


class RateMissing(DomainError):
    """The price names no rate for something that the call used."""

    code = "rate_missing"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cost: so many units of a dimension at a rate. Amounts are USD."""

    dimension: str
    units: int
    rate_usd: Decimal
    amount_usd: Decimal

    def as_json(self) -> dict[str, str | int]:
        """Write the line as plain JSON values; money is text."""
        return {
            "dimension": self.dimension,
            "units": self.units,
            "rate_usd": rate_text(self.rate_usd),
            "amount_usd": usd_text(self.amount_usd),
        }


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
    """What a call can reach at most: input tokens, output tokens of each choice, and searches.

    ``excluded`` names the dimensions that the call cannot incur, so that a request of plain text
    is not held for at the rate of audio. All others count, whatever the request says.
    """

    input_tokens: int
    output_tokens: int
    choices: int = 1
    web_searches: int = 0
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

    Rates have at most 12 places, so every line is exact; only a rate that an uplift raises is
    rounded half-even, before it is multiplied. ``at`` is the instant that decides about off-peak
    hours; without one the standard rates hold. ``service_tier`` is the one that was served.

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
        for dimension, units, rate in _used(usage, rates, chosen)
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
    fixed = bounds.web_searches * _raised(max(searches, default=ZERO_USD), factor)
    fixed += bounds.choices * _raised(rates.per_unit.get("request", ZERO_USD), factor)
    return WorstRates(
        input_usd=_raised(input_usd, factor),
        output_usd=_raised(output_usd, factor),
        fixed_usd=fixed,
    )


def upper_bound(*, bounds: Bounds, rates: Rates) -> Decimal:
    """Bound the cost of any call within the bounds from above, in USD, rounded up to 12 places."""
    worst = worst_rates(bounds=bounds, rates=rates)
    output_tokens = bounds.choices * bounds.output_tokens
    most = _EXACT.add(
        _EXACT.multiply(Decimal(bounds.input_tokens), worst.input_usd),
        _EXACT.multiply(Decimal(output_tokens), worst.output_usd),
    )
    return round_up_usd(_EXACT.add(most, worst.fixed_usd))


def _used(
    usage: Usage, rates: Rates, chosen: Mapping[str, Decimal]
) -> Iterator[tuple[str, int, Decimal]]:
    for dimension, units in usage.units().items():
        if not units:
            continue
        if dimension not in chosen:
            raise RateMissing(dimension=dimension, units=units)
        yield dimension, units, chosen[dimension]
    search = f"search_{usage.search_context}"
    if usage.web_searches:
        if search not in rates.per_unit:
            raise RateMissing(dimension=search, units=usage.web_searches)
        yield search, usage.web_searches, rates.per_unit[search]
    # A fee per request is charged by the few providers that publish one, and by no other.
    if usage.requests and "request" in rates.per_unit:
        yield "request", usage.requests, rates.per_unit["request"]


def _line(dimension: str, units: int, rate: Decimal, factor: Decimal) -> Line:
    charged = _raised(rate, factor)
    amount = quantize_usd(_EXACT.multiply(Decimal(units), charged))
    return Line(dimension=dimension, units=units, rate_usd=charged, amount_usd=amount)


def _raised(rate: Decimal, factor: Decimal) -> Decimal:
    return rate if factor == 1 else quantize_usd(_EXACT.multiply(rate, factor))


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
