"""What a file is asked to hold. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

from tracking.usage.terms import By, Days, Slice

CALLS, DAYS = "calls", "day"
# What the rows of a file are: calls, days, or whatever figures are told apart by.
WHATS = {
    CALLS: "Calls",
    DAYS: "Days",
    By.MODEL.value: "Models",
    By.USER.value: "People",
    By.PROJECT.value: "Projects",
    By.API_KEY.value: "API keys",
    By.PROVIDER.value: "Providers",
    By.ENDPOINT.value: "Endpoints",
    By.TAG.value: "Tags",
    By.SESSION.value: "Sessions",
    By.END_USER.value: "End users",
}

Cell = str | int | Decimal | datetime | date | None
# A row by the names of its columns.
Row = Mapping[str, Cell]


class Form(StrEnum):
    """How a file is written."""

    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"
    FOCUS = "focus"

    @property
    def media_type(self) -> str:
        """What it is called over HTTP."""
        return _MEDIA_TYPES[self]

    @property
    def label(self) -> str:
        """What people call it."""
        return _LABELS[self]


_MEDIA_TYPES = {
    Form.CSV: "text/csv; charset=utf-8",
    Form.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Form.JSONL: "application/jsonl",
    Form.FOCUS: "text/csv; charset=utf-8",
}
_LABELS = {Form.CSV: "CSV", Form.XLSX: "XLSX", Form.JSONL: "JSON Lines", Form.FOCUS: "FOCUS"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file: which rows, of which calls and days, in which form.

    ``compares`` puts the days before beside grouped figures; other rows have no such columns.
    """

    what: str
    form: Form
    part: Slice
    days: Days
    compares: bool = False

    @property
    def by(self) -> By:
        """By what figures are told apart; nothing for calls and days."""
        return By.NOTHING if self.what in (CALLS, DAYS) else By(self.what)

    @property
    def file_name(self) -> str:
        """What the file is called; names of tenants are left out, since they can be anything."""
        ending = "csv" if self.form == Form.FOCUS else self.form.value
        mark = "focus-" if self.form == Form.FOCUS else ""
        first, last = self.days.first_on.isoformat(), self.days.last_on.isoformat()
        return f"costsite-{mark}{self.what.replace('_', '-')}-{first}-to-{last}.{ending}"

    def as_json(self) -> dict[str, Any]:
        """Write it as it is kept."""
        return {
            "what": self.what,
            "form": self.form.value,
            "part": asdict(self.part) | {"led_project_ids": list(self.part.led_project_ids)},
            "first_on": self.days.first_on.isoformat(),
            "last_on": self.days.last_on.isoformat(),
            "time_zone": self.days.zone.key,
            "compares": self.compares,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read it back."""
        part = dict(kept["part"])
        part["led_project_ids"] = tuple(part["led_project_ids"])
        first_on, last_on = (date.fromisoformat(kept[name]) for name in ("first_on", "last_on"))
        days = Days(first_on, last_on, ZoneInfo(kept["time_zone"]))
        form = Form(kept["form"])
        return cls(kept["what"], form, Slice(**part), days, compares=kept["compares"])
