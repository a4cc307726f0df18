"""Which organizations, projects, keys and models spend what is not usual for them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from budgets.core.money import ZERO_USD
from tracking.anomalies.baseline import (
    LEAST_USD,
    MOST_DAYS,
    MOST_WEEKS,
    Usual,
    level_shift,
    usual_day,
    usual_hour,
)
from tracking.anomalies.causes import Cell, Cells, explained_by, figures_in
from tracking.usage.forecast import DayCost

# Unusual days with no more than this between them are one anomaly.
GAP = timedelta(days=3)
# One of which another explains so much is a part of that one.
_EXPLAINS = Decimal("0.5")
_LIKE_WEEKS = 4
_WIDE_FIRST = ("organization", "project", "api_key", "model")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose spend: ``kind`` organization, project, api_key or model; ``id`` as text, or a name."""

    kind: str
    id: str = ""

    def covers(self, cell: Cell) -> bool:
        """Tell whether a cell's calls are the subject's."""
        return self.kind == "organization" or self in subjects_of(cell)


@dataclass(frozen=True, slots=True)
class Unusual:
    """A span of a subject that costs more than is usual, and the span that it is compared with.

    ``on`` is its day. Of an hour, ``hour`` is 0 for this one and -1 for the one before; None is the
    whole day. ``weeks_ago`` is how many weeks before the other span was; 0 if there is none like it.
    """

    subject: Subject
    on: date
    hour: int | None
    cost_usd: Decimal
    usual_usd: Decimal
    now: Cells
    before: Cells
    weeks_ago: int

    @property
    def excess_usd(self) -> Decimal:
        """How much it is above the usual."""
        return self.cost_usd - self.usual_usd


def subjects_of(cell: Cell) -> tuple[Subject, ...]:
    """List whose a cell's calls are, the organization left out."""
    return (
        Subject("project", str(cell.project_id)),
        Subject("api_key", str(cell.api_key_id)),
        Subject("model", cell.model),
    )


def unusual_spans(
    *,
    days: Mapping[date, Cells],
    hours: Mapping[tuple[int, int], Cells],
    today: date,
    hour_days: Mapping[int, date],
) -> list[Unusual]:
    """Find what is unusual today, yesterday, in this hour and in the one before.

    ``hours`` is keyed by how many weeks ago and how many hours from now; ``hour_days`` says on which
    day the hours 0 and -1 began. Of a subject only the span that is furthest above is given.
    """
    worst: dict[Subject, Unusual] = {}
    costs = {day: _costs(cells) for day, cells in days.items()}
    for one in [*_days(days, costs, today), *_hours(hours, costs, hour_days)]:
        known = worst.get(one.subject)
        if known is None or one.excess_usd > known.excess_usd:
            worst[one.subject] = one
    return sorted(
        worst.values(), key=lambda one: (_WIDE_FIRST.index(one.subject.kind), one.subject.id)
    )


def whole_of(*, one: Unusual, wholes: Iterable[Subject]) -> Subject | None:
    """Find the anomaly that one is a part of: what both cover makes half of it or more."""
    for whole in wholes:
        if whole == one.subject:
            continue
        shared = [cell for cell in {*one.now, *one.before} if whole.covers(cell)]
        part = explained_by(whole=one.now, whole_before=one.before, among=shared)
        if part >= _EXPLAINS:
            return whole
    return None


Costs = Mapping[Subject, Decimal]


def _days(
    days: Mapping[date, Cells], costs: Mapping[date, Costs], today: date
) -> Iterator[Unusual]:
    for on in (today, today - timedelta(days=1)):
        for subject, cost_usd in costs.get(on, {}).items():
            if cost_usd < LEAST_USD:
                continue
            usual = usual_day(history=_history(costs, subject, on), weekday=on.weekday())
            if usual is not None and usual.is_passed_by(cost_usd):
                ways = {
                    week: _of(subject, days.get(on - timedelta(weeks=week), {}))
                    for week in range(1, _LIKE_WEEKS + 1)
                }
                yield _unusual(subject, on, None, usual, _of(subject, days[on]), ways)


def _hours(
    hours: Mapping[tuple[int, int], Cells],
    costs: Mapping[date, Costs],
    hour_days: Mapping[int, date],
) -> Iterator[Unusual]:
    of_hours = {place: _costs(cells) for place, cells in hours.items()}
    for hour, on in hour_days.items():
        for subject, cost_usd in of_hours.get((0, hour), {}).items():
            if cost_usd < LEAST_USD:
                continue
            usual = _usual_hour(of_hours, subject, hour, _history(costs, subject, on))
            if usual is not None and usual.is_passed_by(cost_usd):
                ways = {
                    week: _of(subject, hours.get((week, hour), {}))
                    for week in range(1, MOST_WEEKS + 1)
                }
                yield _unusual(subject, on, hour, usual, _of(subject, hours[0, hour]), ways)


def _usual_hour(
    of_hours: Mapping[tuple[int, int], Costs],
    subject: Subject,
    hour: int,
    history: Sequence[DayCost],
) -> Usual | None:
    weeks = [
        [
            of_hours.get((week, near), {}).get(subject, ZERO_USD)
            for near in (hour - 1, hour, hour + 1)
        ]
        for week in range(1, MOST_WEEKS + 1)
    ]
    while weeks and not any(weeks[-1]):
        weeks.pop()
    likes = [cost_usd for week in weeks for cost_usd in week]
    return usual_hour(likes=likes, weeks=len(weeks), shift=level_shift(history=history))


def _unusual(
    subject: Subject,
    on: date,
    hour: int | None,
    usual: Usual,
    now: Cells,
    ways: Mapping[int, Cells],
) -> Unusual:
    """Compare a span with a real one: of the like ones with spend, the one in the middle."""
    like = sorted(
        (figures_in(cells).cost_usd, week)
        for week, cells in ways.items()
        if figures_in(cells).calls
    )
    weeks_ago = like[(len(like) - 1) // 2][1] if like else 0
    return Unusual(
        subject=subject,
        on=on,
        hour=hour,
        cost_usd=figures_in(now).cost_usd,
        usual_usd=usual.usual_usd,
        now=now,
        before=ways.get(weeks_ago, {}),
        weeks_ago=weeks_ago,
    )


def _costs(cells: Cells) -> Costs:
    costs: dict[Subject, Decimal] = defaultdict(lambda: ZERO_USD)
    for cell, figures in cells.items():
        for subject in (Subject("organization"), *subjects_of(cell)):
            costs[subject] += figures.cost_usd
    return {**costs}


def _of(subject: Subject, cells: Cells) -> Cells:
    return {cell: figures for cell, figures in cells.items() if subject.covers(cell)}


def _history(costs: Mapping[date, Costs], subject: Subject, until: date) -> Sequence[DayCost]:
    begins = max(min(costs, default=until), until - timedelta(days=MOST_DAYS))
    return [
        DayCost(day, costs.get(day, {}).get(subject, ZERO_USD))
        for day in (begins + timedelta(days=n) for n in range((until - begins).days))
    ]
