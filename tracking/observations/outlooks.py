"""Where the dollar budgets of many organizations are heading, as figures for rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from budgets.alerts.operations import Figure
from budgets.alerts.readings import BalanceNow, balances_of
from budgets.core.money import ZERO_USD, format_usd
from budgets.limits.models import Budget
from budgets.limits.periods import window_at
from budgets.limits.targets import names_of
from budgets.tenancy.models import Organization
from tracking.observations.queries import Wanted, balance_days
from tracking.usage.forecast import MOST_DAYS, DayCost, Forecast, Window, forecast
from tracking.usage.outlook import FORECAST_WINDOWS, last_day, remaining_of_today

_LABELS = ("tag", "session")

Told = dict[str, dict[int, list[Figure]]]


@dataclass(frozen=True, slots=True)
class _Case:
    organization: Organization
    balance: BalanceNow
    today: date


def outlooks(*, asked: Wanted, now: datetime) -> Told:
    """Tell for each balance in dollars what part of its limit it will have spent, and when it ends.

    By kind (``forecast``, ``runs_out``) and organization. A budget of the last days has no end to
    tell, one that never starts anew none before which it could be reached, and one that is younger
    than two weeks no forecast: these are left out.
    """
    organizations = Organization.objects.in_bulk(asked.organizations)
    balances = balances_of(organizations=asked.organizations, now=now)
    cases = [
        _Case(organizations[one], balance, now.astimezone(organizations[one].zone).date())
        for one, rows in balances.items()
        for balance in rows
        if balance.unit == Budget.Unit.USD and balance.limit and _can_be_told(balance)
    ]
    told: Told = {
        kind: {one: [] for one in asked.organizations} for kind in ("forecast", "runs_out")
    }
    names = names_of(subjects=[(case.balance.each, case.balance.subject) for case in cases])
    for case, known in zip(cases, _histories(cases), strict=True):
        whose = names.get((case.balance.each, case.balance.subject), "")
        name = f"{case.balance.name} ({whose})" if whose else case.balance.name
        for kind, figure in _figures(case, known, name, now):
            told[kind][case.organization.pk].append(figure)
    return told


def _can_be_told(balance: BalanceNow) -> bool:
    labels = [one for one in (balance.scope, balance.each) if one in _LABELS]
    return balance.window in FORECAST_WINDOWS and len(labels) < 2


def _histories(cases: Sequence[_Case]) -> list[list[DayCost]]:
    costs: dict[int, dict[date, Decimal]] = defaultdict(dict)
    if cases:
        asked = [_asked(number, case) for number, case in enumerate(cases)]
        for number, day, cost_usd in balance_days(asked=asked, days=MOST_DAYS):
            costs[number][day] = cost_usd
    return [
        [
            DayCost(day, costs[number].get(day, ZERO_USD))
            for day in (case.today - timedelta(days=ago) for ago in range(MOST_DAYS, 0, -1))
        ]
        for number, case in enumerate(cases)
    ]


def _asked(number: int, case: _Case) -> dict[str, Any]:
    balance = case.balance
    by_label = {balance.scope: balance.target, balance.each: balance.subject}
    kind = next((label for label in _LABELS if label in by_label), "")
    return {
        "n": number,
        "organization": case.organization.pk,
        "today": case.today.isoformat(),
        "scope": balance.scope,
        "target": balance.target,
        "each": balance.each,
        "subject": balance.subject,
        "model_pattern": balance.model_pattern,
        "label_kind": kind,
        "label": by_label.get(kind, ""),
    }


def _figures(
    case: _Case, history: Sequence[DayCost], name: str, now: datetime
) -> Iterator[tuple[str, Figure]]:
    balance, zone = case.balance, case.organization.zone
    told = forecast(
        history=history,
        window=Window(
            today=case.today,
            last_on=last_day(balance.window, zone, now),
            spent_usd=balance.spent,
            remaining_of_today=remaining_of_today(case.today, zone, now),
            limit_usd=balance.limit,
        ),
    )
    if not isinstance(told, Forecast):
        return
    if balance.window != Budget.Window.TOTAL:
        yield "forecast", _figure(case, told, name, told.expected_usd * 100 / balance.limit)
    days = None if told.reached_on is None else Decimal((told.reached_on - case.today).days)
    yield "runs_out", _figure(case, told, name, days)


def _figure(case: _Case, told: Forecast, name: str, value: Decimal | None) -> Figure:
    balance = case.balance
    period = window_at(
        window=balance.window, zone=case.organization.zone, instant=balance.window_start
    )
    runs_out = told.reached_on.strftime("%d %b %Y") if told.reached_on else "not in this window"
    return Figure(
        "budget",
        f"{balance.budget_id}/{balance.subject}" if balance.subject else str(balance.budget_id),
        value,
        name=name,
        limit=balance.limit,
        budget_id=balance.budget_id,
        window_start=balance.window_start,
        window_ends_at=period.ends_at,
        facts=(
            ("Spent", format_usd(balance.spent)),
            ("Limit", format_usd(balance.limit)),
            ("Likely", f"{format_usd(told.expected_usd)} on {told.last_on:%d %b %Y}"),
            ("Four times in five", f"{format_usd(told.low_usd)} to {format_usd(told.high_usd)}"),
            ("Runs out about", runs_out),
        ),
    )
