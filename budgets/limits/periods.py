"""Which window holds an instant, in a tenant's time zone. Pure; the SQL twin is window_start.sql.

Windows are half-open and begin at local midnight. Where midnight does not exist because clocks
go forward, the window begins when the day does; where it exists twice, at the second one. That
is what PostgreSQL's ``date_trunc(field, instant, zone)`` does, and a test holds both together.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from budgets.core.clock import Period

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def window_at(*, window: str, zone: ZoneInfo, instant: datetime) -> Period:
    """Find the window of a kind (minute, day, week, month, quarter, year, total) at an instant.

    Of the last days (``rolling``) it is today: at its end the first of them no longer counts.

    :raises KeyError: if there is no such kind of window
    """
    if window == "total":
        return Period(EPOCH, None)
    if window == "minute":
        start = instant.astimezone(UTC).replace(second=0, microsecond=0)
        return Period(start, start + timedelta(minutes=1))
    window = "day" if window == "rolling" else window
    first = _first_day(window, instant.astimezone(zone).date())
    return Period(_midnight(first, zone), _midnight(_next_first_day(window, first), zone))


def _first_day(window: str, day: date) -> date:
    if window == "day":
        return day
    if window == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[window]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _next_first_day(window: str, first: date) -> date:
    if window in ("day", "week"):
        return first + timedelta(days=1 if window == "day" else 7)
    months = first.year * 12 + first.month - 1 + _MONTHS[window]
    return date(months // 12, months % 12 + 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, time.min, tzinfo=zone)
    second = local.replace(fold=1)
    earlier, later = local.utcoffset(), second.utcoffset()
    is_twice = earlier is not None and later is not None and later < earlier
    return (second if is_twice else local).astimezone(UTC)
