"""The way of a call in five verbs: find, hold, send, settle, answer.

Nothing is sent before its worst case is held, and whatever happens after the hold ends in exactly
one settlement: ``sending`` and ``stream`` see to it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from django.conf import settings

from budgets.core.errors import DomainError
from budgets.core.ids import uuid7
from budgets.holds.refusals import (
    BudgetExceeded,
    BudgetInFlight,
    IdempotencyDone,
    ModelNotAllowed,
    RequestExceedsBudget,
    is_only_in_flight,
    refusal_of,
)
from budgets.holds.terms import BalanceTold, HoldRequest, Verdict
from budgets.http.errors import InternalError, answer_of
from budgets.tenancy.callers import Caller
from tracking.gateway import providers, repeats
from tracking.gateway.attribution import attribution_of
from tracking.gateway.choices import Choice, Target, bounded, chosen, total_s
from tracking.gateway.doors.call import ProviderCall, Route
from tracking.gateway.endpoints.bodies import CallBody
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.ends import Call, End, Settled, settled
from tracking.gateway.estimate import NOTHING, Estimate, OutputRules
from tracking.gateway.failures import ProviderFailure
from tracking.gateway.routes import Option
from tracking.gateway.runtime import Runtime
from tracking.pricing.book import PricedModel
from tracking.pricing.usage import Usage

logger = logging.getLogger(__name__)

_ROOM_LOOKED_FOR_EVERY_S = 0.05
# Refusals of one model; a call that may be made with another is tried with that.
_NEXT_IS_TRIED = (BudgetExceeded, BudgetInFlight, ModelNotAllowed, RequestExceedsBudget)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A request as it came in: its headers, its body as bytes, and the instant it is judged at."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Who calls what: the caller, the endpoint, the parsed request, and what its model stands for."""

    caller: Caller
    endpoint: Endpoint[Any]
    request: CallBody
    choice: Choice

    @property
    def model(self) -> PricedModel:
        """The model that is tried first, with the price in force."""
        return self.choice.targets[0].model


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call whose worst case is held and that may be sent; ``deadline`` is of the monotonic clock.

    The first target of its choice is the one held for; those after it may follow should it fail.
    """

    found: Found
    call: Call
    is_named: bool
    inquiry: Inquiry
    deadline: float
    rates: tuple[BalanceTold, ...] = ()

    @property
    def target(self) -> Target:
        """The model that is held for, with the ways to call it."""
        return self.found.choice.targets[0]

    def provider_call(self, *, option: Option, left_s: float) -> ProviderCall:
        """Say what goes to the provider, with the output cap that the hold was made for."""
        found = self.found
        parameters = found.endpoint.parameters(
            request=found.request, route=option.route, cap=self.call.output_cap_tokens
        )
        return bounded(
            ProviderCall(
                option.route, found.endpoint.sent_as(route=option.route), parameters, left_s
            ),
            option.limits,
        )


@dataclass(frozen=True, slots=True)
class Charged:
    """What a settled call cost in USD, and the budget that has least left after it."""

    cost_usd: Decimal
    balance: BalanceTold | None


async def find(work: Runtime, *, endpoint: Endpoint[Any], inquiry: Inquiry) -> Found:
    """Find the caller, read the request, and find what its model stands for.

    :raises DomainError: InvalidApiKey, ModelNotFound, ModelNotPriced, ModelNotAllowed,
        ProviderNotConfigured, or what is wrong with the body
    """
    headers, now = inquiry.headers, inquiry.now
    caller = await work.callers.find(authorization=endpoint.authorization(headers), now=now)
    request = endpoint.read(body=inquiry.body, content_type=headers.get("Content-Type", ""))
    try:
        choice = await chosen(work, caller=caller, request=request, endpoint=endpoint, now=now)
    except DomainError as error:
        work.refused.note(error, caller=caller, model=request.model, now=now)
        raise
    return Found(caller, endpoint, request, choice)


async def hold(
    work: Runtime, *, found: Found, inquiry: Inquiry, instead_of: Admitted | None = None
) -> Admitted:
    """Hold the call's worst case against every budget that applies.

    Where an alias names several models, it is the first whose worst case fits whole, else the first
    that fits with a lower output cap. Where only calls under way stand in its way, the call waits
    for them as long as its plan says. ``instead_of`` is a call that failed: it keeps its deadline.

    :raises DomainError: a refusal (BudgetExceeded, RateLimitExceeded, ...), or LedgerUnavailable
    """
    try:
        return await _hold_first(work, found=found, inquiry=inquiry, instead_of=instead_of)
    except DomainError as error:
        # A call that failed and has no fallback was refused nothing by us.
        if instead_of is None:
            model = found.request.model
            work.refused.note(error, caller=found.caller, model=model, now=inquiry.now)
        raise


async def _hold_first(
    work: Runtime, *, found: Found, inquiry: Inquiry, instead_of: Admitted | None
) -> Admitted:
    """Hold for the first of the ways that is admitted."""
    room_by = time.monotonic() + found.caller.wait_for_room_ms / 1000
    refusal: DomainError | None = None
    for way in _ways(found):
        admitting = _hold_for(
            work, way=way, inquiry=inquiry, instead_of=instead_of, room_by=room_by
        )
        try:
            return await admitting
        except _NEXT_IS_TRIED as error:
            refusal = error
    assert refusal is not None
    raise refusal


async def hold_nothing(work: Runtime, *, found: Found, inquiry: Inquiry) -> Admitted:
    """Admit a call that will cost nothing: who may not call is refused, and requests are counted.

    :raises DomainError: a refusal, or LedgerUnavailable
    """
    way = _Way(found, NOTHING, is_last_round=True)
    return await _hold_for(work, way=way, inquiry=inquiry, instead_of=None, room_by=0)


@dataclass(frozen=True, slots=True)
class _Way:
    """One thing to hold for: its choice begins with the model; the worst case whole, or less too."""

    found: Found
    worst: Estimate
    is_last_round: bool


def _ways(found: Found) -> list[_Way]:
    """List what to try to hold for, in order.

    :raises DomainError: if none of the models can be called so, or the plan does not allow it
    """
    choice, rules = found.choice, _output_rules(found.caller)
    ways, unusable = [], None
    for place, target in enumerate(choice.targets):
        try:
            worst = found.endpoint.estimate(request=found.request, model=target.model, rules=rules)
        except DomainError as error:
            unusable = unusable or error
            continue
        of_target = found
        if place:
            of_target = replace(found, choice=replace(choice, targets=choice.targets[place:]))
        ways.append(_Way(of_target, worst, is_last_round=True))
        if not choice.falls_back_on_budget:
            break
    if not ways:
        assert unusable is not None
        raise unusable
    # A whole answer of a cheaper model goes before a cut one of the dearer.
    wholes = [replace(way, is_last_round=False) for way in ways] if len(ways) > 1 else []
    return [*wholes, *ways]


async def _hold_for(
    work: Runtime, *, way: _Way, inquiry: Inquiry, instead_of: Admitted | None, room_by: float
) -> Admitted:
    found, worst = way.found, way.worst
    caller, now = found.caller, inquiry.now
    deadline = instead_of.deadline if instead_of else time.monotonic() + total_s(found.choice)
    attribution = attribution_of(
        request=found.request, headers=inquiry.headers, required_tags=caller.required_tags
    )
    asked = HoldRequest(
        request_id=uuid7(now),
        organization_id=caller.organization_id,
        api_key_id=caller.api_key_id,
        model=found.model.name,
        usd=worst.usd,
        least_usd=worst.least_usd if way.is_last_round else worst.usd,
        tokens=worst.tokens,
        ttl_s=math.ceil(deadline - time.monotonic()) + settings.COSTSITE_SETTLING_GRACE_S,
        tags=attribution.tags,
        session=attribution.session,
        named=repeats.named(
            header=inquiry.headers.get(repeats.HEADER),
            endpoint=found.endpoint.name,
            body=inquiry.body,
            content_type=inquiry.headers.get("Content-Type", ""),
        ),
    )
    verdict = await _hold_in_time(work, asked, room_by=room_by if way.is_last_round else 0)
    if verdict.code != "admitted":
        refusal = refusal_of(verdict=verdict, request=asked, zone=caller.zone, now=now)
        # What is left of the site's own budgets is told to nobody, and no tenant asks for more of them.
        if verdict.balance is not None and not verdict.balance.is_sites:
            _tell_remedies(refusal, worst, caller)
        raise refusal
    assert verdict.amount_usd is not None
    origin = instead_of.call if instead_of else None
    call = Call(
        request_id=asked.request_id,
        organization_id=caller.organization_id,
        endpoint=found.endpoint.name,
        asked_model=found.request.model,
        model=found.model,
        attribution=attribution,
        estimate=worst,
        held_usd=verdict.amount_usd,
        output_cap_tokens=worst.output_cap_within(verdict.amount_usd),
        is_streamed=found.request.is_streamed,
        started_at=now,
        origin_request_id=(origin.origin_request_id or origin.request_id) if origin else None,
    )
    return Admitted(
        found,
        call,
        is_named=asked.named is not None,
        inquiry=inquiry,
        deadline=deadline,
        rates=verdict.rates,
    )


def _output_rules(caller: Caller) -> OutputRules:
    return OutputRules(
        default_tokens=caller.default_output_tokens,
        most_tokens=caller.max_output_tokens,
        fits=caller.fits_output,
    )


def _tell_remedies(refusal: DomainError, worst: Estimate, caller: Caller) -> None:
    if isinstance(refusal, RequestExceedsBudget):
        _tell_affordable(refusal, worst)
    if isinstance(refusal, BudgetExceeded | RequestExceedsBudget):
        _tell_where_to_ask(refusal, caller)


def _tell_affordable(refusal: RequestExceedsBudget, worst: Estimate) -> None:
    """Add the output cap that what is left would pay for, where there is a cap to lower."""
    unspent = refusal.details["limit_usd"] - refusal.details["spent_usd"]
    cap = worst.output_cap_within(unspent)
    if cap is not None:
        refusal.details["affordable_max_tokens"] = max(cap, 0)


def _tell_where_to_ask(refusal: DomainError, caller: Caller) -> None:
    """Add the address of the page on which the key's user asks for more of the budget."""
    asked = {"organization": caller.organization_slug, "budget": refusal.details["budget_id"]}
    url = f"{settings.COSTSITE_BASE_URL}/requests/?{urlencode(asked)}"
    refusal.details["ask_for_more_url"] = url
    refusal.message = f"{refusal.message} Ask for more: {url}"


async def _hold_in_time(work: Runtime, asked: HoldRequest, *, room_by: float) -> Verdict:
    while True:
        verdict = await work.lane.hold(asked)
        is_worth_waiting = is_only_in_flight(verdict=verdict, request=asked)
        if not is_worth_waiting or time.monotonic() + _ROOM_LOOKED_FOR_EVERY_S > room_by:
            return verdict
        await asyncio.sleep(_ROOM_LOOKED_FOR_EVERY_S)


async def fall_back(
    work: Runtime, *, admitted: Admitted, end: End, earlier: Sequence[dict[str, Any]]
) -> tuple[Charged, Admitted | None]:
    """Settle a call that failed and cost nothing, and hold for the next of its models, if one fits.

    Both wait in the lane one behind the other, so that they are one transaction: nobody takes the
    room, or the name of the request, in between.
    """
    settling = asyncio.create_task(settle(work, call=admitted.call, end=end, earlier=earlier))
    await asyncio.sleep(0)  # The settlement goes first.
    choice = admitted.found.choice
    rest = replace(admitted.found, choice=replace(choice, targets=choice.targets[1:]))
    following = None
    try:
        following = await hold(work, found=rest, inquiry=admitted.inquiry, instead_of=admitted)
    except DomainError as refusal:
        logger.info("call %s has no fallback: %s", admitted.call.request_id, refusal.code)
    return await settling, following


async def keep(work: Runtime, *, admitted: Admitted, body: bytes, content_type: str) -> None:
    """Keep the answer to a named request, if the organization chose to.

    What cannot be kept is only missing when the request is sent again: the call is settled.
    """
    if not admitted.is_named or not admitted.found.caller.stores_answers:
        return
    try:
        await repeats.store(
            work.reader,
            organization_id=admitted.call.organization_id,
            request_id=admitted.call.request_id,
            answer=repeats.StoredAnswer(body, content_type),
            secrets=settings.COSTSITE_CREDENTIAL_KEYS,
            now=admitted.call.started_at,
        )
    except (DomainError, psycopg.Error):
        logger.exception("the answer of call %s was not kept", admitted.call.request_id)


async def answered_before(
    work: Runtime, *, found: Found, repeated: IdempotencyDone, now: datetime
) -> repeats.StoredAnswer | None:
    """Find the answer that a named request was given before, if it was kept."""
    if not found.caller.stores_answers:
        return None
    return await repeats.stored(
        work.reader,
        organization_id=found.caller.organization_id,
        request_id=UUID(repeated.details["first_request_id"]),
        secrets=settings.COSTSITE_CREDENTIAL_KEYS,
        now=now,
    )


async def settle(
    work: Runtime, *, call: Call, end: End, earlier: Sequence[dict[str, Any]] = ()
) -> Charged:
    """Charge a call for how it ended, and record it, in one transaction, exactly once.

    ``earlier`` are the records of the attempts before the last; none of them was billed.
    """
    outcome: Settled = settled(call=call, end=end)
    verdict: Verdict = await work.lane.settle(
        outcome.settlement, records=[*earlier, outcome.record]
    )
    if outcome.cost_usd > call.held_usd:
        logger.warning(
            "call %s cost %s, more than the %s held for it",
            call.request_id,
            outcome.cost_usd,
            call.held_usd,
        )
    return Charged(outcome.cost_usd, verdict.balance)


def end_of_failure(failure: ProviderFailure) -> End:
    """Say how a call ended that the provider did not answer."""
    return End(
        failure=failure, may_be_billed=failure.may_be_billed, status=answer_of(failure).status
    )


# Whatever went wrong on our side: before a call was sent nobody bills it, after that the provider may.
UNSENT_END = End(failure=InternalError(), status=500)
UNEXPECTED_END = End(failure=InternalError(), may_be_billed=True, status=500)


async def counted_usage(*, call: Call, route: Route, texts: Sequence[str]) -> Usage:
    """Count here what a provider did not report: the input at its bound, the output by tokenizer."""
    output_tokens = 0
    for text in texts:
        output_tokens += await providers.count_tokens(model=route.model, text=text)
    return Usage(input_tokens=call.estimate.bounds.input_tokens, output_tokens=output_tokens)


class Stopwatch:
    """Measures a call from its sending: to the first byte and to the end, in milliseconds."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self.first_byte_ms: int | None = None

    def elapsed_ms(self) -> int:
        """Milliseconds since the sending."""
        return int((time.monotonic() - self._begun) * 1000)

    def note_first_byte(self) -> None:
        """Remember when the first byte came; later ones do not count."""
        if self.first_byte_ms is None:
            self.first_byte_ms = self.elapsed_ms()

    def stamp(
        self,
        end: End,
        *,
        attempt: int,
        provider: str,
        credential: str,
        prompt_hash: str | None = None,
    ) -> End:
        """Write into an end what was measured, and which attempt it was, of what, with whose key."""
        return replace(
            end,
            first_byte_ms=self.first_byte_ms,
            duration_ms=self.elapsed_ms(),
            attempt=attempt,
            provider=provider,
            credential=credential,
            prompt_hash=prompt_hash,
        )
