"""The ends of a call: what each charges and how it is recorded. Pure.

====================================================  ========================================
full answer with usage                                price of the usage, kind ``charge``
answer without usage                                  what was counted here, kind ``estimate``
failure that the provider does not bill               nothing, kind ``release``
failure that may be billed, nothing known             the whole hold, kind ``estimate``
answer from the cache                                 nothing, kind ``charge``
stream broken off after some output, no usage         what was counted here, kind ``estimate``
====================================================  ========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD, usd_text
from budgets.holds.terms import Settlement
from tracking.gateway.attribution import Attribution
from tracking.gateway.estimate import Estimate
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Cost, cost
from tracking.pricing.rates import RateMissing
from tracking.pricing.usage import Usage


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call from its admission on.

    ``origin_request_id`` is that of the call that this one was made instead of, when its model failed.
    """

    request_id: UUID
    organization_id: int
    endpoint: str
    asked_model: str
    model: PricedModel
    attribution: Attribution
    estimate: Estimate
    held_usd: Decimal
    output_cap_tokens: int | None
    is_streamed: bool
    started_at: datetime
    origin_request_id: UUID | None = None

    @property
    def is_fitted(self) -> bool:
        """Whether the output cap was lowered to what the budget left pays for."""
        return self.output_cap_tokens != self.estimate.output_cap_tokens


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt at a call ended. ``usage`` None means that nothing was reported or counted.

    ``provider`` is the one it was made at, "" the model's own; ``credential`` the key it was made with.
    ``saved_usd`` is what an answer from the cache would have cost; None for one that was made.
    """

    usage: Usage | None = None
    is_counted_here: bool = False
    failure: DomainError | None = None
    may_be_billed: bool = False
    was_cancelled: bool = False
    status: int = 200
    finish_reason: str = ""
    provider_request_id: str = ""
    service_tier: str = ""
    first_byte_ms: int | None = None
    duration_ms: int = 0
    attempt: int = 1
    provider: str = ""
    credential: str = ""
    saved_usd: Decimal | None = None
    prompt_hash: str | None = None

    @property
    def is_unbilled(self) -> bool:
        """Whether the attempt failed and surely cost nothing."""
        return self.failure is not None and self.usage is None and not self.may_be_billed


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement with its record, ready for the ledger, and the cost behind both."""

    settlement: Settlement
    record: dict[str, Any]
    cost_usd: Decimal


def settled(*, call: Call, end: End) -> Settled:
    """Decide what a call is charged, and write its record."""
    kind, usage, source, charged = _charge(call, end)
    settlement = Settlement(
        request_id=call.request_id,
        organization_id=call.organization_id,
        usd=charged.total_usd,
        tokens=usage.input_tokens + usage.output_tokens,
        kind=kind,
    )
    record = _record(call, end, usage, source, charged)
    return Settled(settlement, record, charged.total_usd)


def _charge(call: Call, end: End) -> tuple[str, Usage, str, Cost]:
    """Choose kind, usage, usage source and cost."""
    if end.saved_usd is not None:
        return "charge", Usage(requests=0), "none", Cost((), ZERO_USD)
    if end.usage is not None:
        kind = "estimate" if end.is_counted_here else "charge"
        source = "counted" if end.is_counted_here else "provider"
        try:
            priced = cost(
                usage=end.usage,
                rates=call.model.rates,
                service_tier=end.service_tier,
                at=call.started_at,
            )
        except RateMissing:
            # Something was used that the price does not name: never free, so the whole hold.
            return "estimate", end.usage, source, Cost((), call.held_usd)
        return kind, end.usage, source, priced
    if end.may_be_billed:
        most = call.estimate.most_usage(output_cap_tokens=call.output_cap_tokens)
        return "estimate", most, "assumed", Cost((), call.held_usd)
    return "release", Usage(), "none", Cost((), ZERO_USD)


def _outcome(end: End) -> str:
    if end.saved_usd is not None:
        return "cached"
    if end.failure is None:
        return "cancelled" if end.was_cancelled else "completed"
    if end.usage is not None:
        return "interrupted"
    return "unknown" if end.may_be_billed else "failed"


def _record(call: Call, end: End, usage: Usage, source: str, charged: Cost) -> dict[str, Any]:
    """Write a CostRecord as the ledger's statement reads it."""
    return {
        "organization_id": call.organization_id,
        "request_id": str(call.request_id),
        "origin_request_id": call.origin_request_id and str(call.origin_request_id),
        "attempt": end.attempt,
        "endpoint": call.endpoint,
        "provider": end.provider or call.model.provider,
        "credential": end.credential,
        "asked_model": call.asked_model,
        "model": call.model.name,
        "price_id": call.model.price_id,
        "price_rule_id": call.model.price_rule_id,
        "outcome": _outcome(end),
        "usage_source": source,
        "status": end.status,
        "error_code": end.failure.code if end.failure else "",
        "is_streamed": call.is_streamed,
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "lines": charged.lines_json(),
        "cost_usd": usd_text(charged.total_usd),
        "saved_usd": usd_text(end.saved_usd or ZERO_USD),
        "output_cap_tokens": call.output_cap_tokens,
        "is_fitted": call.is_fitted,
        "prompt_hash": end.prompt_hash,
        "service_tier": _plain(end.service_tier, 20),
        "finish_reason": _plain(end.finish_reason, 40),
        "provider_request_id": _plain(end.provider_request_id, 160),
        "end_user": call.attribution.end_user,
        "session": call.attribution.session,
        "tags": list(call.attribution.tags),
        "metadata": dict(call.attribution.metadata),
        "started_at": call.started_at.isoformat(),
        "first_byte_ms": end.first_byte_ms,
        "duration_ms": end.duration_ms,
    }


def _plain(text: Any, most: int) -> str:
    """Keep what a provider said short and free of what a column cannot hold.

    That is NUL, and half of a surrogate pair, which no UTF-8 has.
    """
    return str(text or "").replace("\x00", "")[:most].encode(errors="replace").decode()
