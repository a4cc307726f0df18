"""Days of a time zone: what belongs to which."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from tracking.usage.terms import Days


@pytest.mark.parametrize(
    ("on", "hours"),
    [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)],
)
def test_lasts_as_long_as_the_clocks_of_berlin_say(on: str, hours: int) -> None:
    day = date.fromisoformat(on)
    period = Days(day, day, ZoneInfo("Europe/Berlin")).period

    assert period.ends_at is not None
    assert period.ends_at - period.starts_at == timedelta(hours=hours)


def test_leaves_no_gap_between_two_days() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    year = Days(date(2026, 1, 1), date(2026, 12, 31), zone)

    assert year.count == 365
    assert len(year.starts) == 365
    assert year.starts[0] == year.period.starts_at
    assert year.period.ends_at is not None
    assert all(earlier < later for earlier, later in pairwise([*year.starts, year.period.ends_at]))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "zone",
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Havana",
        "Africa/Cairo",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "America/Santiago",
    ],
)
def test_agrees_with_the_dates_that_the_database_reads_off_an_instant(zone: str) -> None:
    days = Days(date(2026, 1, 1), date(2026, 12, 31), ZoneInfo(zone))
    around = [s + timedelta(seconds=n) for s in days.starts for n in (-1, 0, 1, 3600)][1:]

    with connection.cursor() as cursor:
        cursor.execute(
            "select t, (t at time zone %s)::date, width_bucket(t, %s::timestamptz[])"
            " from unnest(%s::timestamptz[]) t",
            [zone, days.starts, around],
        )
        rows = cursor.fetchall()

    dates = list(days)
    assert [row for row in rows if dates[row[2] - 1] != row[1]] == []


def test_begins_at_the_first_of_two_midnights() -> None:
    # Clocks in Havana go from 01:00 back to 00:00 on 1 November 2026.
    days = Days(date(2026, 11, 1), date(2026, 11, 1), ZoneInfo("America/Havana"))

    assert days.period.starts_at == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert days.period.ends_at == datetime(2026, 11, 2, 5, tzinfo=UTC)
