"""Rollups hold what the ledger adds up to, whatever came in which order, and never twice."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.db import connection, connections, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.core.sql import read_sql
from budgets.holds import operations as holds
from budgets.holds.models import JournalEntry
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.databases import on_own_copy
from tracking.ledger.models import CostRecord
from tracking.pricing.usage import Usage as Used
from tracking.usage import operations
from tracking.usage.audit import usage_differences
from tracking.usage.models import FillState, QuarterHourUsage, UsageZone
from tracking.usage.queries import figures_of, usage_of
from tracking.usage.terms import By, Days, Each, Figures, Slice

UTC_ZONE = ZoneInfo("UTC")
MARCH = Days(date(2026, 3, 1), date(2026, 3, 31), UTC_ZONE)


@pytest.fixture
def acme(db: None) -> Organization:
    return make.organization()


def whole(organization: Organization) -> Slice:
    return Slice(organization_id=organization.pk)


def fill() -> int:
    return operations.fill(now=make.NOW)


def refund(request: Any, *, of: Organization, usd: str) -> None:
    holds.adjust(
        adjustment=holds.Adjustment(of, request, "refund", Decimal(usd), "Goodwill", None),
        now=make.NOW,
    )


def test_answers_alike_before_between_and_after_fills(acme: Organization, alice: ApiKey) -> None:
    request, cost_usd = make.call(key=alice)
    before = usage_of(part=whole(acme), days=MARCH)

    assert fill() == 1
    assert usage_of(part=whole(acme), days=MARCH) == before
    _, further_usd = make.call(key=alice, used=Used(input_tokens=7))
    between = usage_of(part=whole(acme), days=MARCH)
    assert between.total.cost_usd == cost_usd + further_usd
    assert between.total.calls == 2

    assert fill() == 1
    assert usage_of(part=whole(acme), days=MARCH) == between
    refund(request, of=acme, usd="-0.0000001")
    assert usage_of(part=whole(acme), days=MARCH).total.cost_usd == (
        cost_usd + further_usd - Decimal("0.0000001")
    )
    assert fill() == 1
    assert fill() == 0
    assert usage_of(part=whole(acme), days=MARCH).total.cost_usd == (
        cost_usd + further_usd - Decimal("0.0000001")
    )
    assert usage_differences() == []


def test_reads_rollups_and_not_the_ledger_once_they_are_filled(
    acme: Organization, alice: ApiKey
) -> None:
    """A figure that only the rollups hold shows that they are what was read."""
    make.call(key=alice)
    fill()
    QuarterHourUsage.objects.update(calls=77)
    connection.cursor().execute("update tracking_dayusage set calls = 78")

    (by_day,) = figures_of(part=whole(acme), days=MARCH)
    by_hour = figures_of(part=whole(acme), days=MARCH, each=Each.HOUR)

    assert by_day.figures.calls == 78
    assert [row.figures.calls for row in by_hour] == [77]
    assert {difference.span for difference in usage_differences()} == {"day", "quarter of an hour"}


def test_moves_a_call_to_the_provider_that_a_late_record_names(
    acme: Organization, alice: ApiKey
) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0.5", kind="estimate")
    fill()
    (unknown,) = figures_of(part=whole(acme), days=MARCH, by=By.PROVIDER)
    assert (unknown.key, unknown.figures.cost_usd) == ("", Decimal("0.5"))

    used = Used(input_tokens=1000)
    spent = make.cost_of(usage=used)
    make.charge(key=alice, request=request, usd=str(spent.total_usd))
    make.record(key=alice, request=request, of=make.price(), spent=spent, used=used)
    for _ in range(2):
        (known,) = figures_of(part=whole(acme), days=MARCH, by=By.PROVIDER)
        assert known.key == "openai"
        assert known.figures == Figures(spent.total_usd, 1, 1000, attempts=1)
        fill()
    assert usage_differences() == []


def test_tells_labels_apart(acme: Organization, alice: ApiKey) -> None:
    costs = [
        make.call(key=alice, used=Used(input_tokens=tokens), end_user=who)[1]
        for tokens, who in ((10, "u1"), (100, "u1"), (1000, "u2"), (5, ""))
    ]
    for _ in range(2):
        rows = figures_of(part=whole(acme), days=MARCH, by=By.END_USER)
        assert [(row.key, row.figures.cost_usd) for row in rows] == [
            ("u2", costs[2]),
            ("u1", costs[0] + costs[1]),
        ]
        filtered = figures_of(part=Slice(acme.pk, end_user="u1"), days=MARCH, by=By.MODEL)
        assert [(row.key, row.figures.calls) for row in filtered] == [("gpt-4o-mini", 2)]
        fill()


def test_follows_an_organization_to_another_time_zone(acme: Organization, alice: ApiKey) -> None:
    make.call(key=alice, at=datetime(2026, 3, 10, 20, 0, tzinfo=UTC), end_user="u1")
    fill()
    holds.change_time_zone(organization=acme, time_zone="Asia/Kathmandu", now=make.NOW)
    kathmandu = Days(date(2026, 3, 1), date(2026, 3, 31), acme.zone)

    def days(by: By) -> list[object]:
        rows = figures_of(part=whole(acme), days=kathmandu, by=by, each=Each.DAY)
        return [row.span for row in rows]

    assert days(By.MODEL) == days(By.END_USER) == [date(2026, 3, 11)]
    assert operations.follow_time_zones() == 1
    assert operations.follow_time_zones() == 0
    assert UsageZone.objects.get(organization=acme).time_zone == "Asia/Kathmandu"
    assert days(By.MODEL) == days(By.END_USER) == [date(2026, 3, 11)]
    assert usage_differences() == []


@pytest.mark.parametrize(
    "zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin"]
)
def test_cuts_days_and_hours_as_the_zones_clock_does(zone: str, db: None) -> None:
    """Calls around midnight and around changed clocks, against Python's own arithmetic."""
    acme = make.organization(time_zone=zone)
    key, _ = make.key(of=acme, user=make.user())
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    # Lord Howe puts its clock back by half an hour on 5 April, Berlin forward on 29 March.
    for begin in (datetime(2026, 4, 4, 12, tzinfo=UTC), datetime(2026, 3, 28, 17, tzinfo=UTC)):
        for quarters in range(48):
            at = begin + timedelta(minutes=15 * quarters, seconds=quarters % 2 * 899)
            _, cost_usd = make.call(key=key, at=at, used=Used(input_tokens=1 + quarters))
            by_day[at.astimezone(acme.zone).date()] += cost_usd
    days = Days(date(2026, 3, 20), date(2026, 4, 10), acme.zone)

    for _ in range(2):
        rows = figures_of(part=whole(acme), days=days, each=Each.DAY)
        assert {row.span: row.figures.cost_usd for row in rows} == by_day
        hours = figures_of(part=whole(acme), days=days, each=Each.HOUR)
        assert sum(row.figures.calls for row in hours) == 96
        assert {row.span for row in hours} <= set(days.hours)
        fill()
    assert usage_differences() == []


def test_every_zone_changes_its_clock_by_quarters_of_an_hour() -> None:
    """What the grain of the rollups rests on: docs/adr says so."""
    quarter = timedelta(minutes=15)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for name in available_timezones():
        zone = ZoneInfo(name)
        for weeks in range(52 * 11):
            offset = (begin + timedelta(weeks=weeks)).astimezone(zone).utcoffset()
            assert offset is not None
            assert offset % quarter == timedelta(0), name


CALLS = st.lists(
    st.tuples(
        st.integers(0, 60 * 24 * 3),
        st.sampled_from(["gpt-4o-mini", "claude-sonnet"]),
        st.sampled_from(["settle", "estimate", "late", "refund", "release", "again"]),
        st.booleans(),
    ),
    max_size=12,
)


@pytest.mark.django_db
@given(CALLS)
@settings(max_examples=40, deadline=None)
def test_holds_what_a_naive_sum_holds(steps: list[tuple[int, str, str, bool]]) -> None:
    """Any history, filled at any moments, is the plain sum over journal and records."""
    with transaction.atomic():
        acme = make.organization(time_zone="Asia/Kathmandu")
        key, _ = make.key(of=acme, user=make.user())
        for minutes, model, what, fills in steps:
            at = make.NOW - timedelta(minutes=minutes)
            _do(what, key=key, model=model, at=at)
            if fills:
                operations.fill(now=make.NOW, most=2)
        days = Days(date(2026, 3, 14), date(2026, 3, 20), acme.zone)
        expected = _naive(acme)
        for _ in range(2):
            rows = figures_of(part=whole(acme), days=days, by=By.PROVIDER, each=Each.DAY)
            assert {(row.span, row.key): row.figures for row in rows} == expected
            operations.fill(now=make.NOW)
        assert usage_differences() == []
        transaction.set_rollback(True)


def _do(what: str, *, key: ApiKey, model: str, at: datetime) -> None:
    if what in ("settle", "refund", "again"):
        request, cost_usd = make.call(key=key, at=at, model=model)
        if what == "refund":
            refund(request, of=key.organization, usd=str(-cost_usd / 2))
        if what == "again":
            used = Used(input_tokens=3)
            spent = make.cost_of(usage=used, of=make.price(model=model))
            make.record(
                key=key,
                request=request,
                of=make.price(model=model),
                spent=spent,
                used=used,
                attempt=2,
                provider="other",
            )
        return
    request = make.held_call(key=key, usd="0.25", at=at, model=model)
    kind = "release" if what == "release" else "estimate"
    make.charge(
        key=key, request=request, usd="0" if kind == "release" else "0.25", kind=kind, at=at
    )
    if what == "late":
        used = Used(input_tokens=100, output_tokens=5)
        of = make.price(model=model)
        spent = make.cost_of(usage=used, of=of)
        make.charge(key=key, request=request, usd=str(spent.total_usd), at=at)
        make.record(key=key, request=request, of=of, spent=spent, used=used, at=at)


def _naive(organization: Organization) -> dict[tuple[date, str], Figures]:
    """Add up journal and records in Python, call by call."""
    figures: dict[tuple[date, str], Figures] = defaultdict(Figures)
    entries: dict[Any, list[JournalEntry]] = defaultdict(list)
    for entry in JournalEntry.objects.for_organization(organization):
        entries[entry.request_id].append(entry)
    for request, booked in entries.items():
        attempts = list(
            CostRecord.objects.for_organization(organization)
            .filter(request_id=request)
            .order_by("attempt")
        )
        last = attempts[-1] if attempts else None
        on = booked[0].admitted_at.astimezone(organization.zone).date()
        figures[on, last.provider if last else ""] += Figures(
            cost_usd=sum((entry.amount_usd for entry in booked), Decimal(0)),
            calls=1,
            input_tokens=sum(record.input_tokens for record in attempts),
            cached_input_tokens=sum(record.cached_input_tokens for record in attempts),
            output_tokens=sum(record.output_tokens for record in attempts),
            reasoning_tokens=sum(record.reasoning_tokens for record in attempts),
            attempts=len(attempts),
        )
    return dict(figures)


@pytest.fixture
def own_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of one test's own: rollups are of the whole site, so its rows must not be others'."""
    with django_db_blocker.unblock(), on_own_copy():
        yield


def in_thread(work: Any) -> threading.Thread:
    """Run something on a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def race_with_an_open_transaction() -> list[Any]:
    """Fill while one call has its id but not its commit, and a later one has both."""
    acme = make.organization()
    slow, _ = make.key(of=acme, user=make.user())
    fast, _ = make.key(of=make.organization(slug="globex"), user=make.user())
    may_commit = threading.Event()
    has_booked = threading.Event()

    def book_slowly() -> None:
        with transaction.atomic():
            make.call(key=slow)
            has_booked.set()
            assert may_commit.wait(30)

    make.price()
    booking = in_thread(book_slowly)
    assert has_booked.wait(30)
    make.call(key=fast)
    operations.fill(now=make.NOW)
    may_commit.set()
    booking.join()
    operations.fill(now=make.NOW)
    return usage_differences()


def test_would_lose_a_call_whose_transaction_ends_late_without_the_lock(
    own_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race is real: without this failing, the test below means nothing."""
    real = read_sql
    monkeypatch.setattr(
        operations, "read_sql", lambda app, name: "select 1" if name == "cut" else real(app, name)
    )

    assert {difference.span for difference in race_with_an_open_transaction()} >= {"day"}


def test_loses_no_call_whose_transaction_ends_late(own_database: None) -> None:
    assert race_with_an_open_transaction() == []


def fill_twice_at_once() -> list[Any]:
    """Let two workers fill the same batch."""
    key, _ = make.key(of=make.organization(), user=make.user())
    make.call(key=key)
    operations.fill(now=make.NOW)
    for _ in range(5):
        make.call(key=key)
    both = threading.Barrier(2)

    def work() -> None:
        both.wait(30)
        operations.fill(now=make.NOW, most=1)

    for thread in [in_thread(work), in_thread(work)]:
        thread.join()
    return usage_differences()


def test_would_add_twice_if_workers_took_no_turns(
    own_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race is real: both read the same position, and both add what comes behind it."""
    read = threading.Barrier(2)
    positions = []

    def without_turn() -> FillState:
        state = FillState.objects.get()
        positions.append(state.entry_id)
        # The first fill is alone; then both workers read before either adds.
        if len(positions) > 2 and state.entry_id == positions[0] + 1:
            read.wait(30)
        return state

    monkeypatch.setattr(operations, "_own_turn", without_turn)

    assert fill_twice_at_once()


def test_adds_nothing_twice_when_two_workers_fill(own_database: None) -> None:
    assert fill_twice_at_once() == []


def test_catches_up_in_batches(acme: Organization, alice: ApiKey) -> None:
    for _ in range(5):
        make.call(key=alice)
    before = FillState.objects.get().entry_id

    assert operations.fill(now=make.NOW, batches=2, most=2) == 2
    assert FillState.objects.get().entry_id < JournalEntry.objects.latest("id").pk
    assert usage_of(part=whole(acme), days=MARCH).total.calls == 5
    assert operations.fill(now=make.NOW) >= 1
    assert FillState.objects.get().entry_id == JournalEntry.objects.latest("id").pk > before


def test_gives_way_while_the_ledger_is_locked(own_database: None) -> None:
    """A change that counts a tenant again holds the same lock; the next run fills."""
    may_end, has_begun = threading.Event(), threading.Event()

    def hold_the_lock() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(70700, 0)")
            has_begun.set()
            assert may_end.wait(30)

    holding = in_thread(hold_the_lock)
    assert has_begun.wait(30)
    assert operations.cut() is None
    assert operations.fill(now=make.NOW) == 0
    may_end.set()
    holding.join()
    assert operations.cut() is not None
