"""Requests that are sent again under one Idempotency-Key: charged once, whatever happens.

While the first is under way, the second is told so. With another body it is refused. When the first
has been answered, its answer is given again if the organization chose to keep answers (encrypted,
for a day, up to a size), and otherwise the charge is told.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from budgets.core.reader import Reader
from budgets.core.sealing import CredentialUnreadable, seal, unseal
from budgets.core.sql import read_sql
from budgets.holds.terms import IdempotentName
from tracking.gateway.endpoints.bodies import InvalidRequest

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
MOST_BYTES = 256_000
KEPT = timedelta(hours=24)
_BOUNDARY = re.compile(r"^\s*multipart/form-data\s*;.*boundary=\"?(?P<line>[^\";]+)", re.IGNORECASE)
_NAME = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it was given: its bytes and content type."""

    body: bytes
    content_type: str


def named(
    *, header: str | None, endpoint: str, body: bytes, content_type: str = ""
) -> IdempotentName | None:
    """Read the name of a request; two bodies that mean the same JSON have the same fingerprint, and
    so have two forms that differ in nothing but the line between their parts.

    :raises InvalidRequest: if the name is empty, too long or not printable ASCII
    """
    if header is None:
        return None
    if not _NAME.fullmatch(header):
        raise InvalidRequest(f"{HEADER} must be 1 to 255 printable ASCII characters.", param=HEADER)
    boundary = _BOUNDARY.search(content_type)
    if boundary:
        canonical = body.replace(boundary["line"].encode(), b"")
    else:
        canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    fingerprint = hashlib.sha256(endpoint.encode() + b"\n" + canonical).hexdigest()
    return IdempotentName(header, fingerprint)


async def store(
    reader: Reader,
    *,
    organization_id: int,
    request_id: UUID,
    answer: StoredAnswer,
    secrets: Sequence[str],
    now: datetime,
) -> None:
    """Keep an answer, encrypted for its request; one that is too large is not kept."""
    if len(answer.body) > MOST_BYTES:
        return
    arguments: dict[str, Any] = {
        "organization": organization_id,
        "request_id": request_id,
        "content_type": answer.content_type,
        "sealed": seal(
            key=answer.body.decode("latin-1"),
            owner=_owner(organization_id, request_id),
            secrets=secrets,
        ),
        "expires_at": now + KEPT,
    }
    await reader.rows(read_sql("tracking.gateway", "store_answer"), arguments)


async def stored(
    reader: Reader, *, organization_id: int, request_id: UUID, secrets: Sequence[str], now: datetime
) -> StoredAnswer | None:
    """Find the answer that a request was given, if it was kept and can still be read."""
    rows = await reader.rows(
        read_sql("tracking.gateway", "stored_answer"),
        {"organization": organization_id, "request_id": request_id, "now": now},
    )
    if not rows:
        return None
    content_type, sealed = rows[0]
    owner = _owner(organization_id, request_id)
    try:
        body = unseal(sealed=bytes(sealed), owner=owner, secrets=secrets)
    except CredentialUnreadable:
        # The site's keys were changed since, or the row was tampered with: as good as not kept.
        logger.warning("the kept answer of call %s cannot be read", request_id)
        return None
    return StoredAnswer(body.encode("latin-1"), content_type)


def _owner(organization_id: int, request_id: UUID) -> str:
    return f"answer {request_id}@{organization_id}"
