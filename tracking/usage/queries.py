"""Reads past use: from rollups as far as they are filled, and from the ledger what came since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from budgets.core.clock import Period
from budgets.core.money import ZERO_USD
from budgets.core.snapshot import one_snapshot
from budgets.core.sql import read_sql
from budgets.tenancy.models import User
from tracking.ledger.models import CostRecord
from tracking.usage.terms import (
    By,
    Call,
    CallsPage,
    CallsWanted,
    DayFigures,
    Days,
    Each,
    Figures,
    InFlight,
    ModelFigures,
    Place,
    Position,
    Row,
    Slice,
    Split,
    SplitDay,
    Usage,
    UserFigures,
)

EVERYTHING = Position(2**63 - 1, 2**63 - 1)
_OUTCOMES = {choice.value: choice.label.lower() for choice in CostRecord.Outcome}


@dataclass(frozen=True, slots=True)
class _Filled:
    """How far the rollups go, and in which zone the days of an organization are summed."""

    entry_id: int
    record_id: int
    zone: str | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Which rollup a question is answered from, and up to where the ledger is in it."""

    name: str
    entry_id: int = 0
    record_id: int = 0
    kind: str = ""
    label: str | None = None

    def as_arguments(self) -> dict[str, int | str | None]:
        return {
            "source": self.name,
            "entry_id": self.entry_id,
            "record_id": self.record_id,
            "held_kind": self.kind,
            "held_label": self.label,
        }


def figures_of(
    *,
    part: Slice,
    days: Days,
    by: By = By.NOTHING,
    each: Each = Each.PERIOD,
    most: int | None = None,
) -> tuple[Row, ...]:
    """Add up money and tokens of a slice over some days, told apart by a property and by time.

    Money is every journal entry (charges, estimates, corrections, refunds, credits) of the calls
    admitted in these days; a call is counted once, whether or not anything was billed for it.
    Spans come oldest first, within them the dearest first; spans without calls are left out.
    ``most`` keeps so many rows. Inside one_snapshot() several calls agree with each other.
    """
    with one_snapshot():
        return _figures(part, days, by, each, _filled_for(part))[:most]


def usage_of(*, part: Slice, days: Days) -> Usage:
    """Add up money and tokens of a slice: in all, by day, by model and by user, in one snapshot."""
    with one_snapshot():
        filled = _filled_for(part)
        by_day_and_model = _figures(part, days, By.MODEL, Each.DAY, filled)
        by_user = _figures(part, days, By.USER, Each.PERIOD, filled)
    models: dict[str, Figures] = defaultdict(Figures)
    by_day: dict[object, list[Row]] = defaultdict(list)
    for row in by_day_and_model:
        models[row.key] += row.figures
        by_day[row.span].append(row)
    dearest_first = sorted(models.items(), key=lambda item: (-item[1].cost_usd, item[0]))
    return Usage(
        total=sum(models.values(), Figures()),
        days=tuple(_day(day, by_day[day]) for day in days),
        models=tuple(ModelFigures(*item) for item in dearest_first),
        users=_users(by_user),
    )


def split_of(*, part: Slice, days: Days, by: By) -> Split:
    """Add up what each group cost on each day. Of labels, days and groups need not add up."""
    return _split(figures_of(part=part, days=days, by=by, each=Each.DAY), days)


def split_by_model(usage: Usage) -> Split:
    """Take what each model cost on each day from figures that have been read already."""
    return Split(
        days=tuple(SplitDay(day.on, day.figures, day.model_costs_usd) for day in usage.days),
        groups=tuple((row.model, row.figures.cost_usd) for row in usage.models),
    )


def _split(rows: Iterable[Row], days: Days) -> Split:
    groups: dict[str, Decimal] = defaultdict(lambda: ZERO_USD)
    by_day: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.key] += row.figures.cost_usd
        by_day[row.span].append(row)
    split = [
        SplitDay(
            day,
            sum((row.figures for row in by_day[day]), Figures()),
            tuple((row.key, row.figures.cost_usd) for row in by_day[day]),
        )
        for day in days
    ]
    dearest_first = sorted(groups.items(), key=lambda item: (-item[1], item[0]))
    return Split(tuple(split), tuple(dearest_first))


def in_flight_of(*, part: Slice) -> InFlight:
    """Count the calls of a slice that are under way now, and sum what is held for them."""
    return InFlight(*_rows("in_flight", part.as_arguments())[0])


def calls_of(
    *,
    part: Slice,
    period: Period,
    most: int,
    before: Place | None = None,
    only: CallsWanted = CallsWanted(),  # noqa: B008  a constant
    until: Position = EVERYTHING,
) -> CallsPage:
    """List at most so many calls admitted in a period, newest first, going on behind a place.

    All are told as they stood when the ledger ended at ``until``, so that pages that are read one
    after the other are of one instant.
    """
    rows = _rows(
        "calls",
        part.as_arguments()
        | {
            "starts_at": period.starts_at,
            "ends_at": period.ends_at,
            "before_at": before.admitted_at if before else None,
            "before_id": before.entry_id if before else None,
            "most": most + 1,
            "waste": only.waste,
            "prompt_hash": only.prompt_hash,
            "until_entry": until.entry_id,
            "until_record": until.record_id,
        },
    )
    calls = tuple(_call(row) for row in rows[:most])
    last = calls[-1] if len(rows) > most else None
    return CallsPage(calls, Place(last.admitted_at, last.entry_id) if last else None)


def _rows(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.usage", name), arguments)
        return list(cursor.fetchall())


def _call(row: tuple[Any, ...]) -> Call:
    call = Call(*row)
    return replace(call, outcome=_OUTCOMES[call.outcome]) if call.outcome else call


def _filled_for(part: Slice) -> _Filled:
    return _Filled(*_rows("filled", {"organization": part.organization_id})[0])


def _figures(part: Slice, days: Days, by: By, each: Each, filled: _Filled) -> tuple[Row, ...]:
    period = days.period
    rows = _rows(
        "figures",
        part.as_arguments()
        | _source(part, days, by, each, filled).as_arguments()
        | {
            "by": by,
            "each": each,
            "kind": by if by.is_label else "",
            "zone": days.zone.key,
            "starts_at": period.starts_at,
            "ends_at": period.ends_at,
            "first_on": days.first_on,
            "last_on": days.last_on,
        },
    )
    return tuple(_row(row, each) for row in rows)


def _source(part: Slice, days: Days, by: By, each: Each, filled: _Filled) -> _Source:
    """Choose the coarsest rollup that answers exactly, or the ledger where none does."""
    kinds = ([by] if by.is_label else []) + list(part.labels)
    is_whole = filled.zone == days.zone.key and each != Each.HOUR
    if not filled.entry_id or len(kinds) > 1 or (kinds and not is_whole):
        return _Source("ledger")
    if kinds:
        label = part.labels.get(kinds[0])
        return _Source("labels", filled.entry_id, filled.record_id, kinds[0], label)
    name = "days" if is_whole else "quarters"
    return _Source(name, filled.entry_id, filled.record_id)


def _row(row: tuple[Any, ...], each: Each) -> Row:
    span, key, *figures = row
    return Row(span.date() if each == Each.DAY else span, key, Figures(*figures))


def _day(day: date, rows: list[Row]) -> DayFigures:
    models = tuple((row.key, row.figures.cost_usd) for row in rows)
    return DayFigures(day, sum((row.figures for row in rows), Figures()), models)


def _users(rows: Iterable[Row]) -> tuple[UserFigures, ...]:
    people = User.objects.in_bulk([int(row.key) for row in rows])
    return tuple(
        UserFigures(user.pk, user.get_full_name(), user.email, row.figures)
        for row in rows
        if (user := people[int(row.key)])
    )
