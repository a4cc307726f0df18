"""The hours in which a provider charges less: pure, the instant is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Self
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(1, 8))


@dataclass(frozen=True, slots=True)
class Window:
    """Spans of UTC hours that hold on some ISO weekdays (1 is Monday).

    A span includes its start and excludes its end, runs over midnight when it ends before it
    starts, and covers the whole day when both are equal.
    """

    spans: tuple[tuple[time, time], ...]
    weekdays: frozenset[int]

    def covers(self, *, clock: time, weekday: int) -> bool:
        """Tell whether a UTC time of day on a weekday lies in one of the spans."""
        return weekday in self.weekdays and any(_in_span(clock, span) for span in self.spans)


@dataclass(frozen=True, slots=True)
class OffPeak:
    """A provider's cheaper hours. Hours are UTC; the weekday is read in the provider's time zone."""

    windows: tuple[Window, ...]
    time_zone: str = "UTC"

    def covers(self, at: datetime) -> bool:
        """Tell whether an aware instant is charged at the off-peak rates."""
        clock = at.astimezone(UTC).time()
        weekday = at.astimezone(ZoneInfo(self.time_zone)).isoweekday()
        return any(window.covers(clock=clock, weekday=weekday) for window in self.windows)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_json() wrote."""
        windows = tuple(
            Window(
                spans=tuple(_span(text) for text in window["hours_utc"]),
                weekdays=frozenset(window["weekdays"]),
            )
            for window in stored["windows"]
        )
        return cls(windows=windows, time_zone=stored["time_zone"])

    def as_json(self) -> dict[str, Any]:
        """Write the windows as plain JSON values, with hours as ``"16:30-00:30"``."""
        windows = [
            {
                "hours_utc": [f"{start:%H:%M}-{end:%H:%M}" for start, end in window.spans],
                "weekdays": sorted(window.weekdays),
            }
            for window in self.windows
        ]
        return {"windows": windows, "time_zone": self.time_zone}


def _in_span(clock: time, span: tuple[time, time]) -> bool:
    start, end = span
    if start < end:
        return start <= clock < end
    return clock >= start or clock < end


def _span(text: str) -> tuple[time, time]:
    start, end = text.split("-")
    return time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
