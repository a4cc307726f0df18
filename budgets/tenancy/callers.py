"""Who calls: an API key's text found and proved, with what its plan says about output."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from budgets.core.errors import DomainError
from budgets.core.sql import read_sql
from budgets.tenancy import keys

_KEPT_S = 1.0
_MOST_KEPT = 10_000


class InvalidApiKey(DomainError):
    """The API key is missing, malformed, unknown, revoked or expired. Send
    "Authorization: Bearer cs_live_..." with a key of your organization."""

    code = "invalid_api_key"


@dataclass(frozen=True, slots=True)
class Caller:
    """An API key's holder: the tenant, who spends, and the plan's rules about output.

    These are for estimating; whether the key, the organization and the model are allowed is
    judged again by the ledger at each hold.
    """

    organization_id: int
    organization: str
    organization_slug: str
    zone: ZoneInfo
    api_key_id: int
    api_key: str
    project_id: int
    user_id: int
    scopes: list[str]
    expires_at: datetime | None
    is_active: bool
    plan: str
    default_output_tokens: int
    max_output_tokens: int | None
    fits_output: bool
    wait_for_room_ms: int
    stores_answers: bool
    required_tags: list[str]
    cache_ttl_s: int
    allowed_models: tuple[tuple[str, ...], ...]

    def may_call(self, model: str) -> bool:
        """Tell whether the plan's and the key's lists both let a model through."""
        return all(
            not patterns or any(matches(pattern=pattern, name=model) for pattern in patterns)
            for patterns in self.allowed_models
        )


class Reader(Protocol):
    """What can run a query on a connection of its own."""

    async def rows(self, statement: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run a query and give its rows."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a key's secret is held against: its digest, and for a while the one before rotation."""

    digest: bytes
    previous_digest: bytes
    previous_expires_at: datetime | None

    def holds(self, *, secret: str, pepper: bytes, now: datetime) -> bool:
        """Tell whether the secret is the key's; both comparisons always take place."""
        digest = keys.digest(secret=secret, pepper=pepper)
        is_current = hmac.compare_digest(digest, self.digest)
        was_before = hmac.compare_digest(digest, self.previous_digest)
        still_works = self.previous_expires_at is not None and now < self.previous_expires_at
        return is_current or (was_before and still_works)


# An unknown id is compared with a digest too: its answer takes as long as another's.
NOBODY = Proof(bytes(32), bytes(32), None)


class Callers:
    """Finds callers by their key, and keeps what it found for a second.

    So a change of a plan's output rules reaches every process within a second, while a change of
    money or of who may call takes effect at the next hold.
    """

    def __init__(self, *, reader: Reader, pepper: bytes) -> None:
        self._reader = reader
        self._pepper = pepper
        self._kept: dict[str, tuple[float, Proof, Caller | None]] = {}

    async def find(self, *, authorization: str | None, now: datetime) -> Caller:
        """Find who sent an Authorization header.

        :raises InvalidApiKey: for whatever reason the key does not open anything; one answer
        """
        key = keys.split((authorization or "").removeprefix("Bearer ").strip())
        if key is None:
            raise InvalidApiKey
        proof, caller = await self._known(key.lookup_id)
        is_proved = proof.holds(secret=key.secret, pepper=self._pepper, now=now)
        if not is_proved and self._kept.pop(key.lookup_id, None) is not None:
            # The key may have been made or rotated since it was looked up.
            proof, caller = await self._known(key.lookup_id)
            is_proved = proof.holds(secret=key.secret, pepper=self._pepper, now=now)
        if not is_proved or caller is None or not caller.is_active:
            raise InvalidApiKey
        if caller.expires_at is not None and caller.expires_at <= now:
            raise InvalidApiKey
        return caller

    async def _known(self, lookup_id: str) -> tuple[Proof, Caller | None]:
        kept = self._kept.get(lookup_id)
        if kept is None or kept[0] < time.monotonic():
            rows = await self._reader.rows(
                read_sql("budgets.tenancy", "caller"), {"lookup_id": lookup_id}
            )
            proof, caller = (_proof(rows[0][:3]), _caller(rows[0][3:])) if rows else (NOBODY, None)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = (time.monotonic() + _KEPT_S, proof, caller)
            self._kept[lookup_id] = kept
        return kept[1], kept[2]


def matches(*, pattern: str, name: str) -> bool:
    """Tell whether a name matches a pattern in which * stands for any run of characters."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == first
    if not name.startswith(first) or len(name) < len(first) + len(rest[-1]):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return name.endswith(rest[-1]) and len(name) - len(rest[-1]) >= at


def _proof(columns: tuple[Any, ...]) -> Proof:
    digest, previous_digest, previous_expires_at = columns
    return Proof(bytes(digest), bytes(previous_digest), previous_expires_at)


def _caller(columns: tuple[Any, ...]) -> Caller:
    organization_id, organization, slug, zone, *most, plan_models, key_models = columns
    lists = (tuple(plan_models), tuple(key_models))
    values = [organization_id, organization, slug, ZoneInfo(zone), *most, lists]
    return Caller(*values)
