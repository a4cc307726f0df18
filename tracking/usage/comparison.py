"""Figures beside those of the period before, shares, and cost for what was got. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from budgets.core.money import ZERO_USD, quantize_usd
from tracking.usage.terms import Figures, Row

_RATIO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Compared:
    """Figures of one key now and in the period before; ``share`` is its part of the total cost."""

    key: str
    figures: Figures
    share: Decimal | None
    previous: Figures | None

    @property
    def change_usd(self) -> Decimal | None:
        """By how much the cost has risen; None where nothing is compared."""
        return self.figures.cost_usd - self.previous.cost_usd if self.previous else None

    @property
    def change(self) -> Decimal | None:
        """The rise as a part of the cost before; None where that was nothing."""
        if self.previous is None or self.previous.cost_usd <= 0:
            return None
        return _ratio(self.figures.cost_usd - self.previous.cost_usd, self.previous.cost_usd)


@dataclass(frozen=True, slots=True)
class Efficiency:
    """What one model gives for its money; None where a figure would be divided by nothing."""

    model: str
    figures: Figures

    @property
    def usd_per_token(self) -> Decimal | None:
        """Cost by tokens in and out together."""
        tokens = self.figures.tokens
        return quantize_usd(self.figures.cost_usd / tokens) if tokens else None

    @property
    def usd_per_1k_output_tokens(self) -> Decimal | None:
        """Cost by a thousand tokens of output."""
        tokens = self.figures.output_tokens
        return quantize_usd(self.figures.cost_usd * 1000 / tokens) if tokens else None

    @property
    def tokens_per_call(self) -> Decimal | None:
        """The mean of tokens in and out of a call."""
        calls = self.figures.calls
        return _ratio(Decimal(self.figures.tokens), Decimal(calls)) if calls else None

    @property
    def cached_share(self) -> Decimal | None:
        """The part of the input that was read from a provider's cache."""
        tokens = Decimal(self.figures.input_tokens)
        return _ratio(Decimal(self.figures.cached_input_tokens), tokens) if tokens else None

    @property
    def failed_share(self) -> Decimal | None:
        """The part of the calls whose last attempt did not end well."""
        calls = Decimal(self.figures.calls)
        return _ratio(Decimal(self.figures.failed_calls), calls) if calls else None


def compared(
    *, rows: Iterable[Row], total_usd: Decimal, previous: Iterable[Row] | None
) -> list[Compared]:
    """Put rows beside those of the period before, which may have others; dearest first.

    ``previous`` None compares nothing.
    """
    now = {row.key: row.figures for row in rows}
    before = None if previous is None else {row.key: row.figures for row in previous}
    keys = dict.fromkeys([*now, *(before or ())])
    return [
        Compared(
            key=key,
            figures=now.get(key, Figures()),
            share=_share(now.get(key, Figures()).cost_usd, total_usd),
            previous=None if before is None else before.get(key, Figures()),
        )
        for key in keys
    ]


def movers(rows: Iterable[Compared]) -> list[Compared]:
    """Order compared rows by how much their cost moved, up or down, the most first."""
    return sorted(rows, key=lambda row: (-abs(row.change_usd or ZERO_USD), row.key))


def efficiency(rows: Iterable[Row]) -> list[Efficiency]:
    """Say what each model gives for its money, the cheapest per token first."""
    made = [Efficiency(row.key, row.figures) for row in rows]
    return sorted(
        made, key=lambda row: (row.usd_per_token is None, row.usd_per_token or ZERO_USD, row.model)
    )


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    return _ratio(part, whole) if whole > 0 else None


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(_RATIO)
