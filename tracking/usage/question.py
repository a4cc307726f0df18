"""What an address of the API asks about past use. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from budgets.http.params import ParamInvalid, Params
from tracking.usage.terms import Days, Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_ID = 2**63 - 1
MOST_DAYS = 366
MOST_ROWS = 1000
_USUAL_DAYS = 30

PERIOD = ("organization", "days", "from", "to", "format")
FILTERS = (
    "user",
    "project",
    "key",
    "model",
    "provider",
    "endpoint",
    "tag",
    "session",
    "end_user",
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which calls are asked for; whether their names may be known is judged elsewhere."""

    user_id: int | None = None
    project_id: int | None = None
    api_key_id: int | None = None
    model: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    tag: str | None = None
    session: str | None = None
    end_user: str | None = None


def read_filters(params: Params) -> Filters:
    """Read by what calls are filtered.

    :raises ParamInvalid: if a value can be no id and no name
    """
    return Filters(
        user_id=params.id("user"),
        project_id=params.id("project"),
        api_key_id=params.id("key"),
        model=params.text("model"),
        provider=params.text("provider", most=60),
        endpoint=params.text("endpoint", most=40),
        tag=params.text("tag", most=120),
        session=params.text("session"),
        end_user=params.text("end_user"),
    )


def read_days(params: Params, *, today: date, zone: ZoneInfo, most: int = MOST_DAYS) -> Days:
    """Read which days are meant: ``days=N`` up to today, or ``from`` and ``to``; else thirty.

    :raises ParamInvalid: if they make no sense, or are too many
    """
    count = params.whole("days", least=1, most=most)
    first_on, last_on = params.day("from"), params.day("to")
    if count is not None:
        if first_on or last_on:
            raise ParamInvalid("Give days, or from and to, but not both.", param="days")
        return _last_days(count, today, zone)
    if first_on is None and last_on is None:
        return _last_days(min(_USUAL_DAYS, most), today, zone)
    if first_on is None:
        raise ParamInvalid("Say from which day on.", param="from")
    days = Days(first_on, last_on or max(today, first_on), zone)
    if days.count < 1:
        raise ParamInvalid("The first day lies after the last one.", param="from")
    if days.count > most:
        raise ParamInvalid(f"These are {days.count} days; at most {most} go at once.", param="from")
    return days


def days_before(days: Days) -> Days:
    """Give as many days right before some days: what they are compared with."""
    before = timedelta(days=days.count)
    return Days(days.first_on - before, days.last_on - before, days.zone)


def _last_days(count: int, today: date, zone: ZoneInfo) -> Days:
    return Days(today - timedelta(days=count - 1), today, zone)


def place_text(place: Place) -> str:
    """Write where a list goes on, for an address; read_place() reads it to the microsecond."""
    return f"{(place.admitted_at - _EPOCH) // timedelta(microseconds=1)}-{place.entry_id}"


def read_place(params: Params) -> Place | None:
    """Read where a list of calls goes on.

    :raises ParamInvalid: if it goes on nowhere there
    """
    text = params.text("before", most=37)
    if text is None:
        return None
    microseconds, _, entry_id = text.partition("-")
    if not (text.isascii() and microseconds.isdigit() and entry_id.isdigit()):
        raise ParamInvalid("The list of calls does not go on there.", param="before")
    try:
        admitted_at = _EPOCH + timedelta(microseconds=int(microseconds))
    except OverflowError:
        raise ParamInvalid("The list of calls does not go on there.", param="before") from None
    return Place(admitted_at, min(int(entry_id), _MOST_ID))
