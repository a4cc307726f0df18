"""What a day or an hour usually costs, and how far a cost is from it. Pure.

Costs are compared as logarithms: spend goes by factors, and a day of four times the usual is as far
off at $4 as at $4,000. Everything is a median, so that neither a spike nor a holiday that is past
moves what is usual (Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", 1993).

A day is compared with the fortnight before it, each day freed from what its weekday usually adds. An
hour is compared with the same hour of the week and those beside it, in the weeks before. Scores are
floating point; amounts that are shown are decimal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from budgets.core.money import ZERO_USD, quantize_usd
from tracking.usage.forecast import DayCost

LEAST_DAYS = 14
MOST_DAYS = 56
LEAST_WEEKS = 3
MOST_WEEKS = 6
# What is less than this above the usual is nobody's concern.
LEAST_USD = Decimal(1)

# What is higher of the two is the level: who comes back from a holiday does nothing unusual.
_DAYS_OF_LEVEL, _DAYS_WITH_HOLIDAYS = 14, 28
# A normal distribution's standard deviation, told from the median of absolute deviations.
_OF_MEDIAN = 1.4826
# Hours are asked about so often that more must be asked of them.
_DAY_SCORE, _HOUR_SCORE = 5.0, 7.0
_DAY_TIMES, _HOUR_TIMES = Decimal("1.8"), Decimal(3)
_LEAST_DAY_SCALE, _LEAST_HOUR_SCALE = 0.12, 0.25
# Of the hours that one is compared with, so many must have had spend: else only days are judged.
_SHARE_WITH_SPEND = 0.6
# Added to each cost before its logarithm, so that nothing has one too: a part of what matters.
_FLOOR_USD = LEAST_USD / 4


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual, and from where on a cost is not."""

    usual_usd: Decimal
    bound_usd: Decimal

    def is_passed_by(self, cost_usd: Decimal) -> bool:
        """Tell whether a cost is unusual. It may still grow: what is too much stays too much."""
        return cost_usd > self.bound_usd


def usual_day(*, history: Sequence[DayCost], weekday: int) -> Usual | None:
    """Tell what a day of a weekday usually costs, from the whole days before it.

    ``history`` is oldest first and without gaps. None where fewer than two weeks are known since
    the first spend, or more than half of them had none.
    """
    known = _known(history)
    if len(known) < LEAST_DAYS or sum(day.cost_usd > 0 for day in known) * 2 < len(known):
        return None
    logs = [_log(day.cost_usd) for day in known]
    effects = _effects(logs, [day.on.weekday() for day in known])
    plain = [log - effects[day.on.weekday()] for log, day in zip(logs, known, strict=True)]
    middle = _level(plain) + effects[weekday]
    return _usual(middle, max(_scale(plain), _LEAST_DAY_SCALE) * _DAY_SCORE, _DAY_TIMES)


def usual_hour(*, likes: Sequence[Decimal], weeks: int, shift: float) -> Usual | None:
    """Tell what an hour usually costs from ``likes``: the same hours of so many weeks before.

    ``shift`` is by how much the level has risen since, as a logarithm (``level_shift``). None where
    too few weeks are known, or fewer than three in five of the hours had spend.
    """
    with_spend = sum(cost > 0 for cost in likes)
    if weeks < LEAST_WEEKS or with_spend < _SHARE_WITH_SPEND * len(likes):
        return None
    logs = [_log(cost) for cost in likes]
    middle = median(logs)
    spread = _OF_MEDIAN * median(abs(log - middle) for log in logs)
    return _usual(middle + shift, max(spread, _LEAST_HOUR_SCALE) * _HOUR_SCORE, _HOUR_TIMES)


def level_shift(*, history: Sequence[DayCost]) -> float:
    """Tell by how much the level of days has risen against that of six weeks, as a logarithm.

    One that has fallen counts as unchanged: it may be a holiday.
    """
    known = _known(history)[-7 * MOST_WEEKS :]
    if len(known) < LEAST_DAYS:
        return 0.0
    logs = [_log(day.cost_usd) for day in known]
    return max(median(logs[-7:]) - median(logs), 0.0)


def _known(history: Sequence[DayCost]) -> list[DayCost]:
    first = next((n for n, day in enumerate(history) if day.cost_usd > 0), len(history))
    return list(history[first:])[-MOST_DAYS:]


def _log(cost_usd: Decimal) -> float:
    return math.log(max(cost_usd, ZERO_USD) + _FLOOR_USD)


def _effects(logs: Sequence[float], weekdays: Sequence[int]) -> list[float]:
    """Find what each weekday adds to the week around it; the fewer weeks are known, the less."""
    around = [median(logs[max(n - 3, 0) : n + 4]) for n in range(len(logs))]
    effects = []
    for weekday in range(7):
        gaps = [logs[n] - around[n] for n, day in enumerate(weekdays) if day == weekday]
        effects.append(median(gaps) * len(gaps) / (len(gaps) + 1) if gaps else 0.0)
    return effects


def _level(plain: Sequence[float]) -> float:
    return max(median(plain[-days:]) for days in (_DAYS_OF_LEVEL, _DAYS_WITH_HOLIDAYS))


def _scale(plain: Sequence[float]) -> float:
    """Find how far days lie from the level of the days before them."""
    gaps = [
        abs(plain[n] - median(plain[max(n - _DAYS_OF_LEVEL, 0) : n])) for n in range(7, len(plain))
    ]
    return _OF_MEDIAN * median(gaps)


def _usual(middle: float, width: float, times: Decimal) -> Usual:
    usual_usd = max(_amount(middle), ZERO_USD)
    bound_usd = max(_amount(middle + width), usual_usd * times, usual_usd + LEAST_USD)
    return Usual(usual_usd, quantize_usd(bound_usd))


def _amount(log: float) -> Decimal:
    return quantize_usd(Decimal(math.exp(min(log, 60.0)))) - _FLOOR_USD
