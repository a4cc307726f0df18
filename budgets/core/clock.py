"""The one place that reads the clock, for edges; everything else takes ``now`` as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


def now() -> datetime:
    """Read the clock once, as an aware instant in UTC. For views, tasks and commands only."""
    return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of time: ``starts_at <= t < ends_at``; an open end is None."""

    starts_at: datetime
    ends_at: datetime | None

    def __contains__(self, instant: datetime) -> bool:
        """Tell whether the instant lies in the period."""
        return self.starts_at <= instant and (self.ends_at is None or instant < self.ends_at)
