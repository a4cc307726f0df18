"""Whether everything that was written about money agrees with everything else."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from budgets.core.snapshot import one_snapshot
from budgets.core.sql import read_sql
from budgets.holds import queries as holds
from budgets.holds.queries import BrokenSeal, Difference


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """A call whose records do not add up, and how."""

    organization_id: int
    request_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What a look at the whole ledger found, in one snapshot; all empty is as it should be."""

    balances: list[Difference]
    records: list[RecordDifference]
    seals: list[BrokenSeal]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.balances or self.records or self.seals)


def audit() -> Audit:
    """Compare balances with holds and journal, records with the journal, and seals with entries.

    All in one snapshot, while calls go on.
    """
    with one_snapshot():
        return Audit(holds.differences(), record_differences(), holds.broken_seals())


def record_differences() -> list[RecordDifference]:
    """Find calls whose records do not add up to themselves or to the journal."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.ledger", "record_differences"))
        return [RecordDifference(*row) for row in cursor.fetchall()]
