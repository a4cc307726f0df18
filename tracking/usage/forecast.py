"""What will have been spent at the end of a window, from how it went day by day. Pure.

Days are taken apart into a level, a factor for the day of the week, and a damped trend. The level
is a mean that forgets (half of it in nine days); factors are drawn towards one where few weeks are
known; the trend is a line through six weeks, as far as it stands out, and it fades. What days scattered
around that, and how far the level drifted from week to week, says how wide the interval is: it is
meant to hold the truth four times in five. ``tests/benchmarks/forecast.py`` measures whether it
does. All arithmetic is decimal; nothing here touches the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from itertools import accumulate, pairwise

from budgets.core.money import ZERO_USD, quantize_usd

LEAST_DAYS = 14
MOST_DAYS = 84

_ONE = Decimal(1)
_HALF = Decimal("0.5")
# The weight of a day after each further one: half after nine days.
_FORGETTING = Decimal("0.926")
# So many weeks of "as any other day" are mixed into each weekday's factor.
_PRIOR_WEEKS = Decimal(1)
# A trend is never taken to go on for more than about this many days.
_TREND_FADES = Decimal("0.93")
_MOST_TREND = Decimal("0.03")
_TREND_DAYS = 42
_DOUBT = Decimal(3)
# The level is that of so many days ago, by the weights with which it forgets.
_LAG = _FORGETTING / (_ONE - _FORGETTING)
# A day that stands out counts as this many times the usual one: what happened once need not again.
_OUTLIER = Decimal(5)
# 80 % of a normal distribution lie within so many standard deviations.
_Z = Decimal("1.2816")
_LEAST_DRIFT = Decimal("0.004")
# In weeks, how far the level may have drifted since the days that it is the mean of.
_DRIFTED = Decimal("0.5")
_LEAST_SCATTER = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class DayCost:
    """What was spent on one whole day."""

    on: date
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """What is to be told the end of: spend until now, the days that are left, and the limit.

    ``remaining_of_today`` is the part of today that is still to come, ``last_on`` the last day.
    """

    today: date
    last_on: date
    spent_usd: Decimal
    remaining_of_today: Decimal
    limit_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """A window's total at its end. ``reached_on`` is the day the limit is expected to be reached.

    The truth is meant to lie between low and high four times in five; ``earliest_on`` is when the
    limit is reached if it goes as high as that.
    """

    expected_usd: Decimal
    low_usd: Decimal
    high_usd: Decimal
    last_on: date
    reached_on: date | None
    earliest_on: date | None
    days_known: int


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Why there is no forecast."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Model:
    """A series taken apart; ``scatter`` and ``drift`` are relative variances a day and a week."""

    level: Decimal
    factors: tuple[Decimal, ...]
    trend: Decimal
    scatter: Decimal
    drift: Decimal

    def at(self, on: date, ahead: int) -> Decimal:
        """Expect the cost of a day, so many days ahead."""
        fading = (_ONE - _TREND_FADES**ahead) / (_ONE - _TREND_FADES)
        return self.level * self.factors[on.weekday()] * max(_ONE + self.trend * fading, _HALF)


def forecast(*, history: Sequence[DayCost], window: Window) -> Forecast | TooLittle:
    """Tell a window's total from the whole days before today, oldest first and without gaps.

    Gives TooLittle, with the reason, where fewer than two weeks are known since the first spend.
    """
    known = _since_first_spend(history)[-MOST_DAYS:]
    if len(known) < LEAST_DAYS:
        return TooLittle(
            f"A forecast needs {LEAST_DAYS} days since the first call; there are {len(known)}."
        )
    with localcontext() as context:
        context.prec = 28
        model = _fit(known)
        days = _days_left(window)
        expected = [
            model.at(on, n + 1) * (window.remaining_of_today if n == 0 else _ONE)
            for n, on in enumerate(days)
        ]
        sums = list(accumulate(expected))
        squares = list(accumulate(cost * cost for cost in expected))
        bands = [
            _band(total, square, n + 1, model)
            for n, (total, square) in enumerate(zip(sums, squares, strict=True))
        ]
    low, high = bands[-1] if bands else (ZERO_USD, ZERO_USD)
    return Forecast(
        expected_usd=quantize_usd(window.spent_usd + (sums[-1] if sums else ZERO_USD)),
        low_usd=quantize_usd(window.spent_usd + low),
        high_usd=quantize_usd(window.spent_usd + high),
        last_on=window.last_on,
        reached_on=_reached(window, days, sums),
        earliest_on=_reached(window, days, [band[1] for band in bands]),
        days_known=len(known),
    )


def _since_first_spend(history: Sequence[DayCost]) -> list[DayCost]:
    first = next((n for n, day in enumerate(history) if day.cost_usd > 0), len(history))
    return list(history[first:])


def _days_left(window: Window) -> list[date]:
    count = (window.last_on - window.today).days + 1
    return [window.today + timedelta(days=n) for n in range(count)]


def _fit(known: Sequence[DayCost]) -> _Model:
    costs = [max(day.cost_usd, ZERO_USD) for day in known]
    weekdays = [day.on.weekday() for day in known]
    usual = _mean(sorted(costs)[len(costs) // 4 : -(len(costs) // 4)])
    capped = [min(cost, usual * _OUTLIER) if usual > 0 else cost for cost in costs]
    factors = _factors(capped, weekdays)
    plain = [cost / factors[day] for cost, day in zip(capped, weekdays, strict=True)]
    trend = _trend(plain)
    return _Model(
        level=_level(capped, [factors[day] for day in weekdays]) * (_ONE + trend * _LAG),
        factors=factors,
        trend=trend,
        scatter=_scatter(costs, weekdays, factors),
        drift=_drift(plain, trend),
    )


def _factors(costs: Sequence[Decimal], weekdays: Sequence[int]) -> tuple[Decimal, ...]:
    mean = _mean(costs)
    if mean <= 0:
        return (_ONE,) * 7
    factors = []
    for weekday in range(7):
        own = [cost for cost, day in zip(costs, weekdays, strict=True) if day == weekday]
        weeks = Decimal(len(own))
        factors.append((sum(own, ZERO_USD) / mean + _PRIOR_WEEKS) / (weeks + _PRIOR_WEEKS))
    # A factor of nothing would make a level of the day that is infinite.
    return tuple(max(factor, Decimal("0.02")) for factor in factors)


def _level(costs: Sequence[Decimal], usual: Sequence[Decimal]) -> Decimal:
    """Divide costs by what their weekdays make usual, both with weights that forget."""
    weights = [_FORGETTING**n for n in range(len(costs))][::-1]
    weighted = sum((c * w for c, w in zip(costs, weights, strict=True)), Decimal(0))
    return weighted / sum((u * w for u, w in zip(usual, weights, strict=True)), Decimal(0))


def _trend(plain: Sequence[Decimal]) -> Decimal:
    """Fit a line through the last six weeks: the rise a day, as a part of the level.

    The less it stands out from the scatter around it (its standard error), the less is believed.
    """
    recent = plain[-_TREND_DAYS:]
    mean, middle = _mean(recent), Decimal(len(recent) - 1) / 2
    if mean <= 0:
        return Decimal(0)
    gaps = [Decimal(n) - middle for n in range(len(recent))]
    spread = sum((gap * gap for gap in gaps), Decimal(0))
    pairs = zip(gaps, recent, strict=True)
    rise = sum((gap * value / mean for gap, value in pairs), Decimal(0)) / spread
    misses = [value / mean - 1 - rise * gap for gap, value in zip(gaps, recent, strict=True)]
    error = sum((miss * miss for miss in misses), Decimal(0)) / (len(recent) - 2) / spread
    believed = rise * rise / (rise * rise + _DOUBT * error) if error + abs(rise) > 0 else Decimal(0)
    return min(max(rise * believed, -_MOST_TREND), _MOST_TREND)


def _scatter(
    costs: Sequence[Decimal], weekdays: Sequence[int], factors: Sequence[Decimal]
) -> Decimal:
    """Find the variance of a day around the days about it, as a part of the level's square."""
    plain = [cost / factors[day] for cost, day in zip(costs, weekdays, strict=True)]
    recent = plain[-42:]
    mean = _mean(recent)
    if mean <= 0:
        return _ONE
    around = [value - _mean(recent[max(n - 7, 0) : n + 8]) for n, value in enumerate(recent)]
    spread = sum((gap * gap for gap in around), Decimal(0)) / (len(recent) - 1) / (mean * mean)
    return max(spread, _LEAST_SCATTER * _LEAST_SCATTER)


def _drift(plain: Sequence[Decimal], trend: Decimal) -> Decimal:
    """Find the variance from one week's mean to the next one's, beyond what days scatter."""
    weeks = [plain[end - 7 : end] for end in range(len(plain), 6, -7)][:9]
    means = [_mean(week) for week in weeks]
    steps = [
        (new - old) / (_HALF * (new + old)) - 7 * trend
        for new, old in pairwise(means)
        if new + old > 0
    ]
    if not steps:
        return _LEAST_DRIFT
    within = _mean([_variance(week) for week in weeks if _mean(week) > 0])
    between = _mean([step * step for step in steps])
    return max(between - within * 1 / 7, _LEAST_DRIFT)


def _variance(values: Sequence[Decimal]) -> Decimal:
    """Find the variance of some values, as a part of their mean's square."""
    mean = _mean(values)
    return sum(((value / mean - 1) ** 2 for value in values), Decimal(0)) / (len(values) - 1)


def _band(total: Decimal, square: Decimal, days: int, model: _Model) -> tuple[Decimal, Decimal]:
    """Give the interval of a sum of days, skewed as sums of costs are: never below nothing.

    Days scatter each by itself; the level is wrong, and drifts, for all of them together.
    """
    if total <= 0:
        return ZERO_USD, ZERO_USD
    level = model.scatter * (_ONE - _FORGETTING) / (_ONE + _FORGETTING)
    # The mean of a walk over so many days, and how old the level is.
    drift = model.drift * (_DRIFTED + Decimal(days) / 21)
    variance = model.scatter * square / (total * total) + level + drift
    width = (_ONE + variance).ln()
    spread = _Z * width.sqrt()
    middle = -width / 2
    return total * (middle - spread).exp(), total * (middle + spread).exp()


def _reached(window: Window, days: Sequence[date], sums: Sequence[Decimal]) -> date | None:
    if window.limit_usd is None:
        return None
    if window.spent_usd >= window.limit_usd:
        return window.today
    left = window.limit_usd - window.spent_usd
    return next((on for on, total in zip(days, sums, strict=True) if total >= left), None)


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values) if values else Decimal(0)
