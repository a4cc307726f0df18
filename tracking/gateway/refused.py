"""Counts refused calls, for alerts: a refusal leaves nothing in the ledger.

A process counts in memory and adds to the database once a second, so that a flood of refused calls
costs one statement. What a killed process had not written yet is not counted; no money is in it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import psycopg

from budgets.core.errors import DomainError
from budgets.core.sql import read_sql
from budgets.tenancy.callers import Caller, Reader

logger = logging.getLogger(__name__)

# What keeps a call from being admitted; a body that is wrong is the client's own affair.
COUNTED = frozenset(
    {
        "budget_exceeded",
        "request_exceeds_budget",
        "budget_in_flight",
        "rate_limit_exceeded",
        "request_exceeds_rate_limit",
        "model_not_allowed",
        "model_not_priced",
        "tags_missing",
    }
)
_WRITTEN_EVERY_S = 1.0
# While the database is away no more than this is kept.
_MOST_KEPT = 10_000

Key = tuple[int, int, str, str, datetime]
Run = Callable[[Coroutine[Any, Any, None]], Any]


class Refused:
    """The refusals of one process that are not written yet."""

    def __init__(self, *, reader: Reader, run: Run) -> None:
        self._reader = reader
        self._run = run
        self._counts: Counter[Key] = Counter()
        self._is_due = False

    def note(self, error: DomainError, *, caller: Caller, model: str, now: datetime) -> None:
        """Count a refusal of a caller's call; errors that are no refusals are left out."""
        if error.code not in COUNTED or len(self._counts) >= _MOST_KEPT:
            return
        minute = now.replace(second=0, microsecond=0)
        key = (caller.organization_id, caller.api_key_id, model[:160], error.code, minute)
        self._counts[key] += 1
        if not self._is_due:
            self._is_due = True
            self._run(self._write_soon())

    async def _write_soon(self) -> None:
        await asyncio.sleep(_WRITTEN_EVERY_S)
        self._is_due = False
        counts, self._counts = self._counts, Counter()
        rows = [
            dict(
                zip(("organization", "api_key", "model", "code"), key[:4], strict=True),
                starts_at=key[4].isoformat(),
                calls=calls,
            )
            for key, calls in sorted(counts.items())
        ]
        try:
            await self._reader.rows(
                read_sql("tracking.gateway", "note_refused"), {"rows": json.dumps(rows)}
            )
        except (DomainError, psycopg.Error):
            # They go with the next ones; the calls themselves were answered.
            logger.warning("%d counts of refused calls could not be written", len(rows))
            self._counts.update(counts)
