"""Where answers are kept for the cache.

They are kept as the provider gave them, encrypted for their organization and project, and told
anew: with the cost of this call, which is zero. Nothing is ever found by another project.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from budgets.core.money import usd_text
from budgets.core.reader import Reader
from budgets.core.sealing import CredentialUnreadable, seal, unseal
from budgets.core.sql import read_sql

logger = logging.getLogger(__name__)

MOST_BYTES = 256_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer is kept: whose it is, and the 32-byte hash of what was asked."""

    organization_id: int
    project_id: int
    digest: bytes

    @property
    def owner(self) -> str:
        """Name whom the answer is sealed for, so that it opens nowhere else."""
        return f"cached {self.digest.hex()}@{self.organization_id}/{self.project_id}"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as its provider gave it: a body, or the events of a stream; and what it cost."""

    cost_usd: Decimal
    body: dict[str, Any] = field(default_factory=dict)
    events: Sequence[dict[str, Any]] = ()


async def find(
    reader: Reader, *, place: Place, secrets: Sequence[str], now: datetime
) -> KeptAnswer | None:
    """Find the answer that is kept at a place, if its time is not over and it can be read."""
    rows = await reader.rows(
        read_sql("tracking.gateway", "cached_answer"),
        {
            "organization": place.organization_id,
            "project": place.project_id,
            "digest": place.digest,
            "now": now,
        },
    )
    if not rows:
        return None
    sealed, cost_usd = rows[0]
    try:
        kept = orjson.loads(unseal(sealed=bytes(sealed), owner=place.owner, secrets=secrets))
    except CredentialUnreadable:
        # The site's keys were changed since, or the row was tampered with: as good as not kept.
        logger.warning("a cached answer of organization %s cannot be read", place.organization_id)
        return None
    return KeptAnswer(cost_usd, kept["body"], kept["events"])


async def keep(
    reader: Reader,
    *,
    place: Place,
    answer: KeptAnswer,
    ttl_s: int,
    secrets: Sequence[str],
    now: datetime,
) -> None:
    """Keep an answer, in the place of one that was there; one that is too large is not kept."""
    written = orjson.dumps({"body": answer.body, "events": list(answer.events)})
    if len(written) > MOST_BYTES:
        return
    await reader.rows(
        read_sql("tracking.gateway", "cache_answer"),
        {
            "organization": place.organization_id,
            "project": place.project_id,
            "digest": place.digest,
            "sealed": seal(key=written.decode(), owner=place.owner, secrets=secrets),
            "cost_usd": usd_text(answer.cost_usd),
            "expires_at": now + timedelta(seconds=ttl_s),
        },
    )
