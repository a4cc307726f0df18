"""Reads past use, straight from the journal and the cost records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import connection

from budgets.core.clock import Period
from budgets.core.sql import read_sql
from budgets.tenancy.models import User
from tracking.ledger.models import CostRecord
from tracking.usage.terms import (
    Call,
    CallsPage,
    DayFigures,
    Days,
    Figures,
    InFlight,
    ModelFigures,
    Place,
    Slice,
    Usage,
    UserFigures,
)

# What grouping(day, model, user_id) says of a row: one bit for each column it is summed over.
_TOTAL, _BY_DAY, _BY_MODEL, _BY_USER, _BY_DAY_AND_MODEL = 0b111, 0b011, 0b101, 0b110, 0b001

_OUTCOMES = {choice.value: choice.label.lower() for choice in CostRecord.Outcome}


def usage_of(*, part: Slice, days: Days) -> Usage:
    """Add up money and tokens of a slice: in all, by day, by model and by user, in one snapshot.

    Money is every journal entry (charges, estimates, corrections, refunds, credits) of the calls
    admitted in these days; a call is counted once, whether or not anything was billed for it.
    """
    period = days.period
    rows = _rows(
        "usage",
        part.as_arguments()
        | {"starts": days.starts, "starts_at": period.starts_at, "ends_at": period.ends_at},
    )
    groups: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for grouped_over, *row in rows:
        groups[grouped_over].append(tuple(row))
    return Usage(
        total=_figures(groups[_TOTAL][0]),
        days=_days(days, groups[_BY_DAY], groups[_BY_DAY_AND_MODEL]),
        models=tuple(ModelFigures(row[1], _figures(row)) for row in groups[_BY_MODEL]),
        users=_users(groups[_BY_USER]),
    )


def in_flight_of(*, part: Slice) -> InFlight:
    """Count the calls of a slice that are under way now, and sum what is held for them."""
    return InFlight(*_rows("in_flight", part.as_arguments())[0])


def calls_of(*, part: Slice, period: Period, most: int, before: Place | None = None) -> CallsPage:
    """List at most so many calls admitted in a period, newest first, going on behind a place."""
    rows = _rows(
        "calls",
        part.as_arguments()
        | {
            "starts_at": period.starts_at,
            "ends_at": period.ends_at,
            "before_at": before.admitted_at if before else None,
            "before_id": before.entry_id if before else None,
            "most": most + 1,
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


def _figures(row: tuple[Any, ...]) -> Figures:
    return Figures(*row[3:])


def _days(
    days: Days, by_day: Iterable[tuple[Any, ...]], by_day_and_model: Iterable[tuple[Any, ...]]
) -> tuple[DayFigures, ...]:
    """Give every day, used or not; buckets count from 1."""
    figures = {row[0]: _figures(row) for row in by_day}
    models: dict[int, list[tuple[str, Decimal]]] = defaultdict(list)
    for bucket, model, _, cost_usd, *_rest in by_day_and_model:
        models[bucket].append((model, cost_usd))
    return tuple(
        DayFigures(day, figures.get(bucket, Figures()), tuple(models[bucket]))
        for bucket, day in enumerate(days, start=1)
    )


def _users(rows: list[tuple[Any, ...]]) -> tuple[UserFigures, ...]:
    people = User.objects.in_bulk([row[2] for row in rows])
    return tuple(
        UserFigures(row[2], people[row[2]].get_full_name(), people[row[2]].email, _figures(row))
        for row in rows
    )
