"""How often forecasts hold, and how far they are off, on made-up series whose end is known.

``python3 -m tests.benchmarks.forecast`` prints the table of docs/usage.md. The series are of several
kinds, each with weekdays, noise and its own seed; each is asked at several days of a month, with
what would have been known then. Two naive forecasts are asked the same: to go on as the month went
so far, and to go on as the last seven days went.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tracking.usage.forecast import DayCost, Forecast, Window, forecast

BEGIN = date(2026, 1, 1)
HISTORY = 84
MONTH = 30
WEEKDAYS = (1.0, 1.1, 1.05, 1.0, 0.9, 0.25, 0.2)

Shape = Callable[[random.Random], Callable[[int], float]]


def steady(chance: random.Random) -> Callable[[int], float]:
    """The same level all the time."""
    return lambda _day: 1.0


def growing(chance: random.Random) -> Callable[[int], float]:
    """Half as much again to twice as much in two months, or as much less."""
    rate = chance.choice([-0.006, 0.004, 0.008, 0.011])
    return lambda day: math.exp(rate * day)


def drifting(chance: random.Random) -> Callable[[int], float]:
    """A level that wanders from day to day."""
    path = [0.0]
    for _ in range(HISTORY + MONTH):
        path.append(path[-1] + chance.gauss(0, 0.03))
    return lambda day: math.exp(path[day])


def stepping(chance: random.Random) -> Callable[[int], float]:
    """A jump up or down somewhere in the months before."""
    at, factor = chance.randrange(20, HISTORY - 10), chance.choice([0.5, 1.6, 2.2])
    return lambda day: factor if day >= at else 1.0


def spiky(chance: random.Random) -> Callable[[int], float]:
    """A steady level, and every twentieth day or so a multiple of it."""
    days = {day for day in range(HISTORY + MONTH) if chance.random() < 0.05}
    return lambda day: chance.uniform(3, 6) if day in days else 1.0


SHAPES: dict[str, Shape] = {
    "steady": steady,
    "growing or shrinking": growing,
    "drifting": drifting,
    "a step": stepping,
    "spikes": spiky,
}


@dataclass(frozen=True)
class Score:
    """One question: was the truth in the interval, and by which part of it each answer was off."""

    held: bool
    own: float
    month_so_far: float
    last_week: float


def series(*, shape: Shape, seed: int) -> list[Decimal]:
    """Make the cost of every day of the history and of the month to tell."""
    chance = random.Random(seed)  # noqa: S311  The same series every time.
    level, noise = shape(chance), chance.choice([0.1, 0.2, 0.35])
    costs = []
    for day in range(HISTORY + MONTH):
        weekday = WEEKDAYS[(BEGIN + timedelta(days=day)).weekday()]
        cost = 40 * level(day) * weekday * chance.lognormvariate(-noise * noise / 2, noise)
        costs.append(Decimal(str(round(cost, 6))))
    return costs


def scores(*, costs: Sequence[Decimal]) -> Iterator[Score]:
    """Ask on several days of the month, each in the morning, with what was known then."""
    true = sum(costs[HISTORY:])
    for asked in (4, 8, 12, 16, 20, 25):
        now = HISTORY + asked
        spent = sum(costs[HISTORY:now], Decimal(0))
        told = forecast(
            history=[
                DayCost(BEGIN + timedelta(days=day), cost) for day, cost in enumerate(costs[:now])
            ],
            window=Window(
                today=BEGIN + timedelta(days=now),
                last_on=BEGIN + timedelta(days=HISTORY + MONTH - 1),
                spent_usd=spent,
                remaining_of_today=Decimal(1),
            ),
        )
        assert isinstance(told, Forecast)
        so_far = spent / asked * MONTH
        last_week = spent + sum(costs[now - 7 : now], Decimal(0)) / 7 * (MONTH - asked)
        yield Score(
            held=told.low_usd <= true <= told.high_usd,
            own=off(told.expected_usd, true),
            month_so_far=off(so_far, true),
            last_week=off(last_week, true),
        )


def off(told: Decimal, true: Decimal | int) -> float:
    """Say by which part of the truth a forecast was off."""
    return float(abs(told - true) / true)


def run(*, seeds: int) -> dict[str, list[Score]]:
    """Score every kind of series with so many seeds."""
    found: dict[str, list[Score]] = defaultdict(list)
    for name, shape in SHAPES.items():
        for seed in range(seeds):
            found[name].extend(scores(costs=series(shape=shape, seed=seed)))
    return found


def mean(values: Sequence[float]) -> float:
    """Take the mean."""
    return sum(values) / len(values)


def main() -> None:
    """Print the table."""
    found = run(seeds=60)
    everything = [score for kind in found.values() for score in kind]
    print("| series | in the interval | off by | month so far | last 7 days |")  # noqa: T201
    print("|---|---|---|---|---|")  # noqa: T201
    for name, asked in [*found.items(), ("all", everything)]:
        held = mean([float(score.held) for score in asked])
        errors = [
            mean([getattr(score, which) for score in asked])
            for which in ("own", "month_so_far", "last_week")
        ]
        told = " | ".join(f"{value:.1%}" for value in (held, *errors))
        print(f"| {name} | {told} |")  # noqa: T201


if __name__ == "__main__":
    main()
