"""The statement of a month: what was charged, what was booked beside it, and for what. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection

from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD
from budgets.core.snapshot import one_snapshot
from budgets.core.sql import read_sql
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Project
from tracking.usage.names import Name, names_of
from tracking.usage.queries import figures_of
from tracking.usage.terms import By, Days, Figures, Slice

_FIRST_YEAR, _LAST_YEAR = 2000, 2100


class MonthInvalid(DomainError):
    """There is no statement of such a month."""

    code = "value_out_of_range"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What was booked later for calls of the month, of one kind."""

    kind: str
    entries: int
    amount_usd: Decimal


@dataclass(frozen=True, slots=True)
class Part:
    """One table: by what, and each one's figures, which add up to the total."""

    title: str
    rows: tuple[tuple[Name, Figures], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A month of one organization, or of one of its projects, as somebody may see it."""

    viewer: Viewer
    project: Project | None
    days: Days
    written_at: datetime
    is_closed: bool
    total: Figures
    adjustments: tuple[Adjustment, ...]
    parts: tuple[Part, ...]
    month_before: str
    month_after: str | None

    @property
    def charged_usd(self) -> Decimal:
        """What was charged when the calls ended."""
        booked_later = sum((one.amount_usd for one in self.adjustments), ZERO_USD)
        return self.total.cost_usd - booked_later


def days_of_month(*, text: str | None, viewer: Viewer, now: datetime) -> Days:
    """Read which month is meant, such as 2026-03; without one it is the last that is over.

    :raises MonthInvalid: if it is none, or has not begun
    """
    zone = viewer.organization.zone
    today = now.astimezone(zone).date()
    if text is None:
        return Days.of_month(today.replace(day=1) - timedelta(days=1), zone)
    year, _, month = text.partition("-")
    is_written = year.isascii() and month.isascii() and (len(year), len(month)) == (4, 2)
    if not (is_written and year.isdigit() and month.isdigit() and 1 <= int(month) <= 12):
        raise MonthInvalid("A month is written such as 2026-03.", param="month")
    if not _FIRST_YEAR <= int(year) <= _LAST_YEAR or date(int(year), int(month), 1) > today:
        raise MonthInvalid(param="month")
    return Days.of_month(date(int(year), int(month), 1), zone)


def statement_of(
    *, viewer: Viewer, project: Project | None, days: Days, now: datetime
) -> Statement:
    """Read the statement of a month, in one snapshot."""
    part = Slice(
        organization_id=viewer.organization.pk,
        project_id=project.pk if project else None,
        viewer_id=viewer.only_user_id,
        led_project_ids=viewer.led_project_ids,
    )
    with one_snapshot():
        total = figures_of(part=part, days=days)
        parts = tuple(_part(part, days, by, title) for by, title in _PARTS.items())
        adjustments = _adjustments(part, days)
    after = days.last_on + timedelta(days=1)
    is_closed = now.astimezone(days.zone).date() >= after
    return Statement(
        viewer=viewer,
        project=project,
        days=days,
        written_at=now,
        is_closed=is_closed,
        total=total[0].figures if total else Figures(),
        adjustments=adjustments,
        parts=parts,
        month_before=f"{days.first_on - timedelta(days=1):%Y-%m}",
        month_after=f"{after:%Y-%m}" if is_closed else None,
    )


_PARTS = {By.PROJECT: "Projects", By.USER: "People", By.MODEL: "Models"}


def _part(part: Slice, days: Days, by: By, title: str) -> Part:
    rows = figures_of(part=part, days=days, by=by)
    names = names_of(by=by, keys=[row.key for row in rows])
    return Part(title, tuple((names[row.key], row.figures) for row in rows))


def _adjustments(part: Slice, days: Days) -> tuple[Adjustment, ...]:
    period = days.period
    arguments = part.as_arguments() | {"starts_at": period.starts_at, "ends_at": period.ends_at}
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.spending", "adjustments"), arguments)
        return tuple(Adjustment(*row) for row in cursor.fetchall())
