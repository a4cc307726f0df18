"""What answers from the response cache saved."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from budgets.core.sql import read_sql
from tracking.usage.terms import Days, Slice


@dataclass(frozen=True, slots=True)
class Saved:
    """How many calls were answered from the cache, and what they would have cost."""

    calls: int
    saved_usd: Decimal


def saved_of(*, part: Slice, days: Days) -> Saved:
    """Add up what the cache saved in some days; the calls are told by records, so only once over."""
    period = days.period
    arguments = part.as_arguments() | {"starts_at": period.starts_at, "ends_at": period.ends_at}
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.usage", "saved"), arguments)
        return Saved(*cursor.fetchone())
