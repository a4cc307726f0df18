"""Which days a report is of, and when it is due. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from tracking.usage.terms import Days

# The hour of the organization's clock from which on the days before are told.
SENT_FROM = time(7)


class Rhythm(StrEnum):
    """How often there is a report."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def days_with(day: date, *, rhythm: Rhythm, zone: ZoneInfo) -> Days:
    """Give the day, the week from Monday on, or the month, that a day lies in."""
    match rhythm:
        case Rhythm.DAILY:
            return Days(day, day, zone)
        case Rhythm.WEEKLY:
            monday = day - timedelta(days=day.weekday())
            return Days(monday, monday + timedelta(days=6), zone)
        case Rhythm.MONTHLY:
            return Days.of_month(day, zone)
        case _:
            assert_never(rhythm)


def days_before(days: Days, *, rhythm: Rhythm) -> Days:
    """Give the day, week or month before one."""
    return days_with(days.first_on - timedelta(days=1), rhythm=rhythm, zone=days.zone)


def days_after(days: Days, *, rhythm: Rhythm) -> Days:
    """Give the day, week or month after one."""
    return days_with(days.last_on + timedelta(days=1), rhythm=rhythm, zone=days.zone)


def due_at(days: Days) -> datetime:
    """Give the instant from which on the report of some days is due: the next morning."""
    morning = days.last_on + timedelta(days=1)
    return datetime.combine(morning, SENT_FROM, tzinfo=days.zone)


def latest_due(*, rhythm: Rhythm, zone: ZoneInfo, now: datetime) -> Days:
    """Give the last day, week or month whose report is due."""
    days = days_before(
        days_with(now.astimezone(zone).date(), rhythm=rhythm, zone=zone), rhythm=rhythm
    )
    return days if due_at(days) <= now else days_before(days, rhythm=rhythm)


def name_of(days: Days, *, rhythm: Rhythm) -> str:
    """Name some days as people do: ``on 17 March 2026``, ``in the week of 9 March 2026``."""
    first = f"{days.first_on.day} {days.first_on:%B %Y}"
    match rhythm:
        case Rhythm.DAILY:
            return f"on {first}"
        case Rhythm.WEEKLY:
            return f"in the week of {first}"
        case Rhythm.MONTHLY:
            return f"in {days.first_on:%B %Y}"
        case _:
            assert_never(rhythm)
