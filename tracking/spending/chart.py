"""The chart of spend by day: what to draw where, in percent of the chart. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate

from budgets.core.money import ZERO_USD
from tracking.spending.scale import Tick, scale
from tracking.usage.terms import Split, SplitDay

MOST_SERIES = 5
OTHERS = "others"

_LABELS_WANTED = 7
_WIDEST_BAR = Decimal(8)


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the chart: a group, or all that are not among the dearest."""

    number: int
    name: str
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Segment:
    """One series' part of a bar."""

    series: int
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One day. ``costs_usd`` has an amount for each series; ``label`` only where there is room."""

    on: date
    calls: int
    cost_usd: Decimal
    so_far_usd: Decimal
    costs_usd: tuple[Decimal, ...]
    slot_x: str
    slot_width: str
    x: str
    middle: str
    width: str
    segments: tuple[Segment, ...]
    is_future: bool
    is_today: bool
    label: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars by day, oldest first; series dearest first, which is also the lowest segment."""

    series: tuple[Series, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    highest: Bar | None
    mean_usd: Decimal

    @property
    def past_bars(self) -> tuple[Bar, ...]:
        """The bars up to today."""
        return tuple(bar for bar in self.bars if not bar.is_future)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What all bars share. Whatever no name covers belongs to the series behind the named ones."""

    named: tuple[str, ...]
    series: int
    top_usd: Decimal
    days: int
    today: date


def chart_of(*, split: Split, names: Mapping[str, str], today: date) -> Chart:
    """Lay out days as stacked bars, one colour for each of the dearest groups.

    ``names`` says what a group is called where its key does not; ``mean_usd`` is the mean cost of a
    day up to today.
    """
    has_others = len(split.groups) > MOST_SERIES
    own = split.groups[: MOST_SERIES - 1] if has_others else split.groups
    series = [Series(n, names.get(key, key), cost_usd) for n, (key, cost_usd) in enumerate(own)]
    if has_others:
        rest = sum((cost_usd for _, cost_usd in split.groups[len(own) :]), ZERO_USD)
        series.append(Series(len(own), OTHERS, rest))
    top_usd, ticks = scale(
        highest=max((day.figures.cost_usd for day in split.days), default=ZERO_USD)
    )
    named = tuple(key for key, _ in own)
    layout = _Layout(named, len(series), top_usd, len(split.days), today)
    sums = accumulate(day.figures.cost_usd for day in split.days)
    bars = tuple(
        _bar(position, day, so_far_usd, layout)
        for position, (day, so_far_usd) in enumerate(zip(split.days, sums, strict=True))
    )
    highest = max(bars, key=lambda bar: bar.cost_usd, default=None)
    return Chart(
        series=tuple(series),
        bars=bars,
        ticks=ticks,
        highest=highest if highest and highest.cost_usd > 0 else None,
        mean_usd=split.total_usd / max(sum(1 for bar in bars if not bar.is_future), 1),
    )


def _bar(position: int, day: SplitDay, so_far_usd: Decimal, layout: _Layout) -> Bar:
    slot = Decimal(100) / layout.days
    width = min(slot * 7 / 10, _WIDEST_BAR)
    middle = slot * position + slot / 2
    costs_usd = _costs(day, layout)
    every = -(-layout.days // _LABELS_WANTED)
    return Bar(
        on=day.on,
        calls=day.figures.calls,
        cost_usd=day.figures.cost_usd,
        so_far_usd=so_far_usd,
        costs_usd=costs_usd,
        slot_x=_percent(slot * position),
        slot_width=_percent(slot),
        x=_percent(middle - width / 2),
        middle=_percent(middle),
        width=_percent(width),
        segments=_segments(costs_usd, layout.top_usd),
        is_future=day.on > layout.today,
        is_today=day.on == layout.today,
        label=position % every == every // 2,
    )


def _costs(day: SplitDay, layout: _Layout) -> tuple[Decimal, ...]:
    costs = [ZERO_USD] * layout.series
    for model, cost_usd in day.costs_usd:
        costs[layout.named.index(model) if model in layout.named else -1] += cost_usd
    return tuple(costs)


def _segments(costs_usd: tuple[Decimal, ...], top_usd: Decimal) -> tuple[Segment, ...]:
    segments = []
    base = Decimal(100)
    for number, cost_usd in enumerate(costs_usd):
        # A day on which refunds outweigh the charges has nothing to draw.
        height = max(cost_usd, ZERO_USD) * 100 / top_usd
        base -= height
        if height:
            segments.append(Segment(number, _percent(base), _percent(height)))
    return tuple(segments)


def _percent(value: Decimal) -> str:
    return f"{value:.3f}%"
