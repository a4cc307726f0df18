"""What an address asks to see: days, filters, groups, and where the list of calls goes on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from budgets.core.errors import DomainError
from tracking.usage.terms import By, Days, Place

PERIODS = {
    "this-month": "This month",
    "last-month": "Last month",
    "last-7-days": "7 days",
    "last-30-days": "30 days",
}
# By what figures can be told apart on the page, and what each is called.
GROUPS = {
    By.MODEL: "Model",
    By.USER: "Person",
    By.PROJECT: "Project",
    By.API_KEY: "API key",
    By.TAG: "Tag",
    By.PROVIDER: "Provider",
    By.ENDPOINT: "Endpoint",
    By.SESSION: "Session",
    By.END_USER: "End user",
}
# By what the rows of the table are sorted; a minus turns the order around.
SORTS = (
    "cost",
    "name",
    "calls",
    "per_call",
    "per_1k",
    "input",
    "cached",
    "output",
    "failed",
    "change",
)
CUSTOM = "custom"
MOST_DAYS = 366

# The filters that are names.
NAMES = ("model", "tag", "provider", "endpoint", "session", "end_user")
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_ID = 2**63 - 1
_MOST_NAME = 160


class SelectionInvalid(DomainError):
    """This address asks for something that cannot be shown."""

    code = "value_out_of_range"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for, once it has been understood; ``params`` say the same in an address."""

    period: str
    days: Days
    project_id: int | None = None
    user_id: int | None = None
    api_key_id: int | None = None
    model: str | None = None
    tag: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    session: str | None = None
    end_user: str | None = None
    group: By = By.MODEL
    compares: bool = False
    sort: str = "cost"
    before: Place | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether only some of the calls are asked for."""
        return bool(self.project_id or self.user_id or self.api_key_id or self.names)

    @property
    def names(self) -> dict[str, str]:
        """The filters that are names, by their parameter."""
        given = {name: getattr(self, name) for name in NAMES}
        return {name: text for name, text in given.items() if text is not None}

    @property
    def params(self) -> dict[str, str]:
        """Write the selection as parameters of an address, without the place in a list."""
        is_custom = self.period == CUSTOM
        asked = {
            "period": None if is_custom or self.period == "this-month" else self.period,
            "from": self.days.first_on.isoformat() if is_custom else None,
            "to": self.days.last_on.isoformat() if is_custom else None,
            "project": self.project_id,
            "user": self.user_id,
            "key": self.api_key_id,
            **self.names,
            "group": None if self.group == By.MODEL else self.group.value,
            "compare": "previous" if self.compares else None,
            "sort": None if self.sort == "cost" else self.sort,
        }
        return {name: str(value) for name, value in asked.items() if value is not None}


def this_month(*, today: date, zone: ZoneInfo) -> Selection:
    """Select everything of the month that holds today: what an address without a question asks."""
    return Selection("this-month", _named_days("this-month", today, zone))


def parse(*, params: Mapping[str, str], today: date, zone: ZoneInfo) -> Selection:
    """Read the parameters of an address; ``today`` is the date where the organization is.

    Names that are empty are taken as not given, so that a form may send all of its fields.

    :raises SelectionInvalid: with a message for people, if one of them makes no sense
    """
    given = {name: text for name in params if (text := params[name].strip())}
    period, days = _days(given, today, zone)
    return Selection(
        period=period,
        days=days,
        project_id=_id(given, "project"),
        user_id=_id(given, "user"),
        api_key_id=_id(given, "key"),
        **{name: _name(name, given.get(name)) for name in NAMES},
        group=_group(given.get("group", By.MODEL)),
        compares=_compares(given.get("compare")),
        sort=_sort(given.get("sort", "cost")),
        before=_place(given.get("before")),
    )


def _days(given: Mapping[str, str], today: date, zone: ZoneInfo) -> tuple[str, Days]:
    if "from" in given or "to" in given:
        return CUSTOM, _custom_days(given, today, zone)
    period = given.get("period", "this-month")
    if period not in PERIODS:
        raise SelectionInvalid(f"There is no period “{period[:40]}”. Choose one of those below.")
    return period, _named_days(period, today, zone)


def _custom_days(given: Mapping[str, str], today: date, zone: ZoneInfo) -> Days:
    if "from" not in given:
        raise SelectionInvalid("Say from which day on.")
    first_on = _day(given["from"])
    last_on = _day(given["to"]) if "to" in given else max(today, first_on)
    days = Days(first_on, last_on, zone)
    if days.count < 1:
        raise SelectionInvalid("The first day lies after the last one.")
    if days.count > MOST_DAYS:
        raise SelectionInvalid(f"That are {days.count:,} days; at most {MOST_DAYS} can be shown.")
    return days


def _named_days(period: str, today: date, zone: ZoneInfo) -> Days:
    if period.startswith("last-") and period.endswith("-days"):
        count = int(period.split("-")[1])
        return Days(today - timedelta(days=count - 1), today, zone)
    this = Days.of_month(today, zone)
    is_last = period == "last-month"
    return Days.of_month(this.first_on - timedelta(days=1), zone) if is_last else this


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SelectionInvalid(f"“{text[:40]}” is no day. Write it as 2026-01-31.") from None
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise SelectionInvalid(f"“{text[:40]}” lies too far away.")
    return day


def _id(given: Mapping[str, str], name: str) -> int | None:
    if name not in given:
        return None
    text = given[name]
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MOST_ID):
        raise SelectionInvalid(f"There is no {name} “{text[:40]}” whose spend you may see.")
    return int(text)


def _name(param: str, text: str | None) -> str | None:
    if text is not None and (len(text) > _MOST_NAME or not text.isprintable()):
        raise SelectionInvalid(f"There is no {GROUPS[By(param)].lower()} of that name.")
    return text


def _group(text: str) -> By:
    if text not in GROUPS:
        raise SelectionInvalid(f"Figures cannot be told apart by “{text[:40]}”.")
    return By(text)


def _compares(text: str | None) -> bool:
    if text not in (None, "previous"):
        raise SelectionInvalid("Figures are compared with the previous days, or with none.")
    return text is not None


def _sort(text: str) -> str:
    if text.removeprefix("-") not in SORTS:
        raise SelectionInvalid(f"The table cannot be sorted by “{text[:40]}”.")
    return text


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    microseconds, _, entry_id = text.partition("-")
    if not (text.isascii() and microseconds.isdigit() and entry_id.isdigit() and len(text) < 38):
        raise SelectionInvalid("The list of calls does not go on there. Begin with the newest.")
    try:
        admitted_at = _EPOCH + timedelta(microseconds=int(microseconds))
    except OverflowError:
        raise SelectionInvalid("The list of calls does not go on there.") from None
    return Place(admitted_at, min(int(entry_id), _MOST_ID))
