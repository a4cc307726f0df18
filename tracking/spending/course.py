"""The chart of what was spent so far: where the sum stood at the end of each day. Pure.

Points are in units of a square of 100 by 100, x to the right and y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate

from budgets.core.money import ZERO_USD, format_usd
from tracking.spending.scale import Tick, scale
from tracking.usage.forecast import Forecast
from tracking.usage.terms import DayFigures

# A limit so far above everything else would press the lines to the ground.
_FARTHEST_LIMIT = 4


@dataclass(frozen=True, slots=True)
class Course:
    """Lines of sums. ``before`` are as many days before, ``band`` and ``likely`` the forecast."""

    ticks: tuple[Tick, ...]
    spent: str
    area: str
    before: str
    band: str
    likely: str
    limit_place: str
    summary: str


@dataclass(frozen=True, slots=True)
class Beside:
    """What the sums are drawn beside, as far as it is known."""

    before: Sequence[Decimal] | None = None
    forecast: Forecast | None = None
    limit_usd: Decimal | None = None


def course_of(*, days: Sequence[DayFigures], today: date, beside: Beside) -> Course | None:
    """Lay out the sums of some days up to today; None where one day alone makes no line.

    The forecast must be of the last of the days.
    """
    past = [day.figures.cost_usd for day in days if day.on <= today]
    if len(days) < 2 or not past:
        return None
    sums = list(accumulate(past))
    before = list(accumulate(beside.before)) if beside.before is not None else []
    told = beside.forecast if len(past) < len(days) else None
    highest = max([*sums, *before, *([told.high_usd] if told else [])], default=ZERO_USD)
    limit_usd = beside.limit_usd
    if limit_usd is not None and limit_usd > highest * _FARTHEST_LIMIT:
        limit_usd = None
    top_usd, ticks = scale(highest=max(highest, limit_usd or ZERO_USD))
    place = _Place(len(days), top_usd)
    now = place.at(len(sums), sums[-1])
    return Course(
        ticks=ticks,
        spent=place.line(sums),
        area=f"{place.line(sums)} {place.at(len(sums), ZERO_USD)}",
        before=place.line(before) if before else "",
        band=f"{now} {place.end(told.high_usd)} {place.end(told.low_usd)}" if told else "",
        likely=f"{now} {place.end(told.expected_usd)}" if told else "",
        limit_place=place.y(limit_usd) if limit_usd is not None else "",
        summary=_summary(sums, before, told, beside.limit_usd),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the end of a day, counted from one, and an amount are drawn."""

    days: int
    top_usd: Decimal

    def y(self, usd: Decimal) -> str:
        """Give how far from the top an amount is; what is below nothing stands on the ground."""
        return f"{100 - max(usd, ZERO_USD) * 100 / self.top_usd:.3f}"

    def at(self, day: int, usd: Decimal) -> str:
        """Give a point."""
        return f"{Decimal(day) * 100 / self.days:.3f},{self.y(usd)}"

    def end(self, usd: Decimal) -> str:
        """Give a point at the end of the last day."""
        return self.at(self.days, usd)

    def line(self, sums: Sequence[Decimal]) -> str:
        """Give the points of a line that begins with nothing."""
        return " ".join(self.at(day, usd) for day, usd in enumerate([ZERO_USD, *sums]))


def _summary(
    sums: Sequence[Decimal],
    before: Sequence[Decimal],
    told: Forecast | None,
    limit_usd: Decimal | None,
) -> str:
    """Say in a sentence what the lines show."""
    parts = [format_usd(sums[-1])]
    if before:
        parts.append(f"{format_usd(before[len(sums) - 1])} by then in the days before")
    if told:
        low, high = format_usd(told.low_usd), format_usd(told.high_usd)
        parts.append(f"likely {format_usd(told.expected_usd)} at the end ({low} to {high})")
    if limit_usd is not None:
        parts.append(f"the limit is {format_usd(limit_usd)}")
    return "; ".join(parts)
