"""Who calls: an API key's text found and proved, with what its plan says about output."""

from __future__ import annotations

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
    zone: ZoneInfo
    api_key_id: int
    api_key: str
    project_id: int
    user_id: int
    scopes: tuple[str, ...]
    expires_at: datetime | None
    is_active: bool
    plan: str
    default_output_tokens: int
    max_output_tokens: int | None
    fits_output: bool
    allowed_models: tuple[tuple[str, ...], ...]

    def may_call(self, model: str) -> bool:
        """Tell whether the plan's and the key's lists both let a model through."""
        return all(
            not patterns or any(matches(pattern=pattern, model=model) for pattern in patterns)
            for patterns in self.allowed_models
        )


class Reader(Protocol):
    """What can run a query on a connection of its own."""

    async def rows(self, statement: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run a query and give its rows."""


class Callers:
    """Finds callers by their key, and keeps what it found for a second.

    So a change of a plan's output rules reaches every process within a second, while a change of
    money or of who may call takes effect at the next hold.
    """

    def __init__(self, *, reader: Reader, pepper: bytes) -> None:
        self._reader = reader
        self._pepper = pepper
        self._kept: dict[str, tuple[float, bytes, Caller | None]] = {}

    async def find(self, *, authorization: str | None, now: datetime) -> Caller:
        """Find who sent an Authorization header.

        :raises InvalidApiKey: for whatever reason the key does not open anything; one answer
        """
        key = keys.split((authorization or "").removeprefix("Bearer ").strip())
        if key is None:
            raise InvalidApiKey
        stored, caller = await self._known(key.lookup_id)
        is_proved = keys.proves(secret=key.secret, pepper=self._pepper, stored=stored)
        if not is_proved or caller is None or not caller.is_active:
            raise InvalidApiKey
        if caller.expires_at is not None and caller.expires_at <= now:
            raise InvalidApiKey
        return caller

    async def _known(self, lookup_id: str) -> tuple[bytes, Caller | None]:
        kept = self._kept.get(lookup_id)
        if kept is None or kept[0] < time.monotonic():
            rows = await self._reader.rows(
                read_sql("budgets.tenancy", "caller"), {"lookup_id": lookup_id}
            )
            # An unknown id is compared with a digest too: its answer takes as long as another's.
            stored, caller = (bytes(rows[0][0]), _caller(rows[0])) if rows else (bytes(32), None)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = (time.monotonic() + _KEPT_S, stored, caller)
            self._kept[lookup_id] = kept
        return kept[1], kept[2]


def matches(*, pattern: str, model: str) -> bool:
    """Tell whether a model's name matches a pattern in which * stands for any run of characters."""
    first, *rest = pattern.split("*")
    if not rest:
        return model == first
    if not model.startswith(first) or len(model) < len(first) + len(rest[-1]):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = model.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return model.endswith(rest[-1]) and len(model) - len(rest[-1]) >= at


def _caller(row: tuple[Any, ...]) -> Caller:
    (
        _,
        organization_id,
        organization,
        zone,
        api_key_id,
        api_key,
        project_id,
        user_id,
        scopes,
        expires_at,
        is_active,
        plan,
        default_output,
        max_output,
        fits,
        plan_models,
        key_models,
    ) = row
    return Caller(
        organization_id=organization_id,
        organization=organization,
        zone=ZoneInfo(zone),
        api_key_id=api_key_id,
        api_key=api_key,
        project_id=project_id,
        user_id=user_id,
        scopes=tuple(scopes),
        expires_at=expires_at,
        is_active=is_active,
        plan=plan,
        default_output_tokens=default_output,
        max_output_tokens=max_output,
        fits_output=fits,
        allowed_models=(tuple(plan_models), tuple(key_models)),
    )
