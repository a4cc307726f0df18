"""Where someone stands: the budgets that apply to them and what is left of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Q

from budgets.core.sql import read_sql
from budgets.limits.models import Balance, Budget
from budgets.limits.periods import window_at
from budgets.tenancy.models import Organization


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget and the balance that counts for someone now; amounts in the budget's unit."""

    budget_id: int
    name: str
    unit: str
    scope: str
    each: str
    subject: str
    model_pattern: str
    window: str
    window_start: datetime
    blocks: bool
    limit: Decimal
    spent: Decimal
    held: Decimal
    thresholds: tuple[int, ...]

    @property
    def left(self) -> Decimal:
        """What is neither spent nor held, never below zero."""
        return max(self.limit - self.spent - self.held, Decimal(0))

    def resets_at(self, *, zone: ZoneInfo) -> datetime | None:
        """The end of the window in the organization's time zone; None when it never ends."""
        return window_at(window=self.window, zone=zone, instant=self.window_start).ends_at


def standings_statement() -> str:
    """Give the query behind standings(), for callers with a connection of their own."""
    return read_sql("budgets.limits", "standings")


def standing_of_row(row: tuple[Any, ...]) -> Standing:
    """Read a row of that query."""
    values = [*row[:-1], tuple(row[-1])]
    return Standing(*values)


def standings(
    *,
    organization: Organization,
    now: datetime,
    user_id: int | None = None,
    project_id: int | None = None,
    api_key_id: int | None = None,
) -> list[Standing]:
    """List the budgets that apply to someone in an organization, money first, tightest first."""
    arguments = {
        "organization": organization.pk,
        "user_id": user_id,
        "project": project_id,
        "api_key": api_key_id,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(standings_statement(), arguments)
        return [standing_of_row(row) for row in cursor.fetchall()]


def current_balances(*, organization: Organization, now: datetime, most: int) -> list[Balance]:
    """List the balances in dollars of the windows that are open now, with least left first."""
    open_now = Q()
    for window in Budget.Window.values:
        period = window_at(window=window, zone=organization.zone, instant=now)
        open_now |= Q(budget__window=window, window_start=period.starts_at)
    return list(
        Balance.objects.for_organization(organization)
        .filter(open_now, unit=Budget.Unit.USD, budget__active=True)
        .select_related("budget")
        .order_by(F("budget__limit_amount") - F("spent") - F("held"), "pk")[:most]
    )
