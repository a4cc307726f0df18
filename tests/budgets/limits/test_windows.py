"""Windows in Python and in SQL are the same windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from budgets.limits.periods import window_at
from budgets.tenancy.callers import matches

WINDOWS = ("minute", "day", "week", "month", "quarter", "year", "total")
# Zones whose midnight is skipped or doubled, with half hours, and across the date line.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
)
instants = st.datetimes(
    # Hypothesis takes naive bounds and adds the zone itself.
    min_value=datetime(2016, 1, 1),  # noqa: DTZ001
    max_value=datetime(2030, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ZONES)
def test_begins_where_the_database_says(zone: str) -> None:
    statement = """
        select w, at, budgets_window_start(w, %(zone)s, at)
        from generate_series(%(first)s::timestamptz, %(last)s, interval '5 hours 17 minutes') at,
          unnest(%(windows)s::text[]) w
    """
    arguments: dict[str, Any] = {
        "zone": zone,
        "first": datetime(2016, 1, 1, tzinfo=UTC),
        "last": datetime(2019, 12, 31, tzinfo=UTC),
        "windows": list(WINDOWS),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        rows = cursor.fetchall()

    wrong = [
        (window, at, start)
        for window, at, start in rows
        if window_at(window=window, zone=ZoneInfo(zone), instant=at).starts_at != start
    ]
    assert len(rows) > 40_000
    assert wrong == []


@given(instant=instants, zone=st.sampled_from(ZONES), window=st.sampled_from(WINDOWS))
def test_follows_the_last_one_without_a_gap(instant: datetime, zone: str, window: str) -> None:
    found = window_at(window=window, zone=ZoneInfo(zone), instant=instant)

    if found.ends_at is None:
        assert window == "total"
        return
    assert found.starts_at < found.ends_at
    following = window_at(window=window, zone=ZoneInfo(zone), instant=found.ends_at)
    assert following.starts_at == found.ends_at


@pytest.mark.parametrize(
    ("zone", "instant", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2026, 10, 25, 12, tzinfo=UTC), 25),
        ("America/New_York", datetime(2026, 3, 8, 12, tzinfo=UTC), 23),
        ("Asia/Kolkata", datetime(2026, 3, 8, 12, tzinfo=UTC), 24),
    ],
)
def test_a_day_is_as_long_as_the_tenants_day(zone: str, instant: datetime, hours: int) -> None:
    found = window_at(window="day", zone=ZoneInfo(zone), instant=instant)

    assert found.ends_at is not None
    assert found.ends_at - found.starts_at == timedelta(hours=hours)


names = st.text(alphabet="ab/%_\\.-", max_size=8)


@pytest.mark.django_db
@given(
    data=st.lists(
        st.tuples(st.text(alphabet="ab/%_\\.*", max_size=6), names), min_size=1, max_size=50
    )
)
def test_patterns_match_the_same_in_python_and_in_sql(data: list[tuple[str, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select budgets_matches(p, m) from unnest(%s::text[], %s::text[]) with ordinality x(p, m, i)"
            " order by i",
            [[pattern for pattern, _ in data], [name for _, name in data]],
        )
        found = [row[0] for row in cursor.fetchall()]

    assert found == [matches(pattern=pattern, name=name) for pattern, name in data]
