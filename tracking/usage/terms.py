"""What is asked about past use and what is answered. Pure values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo

from budgets.core.clock import Period
from budgets.core.money import ZERO_USD, quantize_usd


class By(StrEnum):
    """By which property of calls figures are told apart."""

    NOTHING = ""
    MODEL = "model"
    USER = "user"
    PROJECT = "project"
    API_KEY = "key"
    PROVIDER = "provider"
    ENDPOINT = "endpoint"
    TAG = "tag"
    SESSION = "session"
    END_USER = "end_user"
    WASTE = "waste"

    @property
    def is_label(self) -> bool:
        """Whether a call may have several of it, or none, so that rows need not add up."""
        return self in _LABELS


_LABELS = frozenset({By.TAG, By.SESSION, By.END_USER, By.WASTE})


class Each(StrEnum):
    """By which spans of time figures are told apart."""

    PERIOD = ""
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Slice:
    """Whose calls are meant: a tenant's, and of these only what every given filter lets through.

    ``viewer_id`` lets through only this person's own calls and those of the projects that they
    lead, whatever else is asked for.
    """

    organization_id: int
    user_id: int | None = None
    project_id: int | None = None
    api_key_id: int | None = None
    model: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    tag: str | None = None
    session: str | None = None
    end_user: str | None = None
    viewer_id: int | None = None
    led_project_ids: tuple[int, ...] = ()

    @property
    def labels(self) -> dict[By, str]:
        """The filters that are labels."""
        given = {By.TAG: self.tag, By.SESSION: self.session, By.END_USER: self.end_user}
        return {kind: label for kind, label in given.items() if label is not None}

    def as_arguments(self) -> dict[str, int | str | list[int] | None]:
        """Write the slice as the arguments of the SQL files; None lets everything through."""
        return {
            "organization": self.organization_id,
            "user_id": self.user_id,
            "project": self.project_id,
            "api_key": self.api_key_id,
            "model": self.model,
            "provider": self.provider,
            "endpoint": self.endpoint,
            "tag": self.tag,
            "session": self.session,
            "end_user": self.end_user,
            "viewer_id": self.viewer_id,
            "led_projects": list(self.led_project_ids),
        }


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days of a time zone, first and last included.

    A day is what its date covers: it begins at the first instant that carries the date, so that
    days of 23 and 25 hours leave no gap and no instant belongs to two. It is the rule by which
    windows of budgets are told apart, too.
    """

    first_on: date
    last_on: date
    zone: ZoneInfo

    @classmethod
    def of_month(cls, day: date, zone: ZoneInfo) -> Self:
        """Give the month that a day lies in."""
        first_on = day.replace(day=1)
        next_month = (first_on + timedelta(days=31)).replace(day=1)
        return cls(first_on, next_month - timedelta(days=1), zone)

    @property
    def count(self) -> int:
        """How many days there are."""
        return (self.last_on - self.first_on).days + 1

    @property
    def period(self) -> Period:
        """The half-open span of time that the days cover."""
        return Period(self._start(self.first_on), self._start(self.last_on + timedelta(days=1)))

    @property
    def starts(self) -> list[datetime]:
        """The instant at which each day begins, in UTC, oldest first."""
        return [self._start(day) for day in self]

    @property
    def hours(self) -> list[datetime]:
        """The instant at which each hour of the zone's clock begins, in UTC, oldest first.

        Clocks of some zones show another number of minutes than UTC's.
        """
        quarter, period = timedelta(minutes=15), self.period
        assert period.ends_at is not None
        count = (period.ends_at - period.starts_at) // quarter
        quarters = (period.starts_at + quarter * n for n in range(count))
        return sorted({at - timedelta(minutes=at.astimezone(self.zone).minute) for at in quarters})

    def __iter__(self) -> Iterator[date]:
        """Go through the dates, oldest first."""
        return (self.first_on + timedelta(days=n) for n in range(self.count))

    def _start(self, day: date) -> datetime:
        # Where midnight exists twice, this is the first; where it does not, the day's first instant.
        return datetime.combine(day, time.min, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Figures:
    """What some calls add up to. Cached input is part of the input, reasoning of the output."""

    cost_usd: Decimal = ZERO_USD
    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    attempts: int = 0
    failed_calls: int = 0

    def __add__(self, other: Self) -> Self:
        """Add up what two lots of calls come to."""
        return type(self)(
            *(getattr(self, part.name) + getattr(other, part.name) for part in fields(self))
        )

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def usd_per_call(self) -> Decimal | None:
        """The mean cost of a call; None where there was none."""
        return quantize_usd(self.cost_usd / self.calls) if self.calls else None

    @property
    def usd_per_1k_tokens(self) -> Decimal | None:
        """The mean cost of a thousand tokens in and out; None where there was none."""
        return quantize_usd(self.cost_usd * 1000 / self.tokens) if self.tokens else None


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one key in one span of time.

    ``span`` is the date of a day or the instant at which an hour begins, None where the period is
    not told apart. ``key`` is a name, or the id of a person, project or API key as text; empty
    where nothing is told apart, and for calls of which nobody recorded it.
    """

    span: date | datetime | None
    key: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One local day, and what each model cost on it, dearest first."""

    on: date
    figures: Figures
    model_costs_usd: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model, by the name that calls were admitted under."""

    model: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class UserFigures:
    """One person, whether or not they are a member still."""

    user_id: int
    name: str
    email: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Usage:
    """All figures of a slice over some days. Days, models and users each add up to the total.

    ``days`` has every day, oldest first; models and users come dearest first.
    """

    total: Figures
    days: tuple[DayFigures, ...]
    models: tuple[ModelFigures, ...]
    users: tuple[UserFigures, ...]


@dataclass(frozen=True, slots=True)
class SplitDay:
    """One local day, and what each group cost on it, dearest first."""

    on: date
    figures: Figures
    costs_usd: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Every day, oldest first, and every group by its key with its cost, dearest first."""

    days: tuple[SplitDay, ...]
    groups: tuple[tuple[str, Decimal], ...]

    @property
    def total_usd(self) -> Decimal:
        """What all days cost together."""
        return sum((day.figures.cost_usd for day in self.days), ZERO_USD)


@dataclass(frozen=True, slots=True)
class CallsWanted:
    """Of which calls a list is: all, those wasted in one way, or those of one prompt."""

    waste: str | None = None
    prompt_hash: UUID | None = None


@dataclass(frozen=True, slots=True)
class InFlight:
    """Calls that are under way and the worst case that is held for them."""

    calls: int
    held_usd: Decimal


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list of calls goes on: behind this call, which has been shown."""

    admitted_at: datetime
    entry_id: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a list shows it. ``cost_usd`` includes whatever was booked later.

    What the records say is None or zero where none was written: a call whose server died has a
    charge and no record.
    """

    request_id: UUID
    entry_id: int
    admitted_at: datetime
    kind: str
    model: str
    user_id: int
    user: str
    api_key_id: int
    api_key: str
    cost_usd: Decimal
    is_corrected: bool
    attempts: int
    provider: str | None
    outcome: str | None
    status: int | None
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    duration_ms: int | None
    email: str
    project_id: int
    project: str
    endpoint: str
    tags: list[str]
    session: str
    end_user: str

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the charge is an estimate that nothing has confirmed or corrected yet."""
        return self.kind == "estimate" and not self.is_corrected

    @property
    def ending(self) -> str:
        """How the call ended, in a word or two."""
        if self.is_unconfirmed:
            return "unconfirmed"
        if self.kind == "release":
            return "not billed"
        return "corrected" if self.is_corrected else self.outcome or "charged"


@dataclass(frozen=True, slots=True)
class CallsPage:
    """Some calls, newest first, and where older ones begin; None when these were the last."""

    calls: tuple[Call, ...]
    older: Place | None


@dataclass(frozen=True, slots=True)
class Position:
    """How far something counts: up to and with this journal entry and this cost record."""

    entry_id: int
    record_id: int
