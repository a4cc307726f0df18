"""What is said to the ledger and what it answers. Pure values, and their form as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class IdempotentName:
    """What a caller named a request (Idempotency-Key), and the hash of its body."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """The worst case of one call: USD, tokens, and how long it may take.

    Where ``usd`` does not fit into every budget, as much as fits is held, down to ``least_usd``.
    """

    request_id: UUID
    organization_id: int
    api_key_id: int
    model: str
    usd: Decimal
    least_usd: Decimal
    tokens: int
    ttl_s: int
    tags: tuple[str, ...] = ()
    session: str = ""
    named: IdempotentName | None = None

    def as_json(self) -> dict[str, Any]:
        """Write the request as the SQL function reads it."""
        written: dict[str, Any] = {
            "id": self.request_id.hex,
            "key": self.api_key_id,
            "model": self.model,
            "usd": str(self.usd),
            "least_usd": str(self.least_usd),
            "tokens": self.tokens,
            "ttl_s": self.ttl_s,
        }
        # What is absent is not said: batches are read faster where they are short.
        if self.tags:
            written["tags"] = list(self.tags)
        if self.session:
            written["session"] = self.session
        if self.named:
            written |= {"name": self.named.name, "fingerprint": self.named.fingerprint}
        return written


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one call ended: what is charged in USD and tokens, and why (a JournalEntry kind)."""

    request_id: UUID
    organization_id: int
    usd: Decimal
    tokens: int
    kind: str = "charge"

    def as_json(self) -> dict[str, Any]:
        """Write the settlement as the SQL function reads it."""
        return {
            "id": self.request_id.hex,
            "org": self.organization_id,
            "usd": str(self.usd),
            "tokens": self.tokens,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class BalanceTold:
    """A balance as a verdict tells it; amounts in the budget's unit.

    ``is_sites`` tells one of the site's own budgets, whose figures no tenant is told.
    """

    budget_id: int
    name: str
    unit: str
    window: str
    window_start: datetime
    limit: Decimal
    spent: Decimal
    held: Decimal
    is_sites: bool = False

    @property
    def left(self) -> Decimal:
        """What neither is spent nor held, never below zero."""
        return max(self.limit - self.spent - self.held, Decimal(0))

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> BalanceTold:
        """Read what the SQL function wrote."""
        return cls(
            budget_id=told["id"],
            name=told["name"],
            unit=told["unit"],
            window=told["window"],
            window_start=datetime.fromisoformat(told["window_start"]),
            limit=Decimal(told["limit"]),
            spent=Decimal(told["spent"]),
            held=Decimal(told["held"]),
            is_sites=told["is_sites"],
        )


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """The request that used an idempotent name before: its id, and its charge once it has one."""

    request_id: UUID
    charged_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger decided about one operation; ``balance`` is the one that decided or binds.

    ``rates`` are the limits of requests and tokens that an admitted call counts against, with
    what is left of them after it; the tightest come first.
    """

    op: str
    request_id: UUID
    code: str
    amount_usd: Decimal | None
    balance: BalanceTold | None = None
    first: FirstRequest | None = None
    rates: tuple[BalanceTold, ...] = ()

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> Verdict:
        """Read a row of ``budgets_step``; its last column is parsed JSON."""
        op, request_id, code, amount_usd, told = row
        if told is None:
            return cls(op, request_id, code, amount_usd)
        if "request_id" in told:
            charged = told["charged_usd"]
            first = FirstRequest(UUID(told["request_id"]), Decimal(charged) if charged else None)
            return cls(op, request_id, code, amount_usd, first=first)
        if "rates" in told:
            rates = tuple(BalanceTold.from_json(rate) for rate in told["rates"])
            return cls(op, request_id, code, amount_usd, rates=rates)
        return cls(op, request_id, code, amount_usd, balance=BalanceTold.from_json(told))
