"""How well unusual spend is told: ``python3 -m tests.benchmarks.anomalies`` prints the table.

Made-up hours of spend with known anomalies: seeds, kinds and labels are the same every time. Each
series is asked hour by hour and day by day with what was known then, as the product asks, and so are
two plain rules: a day above the mean and three standard deviations of the four weeks before, and a
day of three times the mean of the week before. ``--seed`` begins with other series.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from statistics import fmean, pstdev

from tracking.anomalies.baseline import MOST_WEEKS, level_shift, usual_day, usual_hour
from tracking.usage.forecast import DayCost

BEGIN = date(2026, 1, 1)
DAYS = 112
FIRST_ASKED = 42
# Days in a row, or with no more than this between them, are one incident.
GAP = 3
OFFICE = [0.1] * 6 + [0.3, 0.6, 1.2, 2.0, 2.4, 2.2, 1.6, 2.0, 2.3, 2.1, 1.7, 1.1, 0.7, 0.5, 0.4]
OFFICE += [0.3, 0.2, 0.1]
STEADY = [1.0] * 24


@dataclass
class Made:
    """A series of hours, and the days of its anomalies: the first and the last of each."""

    hours: list[float]
    truths: list[tuple[int, int]] = field(default_factory=list)

    def times(self, first: int, last: int, factor: float) -> None:
        """Multiply some hours, the last one not included."""
        for hour in range(first, min(last, len(self.hours))):
            self.hours[hour] *= factor


Change = Callable[[Made, random.Random], None]


def quiet(made: Made, chance: random.Random) -> None:
    """Nothing happens."""


def spikes(made: Made, chance: random.Random) -> None:
    """Two days on which some hours, or all of them, are a multiple of the usual."""
    for day in chance.sample(range(FIRST_ASKED + 3, DAYS - 3, 9), 2):
        first = day * 24 + chance.choice([0, 9, 10, 13])
        made.times(first, first + chance.choice([5, 8, 24]), chance.uniform(5, 12))
        made.truths.append((day, min((first + 24) // 24, day + 1)))


def level_shift_up(made: Made, chance: random.Random) -> None:
    """From one day on, spend is a multiple of what it was, and stays there."""
    day = chance.randrange(FIRST_ASKED + 5, DAYS - 20)
    made.times(day * 24, DAYS * 24, chance.uniform(3, 6))
    made.truths.append((day, day + 7))


def slow_drift(made: Made, chance: random.Random) -> None:
    """Use grows or shrinks by a few percent a day for months: no anomaly."""
    rate = chance.choice([-0.01, 0.01, 0.015, 0.02])
    for hour in range(len(made.hours)):
        made.hours[hour] *= math.exp(rate * hour / 24)


def weekend_rhythm(made: Made, chance: random.Random) -> None:
    """Next to nothing at weekends, and the more on Mondays: no anomaly."""
    for day in range(DAYS):
        weekday = (BEGIN + timedelta(days=day)).weekday()
        made.times(day * 24, day * 24 + 24, {0: 2.0, 5: 0.1, 6: 0.1}.get(weekday, 1.0))


def new_project(made: Made, chance: random.Random) -> None:
    """Begins in the middle and grows within two weeks: no anomaly."""
    begins = chance.randrange(FIRST_ASKED, FIRST_ASKED + 20)
    made.times(0, begins * 24, 0)
    for day in range(begins, begins + 14):
        made.times(day * 24, day * 24 + 24, (day - begins + 1) / 15)


def holiday(made: Made, chance: random.Random) -> None:
    """A week or more of next to nothing, and back to work: no anomaly."""
    day = chance.randrange(FIRST_ASKED, DAYS - 20)
    made.times(day * 24, (day + chance.choice([1, 4, 9])) * 24, 0.05)


CHANGES: dict[str, Change] = {
    "quiet": quiet,
    "spikes": spikes,
    "level shift": level_shift_up,
    "slow drift": slow_drift,
    "weekend rhythm": weekend_rhythm,
    "new project": new_project,
    "holiday": holiday,
}


def series(*, change: Change, seed: int) -> Made:
    """Make a series: a daily course, weekdays, noise of hours and of days, and what happens."""
    chance = random.Random(f"{change.__name__}-{seed}")  # noqa: S311  The same series every time.
    level = math.exp(chance.uniform(math.log(0.2), math.log(8)))
    course, weekend = chance.choice([(OFFICE, 0.25), (STEADY, 0.9), (OFFICE, 0.8)])
    of_day, of_hour = chance.choice([0.1, 0.2, 0.3]), chance.choice([0.2, 0.4])
    hours = []
    for day in range(DAYS):
        is_weekend = (BEGIN + timedelta(days=day)).weekday() >= 5
        today = level * chance.lognormvariate(0, of_day) * (weekend if is_weekend else 1.0)
        hours += [today * share * chance.lognormvariate(0, of_hour) for share in course]
    made = Made(hours)
    change(made, chance)
    return made


def told_days(made: Made) -> set[int]:
    """Ask as the product asks, and give the days on which it would tell."""
    hours = [Decimal(f"{cost:.6f}") for cost in made.hours]
    days = [sum(hours[day * 24 : day * 24 + 24], Decimal(0)) for day in range(DAYS)]
    history = [DayCost(BEGIN + timedelta(days=n), cost) for n, cost in enumerate(days)]
    told = set()
    for day in range(FIRST_ASKED, DAYS):
        before = history[:day]
        usual = usual_day(history=before, weekday=history[day].on.weekday())
        if (usual and usual.is_passed_by(days[day])) or _hours_tell(hours, before, day):
            told.add(day)
    return told


def _hours_tell(hours: Sequence[Decimal], before: Sequence[DayCost], day: int) -> bool:
    shift = level_shift(history=before)
    for hour in range(day * 24, day * 24 + 24):
        likes, weeks = _likes(hours, hour)
        usual = usual_hour(likes=likes, weeks=weeks, shift=shift)
        if usual and usual.is_passed_by(hours[hour]):
            return True
    return False


def _likes(hours: Sequence[Decimal], hour: int) -> tuple[list[Decimal], int]:
    """Give the same hours of the weeks before since the first spend, and how many weeks they are."""
    weeks = [
        hours[hour - week * 168 - 1 : hour - week * 168 + 2] for week in range(1, MOST_WEEKS + 1)
    ]
    while weeks and not any(weeks[-1]):
        weeks.pop()
    return [cost for week in weeks for cost in week], len(weeks)


def by_three_sigma(made: Made) -> set[int]:
    """Tell days above the mean and three standard deviations of the four weeks before."""
    days = _days(made)
    return {
        day
        for day in range(FIRST_ASKED, DAYS)
        if days[day] > fmean(days[day - 28 : day]) + 3 * pstdev(days[day - 28 : day])
        and days[day] > 1 + fmean(days[day - 28 : day])
    }


def by_three_times(made: Made) -> set[int]:
    """Tell days of three times the mean of the seven days before."""
    days = _days(made)
    return {
        day
        for day in range(FIRST_ASKED, DAYS)
        if days[day] > 3 * fmean(days[day - 7 : day]) and days[day] > 1
    }


def _days(made: Made) -> list[float]:
    return [sum(made.hours[day * 24 : day * 24 + 24]) for day in range(DAYS)]


RULES: dict[str, Callable[[Made], set[int]]] = {
    "costsite": told_days,
    "mean + 3 sigma of 28 days": by_three_sigma,
    "3 x mean of 7 days": by_three_times,
}


@dataclass
class Score:
    """How a rule did: anomalies there were and found, incidents told rightly and for nothing."""

    truths: int = 0
    found: int = 0
    right: int = 0
    false: int = 0
    quiet_days: int = 0

    def add(self, made: Made, told: set[int]) -> None:
        """Take in what a rule told of one series."""
        incidents = incidents_of(told)
        self.truths += len(made.truths)
        self.found += sum(any(_meets(one, truth) for one in incidents) for truth in made.truths)
        right = sum(any(_meets(one, truth) for truth in made.truths) for one in incidents)
        self.right += right
        self.false += len(incidents) - right
        labelled = {day for first, last in made.truths for day in range(first, last + 1)}
        self.quiet_days += DAYS - FIRST_ASKED - len(labelled)

    @property
    def precision(self) -> float:
        """Which part of what was told was one."""
        return self.right / (self.right + self.false) if self.right + self.false else 1.0

    @property
    def recall(self) -> float:
        """Which part of the anomalies was told."""
        return self.found / self.truths if self.truths else 1.0

    @property
    def false_in_60_days(self) -> float:
        """How many false alarms there are in sixty quiet days of one series."""
        return self.false / self.quiet_days * 60


def incidents_of(told: set[int]) -> list[tuple[int, int]]:
    """Put days that follow each other together: the first and the last of each incident."""
    incidents: list[tuple[int, int]] = []
    for day in sorted(told):
        if incidents and day - incidents[-1][1] <= GAP:
            incidents[-1] = (incidents[-1][0], day)
        else:
            incidents.append((day, day))
    return incidents


def _meets(incident: tuple[int, int], truth: tuple[int, int]) -> bool:
    return incident[0] <= truth[1] and truth[0] <= incident[1]


def run(*, seeds: int, first_seed: int = 0) -> dict[str, dict[str, Score]]:
    """Ask every rule about every kind of series; scores by rule and by kind, and ``all``."""
    found = {rule: {kind: Score() for kind in [*CHANGES, "all"]} for rule in RULES}
    for kind, change in CHANGES.items():
        for seed in range(first_seed, first_seed + seeds):
            made = series(change=change, seed=seed)
            for rule, tell in RULES.items():
                told = tell(made)
                found[rule][kind].add(made, told)
                found[rule]["all"].add(made, told)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = run(seeds=options.seeds, first_seed=options.seed)
    _say(
        "| rule | precision | recall | false alarms in 60 quiet days and series |\n|---|---|---|---|"
    )
    for rule, scores in found.items():
        score = scores["all"]
        _say(
            f"| {rule} | {score.precision:.2f} | {score.recall:.2f} "
            f"| {score.false_in_60_days:.3f} |"
        )
    _say("\n| series | anomalies | found | false alarms in 60 quiet days |\n|---|---|---|---|")
    for kind, score in found["costsite"].items():
        _say(f"| {kind} | {score.truths} | {score.found} | {score.false_in_60_days:.3f} |")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
