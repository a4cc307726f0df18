"""Where spend is heading: this month's of a slice, and each dollar budget's in its window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from budgets.core.money import ZERO_USD
from budgets.core.snapshot import one_snapshot
from budgets.limits.models import Budget
from budgets.limits.periods import window_at
from budgets.limits.queries import Standing
from budgets.tenancy.callers import matches
from budgets.tenancy.models import Organization
from tracking.usage.forecast import MOST_DAYS, DayCost, Forecast, TooLittle, Window, forecast
from tracking.usage.queries import figures_of
from tracking.usage.terms import By, Days, Each, Slice

# A budget that never starts anew is looked ahead for as long as is worth guessing.
_AHEAD = timedelta(days=90)
FORECAST_WINDOWS = ("day", "week", "month", "quarter", "year", "total")


@dataclass(frozen=True, slots=True)
class Outlook:
    """Spend until now, and where it is heading, or why that cannot be told.

    ``budget_id`` None: the calendar month, which has no limit.
    """

    name: str
    budget_id: int | None
    window: str
    spent_usd: Decimal
    limit_usd: Decimal | None
    forecast: Forecast | None
    reason: str | None


def month_outlook(*, part: Slice, zone: ZoneInfo, now: datetime) -> Outlook:
    """Tell what the calendar month will have cost, of an organization, a project or any slice."""
    today = now.astimezone(zone).date()
    last_on = last_day("month", zone, now)
    with one_snapshot():
        spent = figures_of(part=part, days=Days(today.replace(day=1), today, zone))
        history = _history(part, "", today, zone)
    window = Window(
        today=today,
        last_on=last_on,
        spent_usd=spent[0].figures.cost_usd if spent else ZERO_USD,
        remaining_of_today=remaining_of_today(today, zone, now),
    )
    return _outlook("this month", None, "month", history, window)


def budget_outlooks(
    *, organization: Organization, standings: Sequence[Standing], asked: Slice, now: datetime
) -> list[Outlook]:
    """Tell for each dollar budget what it will have been charged at the end of its window.

    ``asked`` says whose standings they are. A shared budget is told of with what all have spent.
    """
    money = [standing for standing in standings if standing.unit == Budget.Unit.USD]
    budgets = Budget.objects.in_bulk([standing.budget_id for standing in money])
    zone = organization.zone
    today = now.astimezone(zone).date()
    outlooks = []
    for standing in money:
        if standing.window not in FORECAST_WINDOWS:
            outlooks.append(_untold(standing, f"A window of {standing.window} has no end to tell."))
            continue
        if standing.each and not standing.subject:
            outlooks.append(_untold(standing, f"It is told for one {standing.each} at a time."))
            continue
        history = _history(
            _subject_of(standing, budgets[standing.budget_id], asked),
            standing.model_pattern,
            today,
            zone,
        )
        window = Window(
            today=today,
            last_on=last_day(standing.window, zone, now),
            spent_usd=standing.spent,
            remaining_of_today=remaining_of_today(today, zone, now),
            limit_usd=standing.limit,
        )
        outlooks.append(
            _outlook(standing.name, standing.budget_id, standing.window, history, window)
        )
    return outlooks


def _outlook(
    name: str, budget_id: int | None, window_name: str, history: list[DayCost], window: Window
) -> Outlook:
    told = forecast(history=history, window=window)
    return Outlook(
        name=name,
        budget_id=budget_id,
        window=window_name,
        spent_usd=window.spent_usd,
        limit_usd=window.limit_usd,
        forecast=None if isinstance(told, TooLittle) else told,
        reason=told.reason if isinstance(told, TooLittle) else None,
    )


def _untold(standing: Standing, reason: str) -> Outlook:
    return Outlook(
        standing.name,
        standing.budget_id,
        standing.window,
        standing.spent,
        standing.limit,
        None,
        reason,
    )


def _history(part: Slice, model_pattern: str, today: date, zone: ZoneInfo) -> list[DayCost]:
    """Read the whole days before today; where only some models count, what these cost."""
    days = Days(today - timedelta(days=MOST_DAYS), today - timedelta(days=1), zone)
    by = By.MODEL if model_pattern else By.NOTHING
    costs: dict[Any, Decimal] = defaultdict(lambda: ZERO_USD)
    for row in figures_of(part=part, days=days, by=by, each=Each.DAY):
        if not model_pattern or matches(pattern=model_pattern, name=row.key):
            costs[row.span] += row.figures.cost_usd
    return [DayCost(day, costs[day]) for day in days]


def _subject_of(standing: Standing, budget: Budget, asked: Slice) -> Slice:
    """Give the calls that count in a standing's balance."""
    narrowed: dict[str, Any] = {}
    for kind, subject in ((standing.scope, budget.target), (standing.each, standing.subject)):
        if subject and kind in ("user", "project", "api_key"):
            narrowed[f"{kind}_id"] = int(subject)
        elif subject and kind in ("model", "tag", "session"):
            narrowed[kind] = subject
    return Slice(organization_id=asked.organization_id, **narrowed)


def last_day(window: str, zone: ZoneInfo, now: datetime) -> date:
    """Give the last day of a window that holds now; of one without an end, a day far enough ahead."""
    ends_at = window_at(window=window, zone=zone, instant=now).ends_at
    if ends_at is None:
        return now.astimezone(zone).date() + _AHEAD
    return (ends_at - timedelta(microseconds=1)).astimezone(zone).date()


def remaining_of_today(today: date, zone: ZoneInfo, now: datetime) -> Decimal:
    """Give the part of today that is still to come."""
    period = Days(today, today, zone).period
    assert period.ends_at is not None
    second = timedelta(seconds=1)
    left = (period.ends_at - now.astimezone(UTC)) // second
    return Decimal(left) / ((period.ends_at - period.starts_at) // second)
