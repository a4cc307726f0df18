"""Files that a worker builds: found, built once, of one instant, tried again, and thrown away."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgets.holds import operations as holds
from budgets.tenancy.access import Viewer, viewer_of
from budgets.tenancy.models import ApiKey
from tests import make
from tracking.exports import operations
from tracking.exports.models import Export, ExportPart
from tracking.exports.queries import part_of
from tracking.exports.terms import CALLS, Form, Wanted
from tracking.usage import operations as usage
from tracking.usage.terms import Days, Slice

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(alice: ApiKey) -> Viewer:
    return viewer_of(user=alice.user, slug=None)


def ordered(viewer: Viewer, *, form: Form = Form.CSV) -> Export:
    days = Days(date(2026, 3, 1), date(2026, 3, 31), viewer.organization.zone)
    wanted = Wanted(CALLS, form, Slice(viewer.organization.pk), days)
    return operations.order(viewer=viewer, wanted=wanted, now=make.NOW)


def build(*, at: datetime = make.NOW) -> Export | None:
    return operations.build_next(clock=lambda: at)


def content(export: Export) -> bytes:
    return b"".join(bytes(part.content) for part in export.parts.order_by("number"))


def test_become_ready_with_their_rows_and_their_total(alice: ApiKey, viewer: Viewer) -> None:
    costs = [make.call(key=alice)[1] for _ in range(3)]
    export = ordered(viewer)
    assert (export.state, export.rows, export.percent) == ("waiting", 3, 0)

    assert build() == export
    export.refresh_from_db()

    assert (export.state, export.done_rows, export.percent) == ("ready", 3, 100)
    assert export.total_usd == sum(costs)
    assert export.expires_at == make.NOW + timedelta(hours=24)
    assert export.size_bytes == len(content(export))
    rows = list(csv.DictReader(io.StringIO(content(export).decode())))
    assert sum(Decimal(row["cost_usd"]) for row in rows) == sum(costs)
    assert build() is None


def test_are_cut_into_parts(alice: ApiKey, viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_PART_BYTES", 100)
    make.call(key=alice)
    export = ordered(viewer, form=Form.XLSX)
    build()

    whole = content(export)
    assert ExportPart.objects.filter(export=export).count() == -(-len(whole) // 100)
    assert whole.startswith(b"PK")
    assert part_of(export=export, number=0) == whole[:100]
    assert part_of(export=export, number=10**6) == b""


def test_are_of_one_instant_whatever_is_booked_meanwhile(
    alice: ApiKey, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.exports.queries._CALLS_AT_ONCE", 1)
    monkeypatch.setattr(operations, "_ROWS_BETWEEN_NOTES", 1)
    made = [make.call(key=alice, at=make.NOW - timedelta(minutes=n)) for n in range(3)]
    export = ordered(viewer)
    notes: list[int] = []

    def meddle(export: Export, clock: Callable[[], datetime]) -> Callable[[int], None]:
        def note(rows: int) -> None:
            notes.append(rows)
            # Older calls, which are not read yet, are refunded, and another one is made.
            refund = holds.Adjustment(
                alice.organization, made[2][0], "refund", Decimal("-0.0000001"), "x", None
            )
            holds.adjust(adjustment=refund, now=make.NOW)
            make.call(key=alice, at=make.NOW - timedelta(hours=1))

        return note

    monkeypatch.setattr(operations, "_note", meddle)
    build()
    export.refresh_from_db()

    assert notes == [1, 2, 3]
    assert (export.rows, export.total_usd) == (3, sum(cost for _, cost in made))


def test_tell_how_far_they_are(
    alice: ApiKey, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_ROWS_BETWEEN_NOTES", 1)
    make.call(key=alice)
    make.call(key=alice)
    ordered(viewer)
    told: list[int] = []
    plain = operations._note

    def watch(export: Export, clock: Callable[[], datetime]) -> Callable[[int], None]:
        note = plain(export, clock)

        def noted(rows: int) -> None:
            note(rows)
            told.append(Export.objects.get(pk=export.pk).percent)

        return noted

    monkeypatch.setattr(operations, "_note", watch)
    build()
    assert told == [50, 99]


def fail(*_: Any, **__: Any) -> Any:
    raise OSError("disk full")


def test_are_tried_three_times_and_then_by_hand(
    alice: ApiKey, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(key=alice)
    export = ordered(viewer)
    with monkeypatch.context() as broken:
        broken.setattr(operations, "writer_of", fail)
        states = []
        for _ in range(3):
            build()
            export.refresh_from_db()
            states.append((export.state, export.attempts, export.last_error))
        assert build() is None
    assert states == [
        ("waiting", 1, "OSError"),
        ("waiting", 2, "OSError"),
        ("failed", 3, "OSError"),
    ]
    assert content(export) == b""

    operations.retry(export=export)
    build()
    export.refresh_from_db()
    assert (export.state, export.last_error) == ("ready", "")
    with pytest.raises(operations.ExportNotFailed):
        operations.retry(export=export)


def test_of_a_dead_worker_are_built_by_another(alice: ApiKey, viewer: Viewer) -> None:
    make.call(key=alice)
    export = ordered(viewer)
    Export.objects.update(
        state="building", attempts=1, leased_until=make.NOW + timedelta(minutes=2)
    )

    assert build() is None
    assert build(at=make.NOW + timedelta(minutes=3)) == export
    export.refresh_from_db()
    assert (export.state, export.attempts) == ("ready", 2)


def test_give_up_with_workers_that_always_die(viewer: Viewer) -> None:
    export = ordered(viewer)
    Export.objects.update(state="building", attempts=3, leased_until=make.NOW)

    assert build(at=make.NOW + timedelta(minutes=3)) is None
    export.refresh_from_db()
    assert (export.state, bool(export.last_error)) == ("failed", True)


def test_are_left_to_the_worker_that_took_them_over(
    alice: ApiKey, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was only slow finds its file taken, and keeps nothing."""
    make.call(key=alice)
    export = ordered(viewer)
    plain = operations._write

    def slow(*given: Any) -> Any:
        Export.objects.update(attempts=2)
        return plain(*given)

    monkeypatch.setattr(operations, "_write", slow)
    build()
    export.refresh_from_db()
    assert (export.state, export.attempts, content(export)) == ("building", 2, b"")


def test_wait_where_the_ledger_is_busy(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    export = ordered(viewer)
    monkeypatch.setattr(usage, "cut", lambda: None)
    assert build() is None
    export.refresh_from_db()
    assert (export.state, export.attempts) == ("waiting", 0)


def test_are_thrown_away_when_their_time_is_over(alice: ApiKey, viewer: Viewer) -> None:
    make.call(key=alice)
    export = ordered(viewer)
    build()

    assert operations.sweep(now=make.NOW + timedelta(hours=23)) == 0
    assert operations.sweep(now=make.NOW + timedelta(hours=24)) > 0
    assert not Export.objects.filter(pk=export.pk).exists()
    assert not ExportPart.objects.exists()


def test_are_refused_where_they_are_too_large_or_too_many(
    alice: ApiKey, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(key=alice)
    make.call(key=alice)
    monkeypatch.setattr(operations, "MOST_SHEET_ROWS", 1)
    with pytest.raises(operations.ExportTooManyRows):
        ordered(viewer, form=Form.XLSX)
    monkeypatch.setattr(operations, "MOST_WAITING", 1)
    ordered(viewer)
    with pytest.raises(operations.TooManyExports):
        ordered(viewer)
