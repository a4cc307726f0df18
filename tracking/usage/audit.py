"""Whether the rollups are what the ledger adds up to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from budgets.core.snapshot import one_snapshot
from budgets.core.sql import read_sql
from tracking.ledger import queries as ledger
from tracking.ledger.queries import Audit


@dataclass(frozen=True, slots=True)
class UsageDifference:
    """A rollup that is not what the ledger adds up to, and by how much it is off."""

    organization_id: int
    span: str
    since: str
    label: str
    model: str
    cost_usd: Decimal
    calls: int


def audit_all() -> tuple[Audit, list[UsageDifference]]:
    """Compare all that was written about money with everything else, in one snapshot."""
    with one_snapshot():
        return ledger.audit(), usage_differences()


def usage_differences() -> list[UsageDifference]:
    """Compare the rollups, as far as they are filled, with the ledger; give the first thousand."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.usage", "differences"))
        return [UsageDifference(*row) for row in cursor.fetchall()]
