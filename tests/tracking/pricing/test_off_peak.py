"""The hours in which a provider charges less."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from tracking.pricing.off_peak import EVERY_DAY, OffPeak, Window

WORKDAYS = frozenset(range(1, 6))


def off_peak(
    start: str, end: str, weekdays: frozenset[int] = EVERY_DAY, zone: str = "UTC"
) -> OffPeak:
    """One span."""
    span = (time.fromisoformat(start), time.fromisoformat(end))
    return OffPeak(windows=(Window(spans=(span,), weekdays=weekdays),), time_zone=zone)


@pytest.mark.parametrize(
    ("start", "end", "clock", "expected"),
    [
        ("01:00", "04:00", "01:00", True),
        ("01:00", "04:00", "03:59", True),
        ("01:00", "04:00", "04:00", False),
        ("16:30", "00:30", "23:59", True),
        ("16:30", "00:30", "00:29", True),
        ("16:30", "00:30", "00:30", False),
        ("10:00", "00:00", "09:59", False),
        ("00:00", "00:00", "12:00", True),
    ],
)
def test_includes_the_start_and_not_the_end(
    start: str, end: str, clock: str, *, expected: bool
) -> None:
    at = datetime.combine(datetime(2026, 3, 4, tzinfo=UTC), time.fromisoformat(clock), tzinfo=UTC)
    assert off_peak(start, end).covers(at) is expected


def test_reads_the_weekday_in_the_time_zone_of_the_provider() -> None:
    friday_evening = datetime(2026, 3, 6, 17, tzinfo=UTC)
    assert off_peak("16:00", "20:00", WORKDAYS).covers(friday_evening)
    assert not off_peak("16:00", "20:00", WORKDAYS, "Asia/Shanghai").covers(friday_evening)


def test_reads_back_what_it_wrote() -> None:
    written = off_peak("16:30", "00:30", WORKDAYS, "Asia/Shanghai")
    assert OffPeak.of_json(written.as_json()) == written
