"""Unusual spend as lines for people, each with what explains it and the way to its calls."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tracking.anomalies.models import Anomaly
from tracking.anomalies.queries import anomalies_of, calls_query, subject_names
from tracking.usage.terms import Days, Slice

MOST_LINES = 20
_WORDS = {"project": "Project", "api_key": "API key", "model": "Model"}


@dataclass(frozen=True, slots=True)
class UnusualLine:
    """One anomaly: whose, what its worst span cost, why, and the filters that show its calls."""

    anomaly: Anomaly
    whose: str
    excess_usd: Decimal
    calls_query: str

    @property
    def is_of_an_hour(self) -> bool:
        """Whether the amounts are those of an hour, not of a day."""
        return (self.anomaly.ends_at - self.anomaly.starts_at).total_seconds() <= 3600


def unusual_lines(*, part: Slice, days: Days) -> tuple[UnusualLine, ...]:
    """List what was unusual of a slice in some days, the latest first."""
    rows = list(anomalies_of(part=part, days=days)[:MOST_LINES])
    if not rows:
        return ()
    subjects = [(row.subject_kind, row.subject) for row in rows if row.subject]
    names = subject_names(organization_ids=[part.organization_id], subjects=subjects)
    return tuple(_line(row, names.get((row.subject_kind, row.subject), "")) for row in rows)


def _line(row: Anomaly, name: str) -> UnusualLine:
    whose = f"{_WORDS[row.subject_kind]} {name}" if row.subject else "Everybody together"
    return UnusualLine(row, whose, row.cost_usd - row.usual_usd, calls_query(anomaly=row))
