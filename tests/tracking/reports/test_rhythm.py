"""Days, weeks and months of an organization's own clock, and the morning after them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.reports.rhythm import (
    Rhythm,
    days_after,
    days_before,
    days_with,
    due_at,
    latest_due,
    name_of,
)

ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Africa/Cairo"]
)
INSTANTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  the strategy adds the zone
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("rhythm", "first", "last", "name"),
    [
        (Rhythm.DAILY, "2026-03-18", "2026-03-18", "on 18 March 2026"),
        (Rhythm.WEEKLY, "2026-03-16", "2026-03-22", "in the week of 16 March 2026"),
        (Rhythm.MONTHLY, "2026-03-01", "2026-03-31", "in March 2026"),
    ],
)
def test_names_days_weeks_and_months(rhythm: Rhythm, first: str, last: str, name: str) -> None:
    days = days_with(date(2026, 3, 18), rhythm=rhythm, zone=BERLIN)

    assert (days.first_on.isoformat(), days.last_on.isoformat()) == (first, last)
    assert name_of(days, rhythm=rhythm) == name


def test_is_due_at_seven_of_the_organizations_clock() -> None:
    """The night before, clocks went forward: seven in the morning is 5 o'clock UTC, not 6."""
    days = days_with(date(2026, 3, 28), rhythm=Rhythm.DAILY, zone=BERLIN)

    assert due_at(days).astimezone(UTC) == datetime(2026, 3, 29, 5, 0, tzinfo=UTC)


@given(INSTANTS, ZONES, st.sampled_from(Rhythm))
def test_the_latest_due_is_the_last_that_is_over(at: datetime, name: str, rhythm: Rhythm) -> None:
    days = latest_due(rhythm=rhythm, zone=ZoneInfo(name), now=at)

    assert due_at(days) <= at < due_at(days_after(days, rhythm=rhythm))
    assert days.last_on < at.astimezone(ZoneInfo(name)).date()


@given(INSTANTS, ZONES, st.sampled_from(Rhythm))
def test_periods_follow_one_another_without_a_gap(at: datetime, name: str, rhythm: Rhythm) -> None:
    days = days_with(at.date(), rhythm=rhythm, zone=ZoneInfo(name))

    assert days.first_on <= at.date() <= days.last_on
    before, after = days_before(days, rhythm=rhythm), days_after(days, rhythm=rhythm)
    assert before.last_on + timedelta(days=1) == days.first_on
    assert days.last_on + timedelta(days=1) == after.first_on
