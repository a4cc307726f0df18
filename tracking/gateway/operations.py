"""The way of a call in five verbs: find, hold, send, settle, answer.

What is sent to a provider runs in a task of its own, together with its settling: a client who
leaves cancels the view, never the accounting. Nothing is sent before its worst case is held, and
whatever happens after the hold ends in exactly one settlement.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings

from budgets.core.errors import DomainError
from budgets.core.ids import uuid7
from budgets.holds.refusals import (
    IdempotencyDone,
    ModelNotAllowed,
    RequestExceedsBudget,
    is_only_in_flight,
    refusal_of,
)
from budgets.holds.terms import BalanceTold, HoldRequest, Verdict
from budgets.http.errors import InternalError, answer_of
from budgets.http.wire import json_bytes
from budgets.tenancy.callers import Caller
from tracking.gateway import providers, repeats
from tracking.gateway.attribution import attribution_of
from tracking.gateway.doors.call import ProviderCall, Reply, Route
from tracking.gateway.endpoints.bodies import CallBody, UnsupportedParameter
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.ends import Call, End, Settled, settled
from tracking.gateway.estimate import Estimate, OutputRules
from tracking.gateway.failures import ProviderFailure
from tracking.gateway.runtime import Runtime
from tracking.pricing.book import PricedModel
from tracking.pricing.usage import Usage

logger = logging.getLogger(__name__)

_ROOM_LOOKED_FOR_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A request as it came in: its headers, its body as bytes, and the instant it is judged at."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Who calls what: the caller, the endpoint, the parsed request, the price in force, the route."""

    caller: Caller
    endpoint: Endpoint[Any]
    request: CallBody
    model: PricedModel
    route: Route


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call whose worst case is held and that may be sent."""

    found: Found
    call: Call
    is_named: bool
    rates: tuple[BalanceTold, ...] = ()

    @property
    def provider_call(self) -> ProviderCall:
        """What goes to the provider, with the output cap that the hold was made for."""
        found = self.found
        return ProviderCall(
            route=found.route,
            endpoint=found.endpoint.sent_as(route=found.route),
            parameters=found.endpoint.parameters(
                request=found.request, route=found.route, cap=self.call.output_cap_tokens
            ),
            timeout_s=settings.COSTSITE_PROVIDER_TIMEOUT_S,
        )


@dataclass(frozen=True, slots=True)
class Charged:
    """What a settled call cost in USD, and the budget that has least left after it."""

    cost_usd: Decimal
    balance: BalanceTold | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer as the client gets it, and what it cost."""

    reply: Reply
    charged: Charged


async def find(work: Runtime, *, endpoint: Endpoint[Any], inquiry: Inquiry) -> Found:
    """Find the caller, read the request, and look up the model's price and route.

    :raises DomainError: InvalidApiKey, ModelNotFound, ModelNotPriced, ModelNotAllowed,
        ProviderNotConfigured, or what is wrong with the body
    """
    headers, now = inquiry.headers, inquiry.now
    caller = await work.callers.find(authorization=endpoint.authorization(headers), now=now)
    request = endpoint.read(body=inquiry.body, content_type=headers.get("Content-Type", ""))
    model = (await work.book(now=now)).price_at(
        name=request.model, at=now, organization_id=caller.organization_id, plan=caller.plan
    )
    if not caller.may_call(model.name):
        raise ModelNotAllowed(model=model.name)
    if model.mode not in endpoint.modes:
        raise UnsupportedParameter(
            f"{model.name} is for {model.mode}, which {endpoint.name} does not do.", param="model"
        )
    route = await work.routes.find(model=model, organization_id=caller.organization_id)
    endpoint.check(request=request, route=route)
    return Found(caller, endpoint, request, model, route)


async def hold(work: Runtime, *, found: Found, inquiry: Inquiry) -> Admitted:
    """Hold the call's worst case against every budget that applies.

    Where only calls under way stand in its way, it waits for them as long as its plan says.

    :raises DomainError: a refusal (BudgetExceeded, RateLimitExceeded, ...), or LedgerUnavailable
    """
    caller, now = found.caller, inquiry.now
    worst = found.endpoint.estimate(
        request=found.request, model=found.model, rules=_output_rules(caller)
    )
    attribution = attribution_of(
        request=found.request, headers=inquiry.headers, required_tags=caller.required_tags
    )
    asked = HoldRequest(
        request_id=uuid7(now),
        organization_id=caller.organization_id,
        api_key_id=caller.api_key_id,
        model=found.model.name,
        usd=worst.usd,
        least_usd=worst.least_usd,
        tokens=worst.tokens,
        ttl_s=int(settings.COSTSITE_PROVIDER_TIMEOUT_S) + settings.COSTSITE_SETTLING_GRACE_S,
        tags=attribution.tags,
        session=attribution.session,
        named=repeats.named(
            header=inquiry.headers.get(repeats.HEADER),
            endpoint=found.endpoint.name,
            body=inquiry.body,
        ),
    )
    verdict = await _hold_in_time(work, asked, wait_s=caller.wait_for_room_ms / 1000)
    if verdict.code != "admitted":
        refusal = refusal_of(verdict=verdict, request=asked, zone=caller.zone, now=now)
        if isinstance(refusal, RequestExceedsBudget):
            _tell_affordable(refusal, worst)
        raise refusal
    assert verdict.amount_usd is not None
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
    )
    return Admitted(found, call, is_named=asked.named is not None, rates=verdict.rates)


def _output_rules(caller: Caller) -> OutputRules:
    return OutputRules(
        default_tokens=caller.default_output_tokens,
        most_tokens=caller.max_output_tokens,
        fits=caller.fits_output,
    )


def _tell_affordable(refusal: RequestExceedsBudget, worst: Estimate) -> None:
    """Add the output cap that what is left would pay for, where there is a cap to lower."""
    unspent = refusal.details["limit_usd"] - refusal.details["spent_usd"]
    cap = worst.output_cap_within(unspent)
    if cap is not None:
        refusal.details["affordable_max_tokens"] = max(cap, 0)


async def _hold_in_time(work: Runtime, asked: HoldRequest, *, wait_s: float) -> Verdict:
    deadline = time.monotonic() + wait_s
    while True:
        verdict = await work.lane.hold(asked)
        is_worth_waiting = is_only_in_flight(verdict=verdict, request=asked)
        if not is_worth_waiting or time.monotonic() + _ROOM_LOOKED_FOR_EVERY_S > deadline:
            return verdict
        await asyncio.sleep(_ROOM_LOOKED_FOR_EVERY_S)


async def complete(work: Runtime, *, admitted: Admitted) -> Answer:
    """Send an admitted call, settle it, and give the answer.

    Cancelling this does not cancel the call: what was sent is waited for and settled.

    :raises ProviderFailure: if the provider gave no answer; it is settled all the same
    """
    return await asyncio.shield(work.run(_send_and_settle(work, admitted)))


async def _send_and_settle(work: Runtime, admitted: Admitted) -> Answer:
    clock = Stopwatch()
    try:
        reply = await providers.send(admitted.provider_call)
        end = await _end_of_answer(admitted, reply)
    except ProviderFailure as failure:
        end = clock.stamp(end_of_failure(failure))
        await settle(work, call=admitted.call, end=end)
        raise
    except BaseException:
        logger.exception("call %s was sent and then failed here", admitted.call.request_id)
        await settle(work, call=admitted.call, end=clock.stamp(UNEXPECTED_END))
        raise
    charged = await settle(work, call=admitted.call, end=clock.stamp(end))
    told = admitted.found.endpoint.told(
        reply=reply, model=admitted.call.model.name, cost_usd=charged.cost_usd
    )
    content = told.content or json_bytes(told.body)
    await keep(work, admitted=admitted, body=content, content_type=told.content_type)
    return Answer(replace(told, content=content), charged)


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


async def settle(work: Runtime, *, call: Call, end: End) -> Charged:
    """Charge a call for how it ended, and record it, in one transaction, exactly once."""
    outcome: Settled = settled(call=call, end=end)
    verdict: Verdict = await work.lane.settle(outcome.settlement, records=[outcome.record])
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


# Whatever went wrong on our side after a call was sent: the provider may bill it.
UNEXPECTED_END = End(failure=InternalError(), may_be_billed=True, status=500)


async def counted_usage(*, call: Call, route: Route, texts: Sequence[str]) -> Usage:
    """Count here what a provider did not report: the input at its bound, the output by tokenizer."""
    output_tokens = 0
    for text in texts:
        output_tokens += await providers.count_tokens(model=route.model, text=text)
    return Usage(input_tokens=call.estimate.bounds.input_tokens, output_tokens=output_tokens)


async def _end_of_answer(admitted: Admitted, reply: Reply) -> End:
    endpoint = admitted.found.endpoint
    request = admitted.found.request
    usage = endpoint.usage(request=request, reply=reply)
    is_counted_here = usage is None
    texts = endpoint.texts(reply=reply) if usage is None else None
    if texts is not None:
        usage = await counted_usage(call=admitted.call, route=admitted.found.route, texts=texts)
    return End(
        usage=usage,
        is_counted_here=is_counted_here,
        may_be_billed=True,
        service_tier=endpoint.service_tier(request=request, reply=reply),
        finish_reason=endpoint.finish_reason(reply=reply),
        provider_request_id=endpoint.provider_request_id(reply=reply),
    )


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

    def stamp(self, end: End) -> End:
        """Write the measured times into an end."""
        return replace(end, first_byte_ms=self.first_byte_ms, duration_ms=self.elapsed_ms())
