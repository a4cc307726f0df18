"""Why a call was not admitted, as errors that say what to do. Pure.

Three refusals of money are told apart. Spent: nothing to do until the window ends or the limit
is raised. In flight: other calls hold the room and will give some back. Too large: this call
asks for more than is left, a smaller one would pass.
"""

from __future__ import annotations

import math
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from budgets.core.errors import DomainError
from budgets.core.money import format_usd
from budgets.holds.terms import BalanceTold, HoldRequest, Verdict
from budgets.limits.periods import window_at
from budgets.tenancy.callers import InvalidApiKey


class BudgetExceeded(DomainError):
    """The budget is used up."""

    code = "budget_exceeded"


class BudgetInFlight(DomainError):
    """Other calls under way hold what is left of the budget."""

    code = "budget_in_flight"


class RequestExceedsBudget(DomainError):
    """This call could cost more than is left of the budget."""

    code = "request_exceeds_budget"


class RateLimitExceeded(DomainError):
    """Too many requests or tokens in a window, or at once."""

    code = "rate_limit_exceeded"


class RequestExceedsRateLimit(DomainError):
    """This call alone is larger than a rate limit, so it would never be let through."""

    code = "request_exceeds_rate_limit"


class OrganizationSuspended(DomainError):
    """The organization is suspended. Ask its owner or the operator of this site."""

    code = "organization_suspended"


class ProjectArchived(DomainError):
    """The key's project is archived. Use a key of an active project."""

    code = "project_archived"


class ModelNotAllowed(DomainError):
    """The plan or the API key does not allow this model. GET /v1/models lists those it does."""

    code = "model_not_allowed"


class IdempotencyInFlight(DomainError):
    """A request with this Idempotency-Key is under way. Try again when it has ended."""

    code = "idempotency_in_flight"


class IdempotencyMismatch(DomainError):
    """This Idempotency-Key was used for a request with another body. Use a new one."""

    code = "idempotency_mismatch"


class IdempotencyDone(DomainError):
    """A request with this Idempotency-Key was answered and charged before; its answer was not
    kept. An organization can choose to keep answers for a day."""

    code = "idempotency_result_not_stored"


class AlreadyAdmitted(DomainError):
    """A call with this request id was admitted before."""

    code = "conflict"


_PLAIN: dict[str, type[DomainError]] = {
    "invalid_api_key": InvalidApiKey,
    "organization_suspended": OrganizationSuspended,
    "project_archived": ProjectArchived,
    "model_not_allowed": ModelNotAllowed,
    "duplicate_open": AlreadyAdmitted,
    "duplicate_resolved": AlreadyAdmitted,
    "name_mismatch": IdempotencyMismatch,
}
_WINDOW_WORDS = {"total": " in all", "rolling": " in its last days"}


def refusal_of(
    *, verdict: Verdict, request: HoldRequest, zone: ZoneInfo, now: datetime
) -> DomainError:
    """Make the error that a refused hold is answered with.

    :raises KeyError: if the verdict is not a refusal
    """
    if verdict.first is not None:
        return _repeated(verdict)
    if verdict.balance is None:
        return _PLAIN[verdict.code]()
    refuse = _over_budget if verdict.balance.unit == "usd" else _rate_limit
    if verdict.balance.is_sites:
        return _without_figures(
            refuse(verdict.balance, request=request, zone=ZoneInfo("UTC"), now=now)
        )
    return refuse(verdict.balance, request=request, zone=zone, now=now)


def is_only_in_flight(*, verdict: Verdict, request: HoldRequest) -> bool:
    """Tell whether only other calls under way keep a refused one from being admitted."""
    balance = verdict.balance
    if balance is None:
        return False
    if balance.unit == "in_flight":
        return balance.limit >= 1
    return balance.unit == "usd" and request.least_usd <= balance.limit - balance.spent


def resets_at(balance: BalanceTold, *, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Find when a balance's window ends, or the one that has followed it; None when it never does."""
    ends_at = _end_of_window(balance.window, zone, balance.window_start)
    if ends_at is None or now < ends_at:
        return ends_at
    return window_at(window=balance.window, zone=zone, instant=now).ends_at


@lru_cache(maxsize=4096)
def _end_of_window(window: str, zone: ZoneInfo, start: datetime) -> datetime | None:
    """Every answer tells one: those of a window tell the same."""
    return window_at(window=window, zone=zone, instant=start).ends_at


def _repeated(verdict: Verdict) -> DomainError:
    assert verdict.first is not None
    first_id = str(verdict.first.request_id)
    if verdict.code == "name_in_flight":
        return IdempotencyInFlight(first_request_id=first_id, retry_after_s=1)
    return IdempotencyDone(first_request_id=first_id, charged_usd=verdict.first.charged_usd)


def _over_budget(
    balance: BalanceTold, *, request: HoldRequest, zone: ZoneInfo, now: datetime
) -> DomainError:
    ends_at = resets_at(balance, zone=zone, now=now)
    unspent = balance.limit - balance.spent
    if request.least_usd <= unspent:
        kind: type[DomainError] = BudgetInFlight
        remedy = "Try again when calls under way have settled."
    elif unspent > 0:
        kind = RequestExceedsBudget
        remedy = "Ask for fewer output tokens (max_tokens) or send a shorter prompt."
    else:
        kind = BudgetExceeded
        remedy = "Wait for the reset, or ask for a higher limit."
    when = f" It resets at {ends_at:%Y-%m-%dT%H:%M:%SZ}." if ends_at else ""
    message = (
        f'{kind.__doc__} Budget "{balance.name}": {format_usd(balance.spent)} spent and '
        f"{format_usd(balance.held)} held of {format_usd(balance.limit)}; this call could cost "
        f"{format_usd(request.usd)}.{when} {remedy}"
    )
    retry_after_s: int | None = 1
    if kind is not BudgetInFlight:
        retry_after_s = _seconds_until(ends_at, now)
    return kind(
        message,
        budget=balance.name,
        budget_id=balance.budget_id,
        limit_usd=balance.limit,
        spent_usd=balance.spent,
        held_usd=balance.held,
        left_usd=balance.left,
        asked_usd=request.usd,
        resets_at=ends_at,
        remedy=remedy,
        retry_after_s=retry_after_s,
    )


def _rate_limit(
    balance: BalanceTold, *, request: HoldRequest, zone: ZoneInfo, now: datetime
) -> DomainError:
    asked = request.tokens if balance.unit == "tokens" else 1
    details: dict[str, Any] = {"budget": balance.name, "limit": int(balance.limit), "asked": asked}
    allowed = f'The limit "{balance.name}" allows {_allowance(balance)}'
    if asked > balance.limit:
        return RequestExceedsRateLimit(
            f"{allowed}, and this call alone counts for up to {asked:,}. Ask for fewer output tokens"
            " (max_tokens), send a shorter prompt, or ask for a higher limit.",
            **details,
        )
    wait_s: int | None = 1
    if balance.unit != "in_flight":
        wait_s = _seconds_until(resets_at(balance, zone=zone, now=now), now)
    remedy = "Ask for a higher limit." if wait_s is None else f"Try again in {wait_s:,} s."
    return RateLimitExceeded(f"{allowed}. {remedy}", retry_after_s=wait_s, **details)


def _without_figures(refusal: DomainError) -> DomainError:
    """Leave out what all tenants together may use and have used: that is the operator's business."""
    told = ("asked_usd", "asked", "resets_at", "retry_after_s")
    details = {name: refusal.details[name] for name in told if name in refusal.details}
    remedy = "Try again later, or ask the operator of this site."
    message = f"{refusal.__doc__} The limit is one of the whole site. {remedy}"
    return type(refusal)(message, remedy=remedy, **details)


def _allowance(balance: BalanceTold) -> str:
    """Say what a rate limit allows: "60 requests a minute"."""
    if balance.unit == "in_flight":
        return f"{int(balance.limit):,} requests at once"
    span = _WINDOW_WORDS.get(balance.window, f" a {balance.window}")
    return f"{int(balance.limit):,} {balance.unit}{span}"


def _seconds_until(instant: datetime | None, now: datetime) -> int | None:
    return None if instant is None else max(1, math.ceil((instant - now).total_seconds()))
