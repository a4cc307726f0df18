"""The chart of spend by day: what to draw where, in percent of the chart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from budgets.core.money import ZERO_USD, format_usd
from tracking.usage.terms import DayFigures, Usage

MOST_SERIES = 5
OTHERS = "other models"

_STEPS_WANTED = 4
_STEP_SIZES = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_LABELS_WANTED = 7
_WIDEST_BAR = Decimal(8)


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the chart: a model, or all that are not among the dearest."""

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
class Tick:
    """A line across the chart at a round amount."""

    label: str
    y: str


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


def chart_of(*, usage: Usage, today: date) -> Chart:
    """Lay out the days of a usage as stacked bars, one colour for each of the dearest models.

    ``mean_usd`` is the mean cost of a day up to today.
    """
    has_others = len(usage.models) > MOST_SERIES
    own = usage.models[: MOST_SERIES - 1] if has_others else usage.models
    series = [Series(n, row.model, row.figures.cost_usd) for n, row in enumerate(own)]
    if has_others:
        rest = sum((row.figures.cost_usd for row in usage.models[len(own) :]), ZERO_USD)
        series.append(Series(len(own), OTHERS, rest))
    top_usd, ticks = _scale(max((day.figures.cost_usd for day in usage.days), default=ZERO_USD))
    named = tuple(row.model for row in own)
    layout = _Layout(named, len(series), top_usd, len(usage.days), today)
    bars = tuple(_bar(position, day, layout) for position, day in enumerate(usage.days))
    highest = max(bars, key=lambda bar: bar.cost_usd, default=None)
    return Chart(
        series=tuple(series),
        bars=bars,
        ticks=ticks,
        highest=highest if highest and highest.cost_usd > 0 else None,
        mean_usd=usage.total.cost_usd / max(sum(1 for bar in bars if not bar.is_future), 1),
    )


def _scale(highest: Decimal) -> tuple[Decimal, tuple[Tick, ...]]:
    """Choose round steps of 1, 2, 2.5 or 5 times a power of ten, about four up to the highest."""
    if highest <= 0:
        return Decimal(1), (Tick("$0", "100%"),)
    least = highest / _STEPS_WANTED
    power = Decimal(1).scaleb(least.adjusted())
    step = next(size * power for size in _STEP_SIZES if size * power >= least)
    count = int((highest / step).to_integral_value(rounding=ROUND_CEILING))
    top = step * count
    return top, tuple(
        Tick(_tick_text(step * n, step), _percent(100 - step * n * 100 / top))
        for n in range(count + 1)
    )


def _tick_text(amount: Decimal, step: Decimal) -> str:
    if not amount:
        return "$0"
    exponent = step.normalize().as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    return f"${amount:,.{places}f}" if places != 1 else format_usd(amount)


def _bar(position: int, day: DayFigures, layout: _Layout) -> Bar:
    slot = Decimal(100) / layout.days
    width = min(slot * 7 / 10, _WIDEST_BAR)
    middle = slot * position + slot / 2
    costs_usd = _costs(day, layout)
    every = -(-layout.days // _LABELS_WANTED)
    return Bar(
        on=day.on,
        calls=day.figures.calls,
        cost_usd=day.figures.cost_usd,
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


def _costs(day: DayFigures, layout: _Layout) -> tuple[Decimal, ...]:
    costs = [ZERO_USD] * layout.series
    for model, cost_usd in day.model_costs_usd:
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
