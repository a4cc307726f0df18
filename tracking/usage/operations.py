"""Fill the rollups from the ledger.

Several workers may fill at once: they take turns at the row that says how far it is done, and what
one has added the next does not add again. Nothing is ever half done: rows and position are one
statement.
"""

from __future__ import annotations

from datetime import datetime

from django.db import OperationalError, connection, transaction
from django.db.models import F

from budgets.core.sql import read_sql
from budgets.tenancy.models import Organization
from tracking.usage.models import DayUsage, FillState, LabelUsage, UsageZone
from tracking.usage.terms import Position

# Entries and records that one transaction adds: a second or two of work.
BATCH = 20_000
# Calls wait while the ledger's position is read, so it gives way to whatever takes longer.
_CUT_TIMEOUT = "100ms"


def fill(*, now: datetime, batches: int = 20, most: int = BATCH) -> int:
    """Add to the rollups what the ledger has got since, in at most so many batches.

    Gives how many batches there were; fewer than allowed when all is filled. Where calls keep the
    ledger so busy that its position cannot be read at once, nothing is done: the next run will.
    """
    until = cut()
    if until is None:
        return 0
    _begin_zones()
    for done in range(batches):
        if not _add(until, now, most):
            return done
    return batches


def cut() -> Position | None:
    """Find a position of the ledger before which nothing more can be written; None if it is busy.

    The highest id alone is none: lower ones may belong to transactions that have not ended.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select set_config('lock_timeout', %s, true)", [_CUT_TIMEOUT])
            cursor.execute(read_sql("tracking.usage", "cut"))
            cursor.execute(read_sql("tracking.usage", "position"))
            return Position(*cursor.fetchone())
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return None
        raise


def follow_time_zones() -> int:
    """Sum the days anew of organizations that have moved to another time zone; give their number.

    Until then their figures come from quarters of an hour and from the ledger, which fit any zone.
    """
    moved = UsageZone.objects.exclude(time_zone=F("organization__time_zone"))
    organizations = list(Organization.objects.filter(pk__in=moved.values("organization_id")))
    for organization in organizations:
        _sum_days_anew(organization)
    return len(organizations)


_LOCK_NOT_AVAILABLE = "55P03"


def _add(until: Position, now: datetime, most: int) -> bool:
    """Add one batch; tell whether there was anything to add."""
    with transaction.atomic(), connection.cursor() as cursor:
        state = _own_turn()
        batch = Position(
            min(until.entry_id, state.entry_id + most), min(until.record_id, state.record_id + most)
        )
        if batch.entry_id <= state.entry_id and batch.record_id <= state.record_id:
            return False
        arguments: dict[str, int | datetime] = {
            "after_entry": state.entry_id,
            "until_entry": max(batch.entry_id, state.entry_id),
            "after_record": state.record_id,
            "until_record": max(batch.record_id, state.record_id),
            "now": now,
        }
        cursor.execute(read_sql("tracking.usage", "fill"), arguments)
    return True


def _own_turn() -> FillState:
    """Lock the one row that says how far the rollups are filled; it is there since a migration."""
    return FillState.objects.select_for_update().get()


def _begin_zones() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.usage", "begin_zones"))


def _sum_days_anew(organization: Organization) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        state = _own_turn()
        organization.refresh_from_db(fields=["time_zone"])
        DayUsage.objects.for_organization(organization).delete()
        LabelUsage.objects.for_organization(organization).delete()
        UsageZone.objects.for_organization(organization).update(time_zone=organization.time_zone)
        arguments: dict[str, int | str] = {
            "organization": organization.pk,
            "zone": organization.time_zone,
            "entry_id": state.entry_id,
            "record_id": state.record_id,
        }
        cursor.execute(read_sql("tracking.usage", "refill_days"), arguments)
