"""What the ledger holds, and whether it agrees with itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

from budgets.core.sql import read_sql


@dataclass(frozen=True, slots=True)
class Difference:
    """A balance that is not what the open holds and the journal add up to."""

    balance_id: int
    organization_id: int | None
    budget: str
    subject: str
    window_start: datetime
    unit: str
    held: Decimal
    held_by_holds: Decimal
    spent: Decimal
    spent_by_journal: Decimal


@dataclass(frozen=True, slots=True)
class BrokenSeal:
    """A sealed hour that is no longer what was sealed, and why."""

    organization_id: int
    hour: datetime
    reason: str


def broken_seals() -> list[BrokenSeal]:
    """Compute every sealed hour's hash again, and find hours that went unsealed."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("budgets.holds", "broken_seals"))
        return [BrokenSeal(*row) for row in cursor.fetchall()]


def differences() -> list[Difference]:
    """Compare every balance with the open holds and the journal, in one snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("budgets.holds", "differences"))
        return [Difference(*row) for row in cursor.fetchall()]
