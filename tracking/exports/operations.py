"""Orders files, builds them, and throws them away.

An order is a row that a worker finds. One file is built at a time, so that however many are ordered
the other work of the workers goes on.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import IO

from django.db import connection, transaction
from django.db.models import Q

from budgets.core.errors import DomainError
from budgets.core.ids import uuid7
from budgets.core.money import ZERO_USD, usd_text
from budgets.core.snapshot import one_snapshot
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Organization
from tracking.exports.models import Export, ExportPart
from tracking.exports.queries import Rows, count_rows, rows_of
from tracking.exports.terms import Form, Wanted
from tracking.exports.writers import MOST_SHEET_ROWS, writer_of
from tracking.usage import operations as usage

logger = logging.getLogger(__name__)

# A file of so many rows is answered at once, within a second; more are for a worker.
MOST_AT_ONCE = 5_000
MOST_ROWS = 5_000_000
MOST_WAITING = 10
KEPT_FOR = timedelta(hours=24)
TRIES = 3
# A build notes each few thousand rows that it lives; one that has not for so long is taken for dead.
_LEASE = timedelta(minutes=2)
_ROWS_BETWEEN_NOTES = 4_000
_PART_BYTES = 1024 * 1024
# The number of the lock that claims are taken under.
_CLAIMS = 70_704
_FILTERS = (
    "user_id",
    "project",
    "api_key",
    "model",
    "provider",
    "endpoint",
    "tag",
    "session",
    "end_user",
)

Note = Callable[[int], None]
Clock = Callable[[], datetime]


class ExportTooLarge(DomainError):
    """The file would have too many rows to be answered at once. Order it: POST /api/v1/exports."""

    code = "value_out_of_range"


class ExportTooManyRows(DomainError):
    """The file would have more rows than fit. Choose fewer days, or CSV in place of XLSX."""

    code = "value_out_of_range"


class TooManyExports(DomainError):
    """So many of your files are still to be built. Wait until one is ready."""

    code = "conflict"


class ExportNotFailed(DomainError):
    """Only a file that could not be built is built again."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Built:
    """What came of writing a file."""

    rows: int
    total_usd: Decimal


def write_now(*, wanted: Wanted, to: IO[bytes]) -> Built:
    """Write a small file, all of it in one snapshot, so that an answer is whole or an error.

    :raises ExportTooLarge: if it would have too many rows
    """
    with one_snapshot():
        found = rows_of(wanted=wanted)
        if found.count > MOST_AT_ONCE:
            raise ExportTooLarge(rows=found.count, most_rows=MOST_AT_ONCE)
        return _write(wanted, found, to, lambda _: None)


def order(*, viewer: Viewer, wanted: Wanted, now: datetime) -> Export:
    """Order a file; a worker that looks for such rows builds it.

    :raises ExportTooManyRows: if it would have more rows than its form or this site can take
    :raises TooManyExports: if too many of this person's are not built yet
    """
    rows = count_rows(wanted=wanted)
    most = MOST_SHEET_ROWS if wanted.form == Form.XLSX else MOST_ROWS
    if rows > most:
        raise ExportTooManyRows(rows=rows, most_rows=most, param="from")
    organization, user = viewer.organization, viewer.user
    waiting = Export.objects.for_organization(organization).filter(user=user, state__in=_TO_BUILD)
    if waiting.count() >= MOST_WAITING:
        raise TooManyExports
    return Export.objects.create(
        id=uuid7(now),
        organization=organization,
        user=user,
        what=wanted.what,
        form=wanted.form.value,
        file_name=wanted.file_name,
        wanted=wanted.as_json(),
        rows=rows,
        created_at=now,
    )


def retry(*, export: Export) -> None:
    """Build a file again that could not be built.

    :raises ExportNotFailed: if it is in any other state
    """
    again = Export.objects.filter(pk=export.pk, state=Export.State.FAILED)
    if not again.update(state=Export.State.WAITING, attempts=0, done_rows=0, last_error=""):
        raise ExportNotFailed
    export.refresh_from_db()


def build_next(*, clock: Clock) -> Export | None:
    """Build the file that has waited longest; None when there is none, or one is being built.

    A build that fails is tried again by a later run, three times in all. It takes a while, so it
    is given the clock and not an instant.
    """
    # Calls wait while the ledger's position is read, so only where there is something to build.
    if not Export.objects.filter(state__in=_TO_BUILD).exists():
        return None
    # Inside a snapshot nothing could be noted; pages of calls are read as they stood here instead.
    until = usage.cut()
    export = _claim(clock()) if until is not None else None
    if export is None or until is None:
        return None
    try:
        wanted = Wanted.from_json(export.wanted)
        with tempfile.TemporaryFile() as file:
            built = _write(wanted, rows_of(wanted=wanted, until=until), file, _note(export, clock))
            _keep(export, built, file, clock())
    except Exception as error:
        logger.exception("export %s, try %d", export.pk, export.attempts)
        _note_failed(export, error)
    export.refresh_from_db()
    return export


def sweep(*, now: datetime) -> int:
    """Throw away files whose time is over, and orders that failed a while ago; give their number."""
    over = Q(expires_at__lte=now) | Q(state=Export.State.FAILED, created_at__lte=now - KEPT_FOR * 7)
    count, _ = Export.objects.filter(over).delete()
    return count


_TO_BUILD = (Export.State.WAITING, Export.State.BUILDING)


def _claim(now: datetime) -> Export | None:
    """Take the next file, unless one is being built by a worker that lives."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, 0)", [_CLAIMS])
        going_on = Export.objects.filter(state=Export.State.BUILDING, leased_until__gt=now)
        if going_on.exists():
            return None
        dead = Export.objects.filter(state=Export.State.BUILDING, attempts__gte=TRIES)
        dead.update(state=Export.State.FAILED, last_error="The worker ended before the file did.")
        export = Export.objects.filter(state__in=_TO_BUILD).order_by("created_at", "pk").first()
        if export is None:
            return None
        export.state, export.attempts = Export.State.BUILDING, export.attempts + 1
        export.done_rows, export.leased_until = 0, now + _LEASE
        export.save(update_fields=["state", "attempts", "done_rows", "leased_until"])
        return export


def _write(wanted: Wanted, found: Rows, to: IO[bytes], note: Note) -> Built:
    writer = writer_of(form=wanted.form, to=to, columns=found.columns)
    count, total_usd = 0, ZERO_USD
    for row, cost_usd in found.rows:
        writer.write(row)
        count, total_usd = count + 1, total_usd + cost_usd
        if count % _ROWS_BETWEEN_NOTES == 0:
            note(count)
    writer.close(_about(wanted, count, total_usd))
    return Built(count, total_usd)


def _about(wanted: Wanted, rows: int, total_usd: Decimal) -> list[tuple[str, str]]:
    organization = Organization.objects.get(pk=wanted.part.organization_id)
    days = wanted.days
    asked = wanted.part.as_arguments()
    filters = [(name, str(asked[name])) for name in _FILTERS if asked[name] is not None]
    return [
        ("organization", organization.slug),
        ("days", f"{days.first_on} to {days.last_on}, both included, {days.zone.key}"),
        *filters,
        ("rows", str(rows)),
        ("total_usd", usd_text(total_usd)),
    ]


class _LostLease(Exception):
    """Another worker has taken the build over."""


def _note(export: Export, clock: Clock) -> Note:
    """Make the function by which a build says how far it is, and that it lives."""

    def note(rows: int) -> None:
        held = Export.objects.filter(pk=export.pk, attempts=export.attempts)
        if not held.update(done_rows=rows, leased_until=clock() + _LEASE):
            raise _LostLease

    return note


def _keep(export: Export, built: Built, file: IO[bytes], now: datetime) -> None:
    """Keep a file that is whole, and say that it is ready, in one transaction."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with transaction.atomic():
        held = Export.objects.filter(pk=export.pk, attempts=export.attempts)
        if not held.update(
            state=Export.State.READY,
            rows=built.rows,
            done_rows=built.rows,
            total_usd=built.total_usd,
            size_bytes=size,
            ready_at=now,
            expires_at=now + KEPT_FOR,
        ):
            raise _LostLease
        for number, content in enumerate(iter(lambda: file.read(_PART_BYTES), b"")):
            ExportPart.objects.create(export=export, number=number, content=content)


def _note_failed(export: Export, error: Exception) -> None:
    is_over = export.attempts >= TRIES
    text = error.message if isinstance(error, DomainError) else type(error).__name__
    Export.objects.filter(pk=export.pk, attempts=export.attempts).update(
        state=Export.State.FAILED if is_over else Export.State.WAITING,
        last_error=text[:240],
        leased_until=None,
    )
