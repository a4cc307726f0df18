"""Calls that are answered from the cache, and answers that are kept for it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

import psycopg
from django.conf import settings

from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD
from budgets.http.wire import json_bytes
from tracking.gateway import operations
from tracking.gateway.caching import store
from tracking.gateway.caching.rules import CacheUse, cache_use, digest_of
from tracking.gateway.caching.store import KeptAnswer, Place
from tracking.gateway.doors.call import Reply
from tracking.gateway.ends import Call, End
from tracking.gateway.operations import Admitted, Charged, Found, Inquiry
from tracking.gateway.runtime import Runtime

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caching:
    """What the cache is to one call: whether it is read, for how long it keeps, and where.

    ``model`` is the one that was asked for: the answer of another, a fallback, is not kept.
    """

    use: CacheUse
    place: Place
    model: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as the client gets it, and what it cost."""

    reply: Reply
    charged: Charged


@dataclass(frozen=True, slots=True)
class Hit:
    """A call that was answered from the cache."""

    admitted: Admitted
    answer: Answer


def caching_of(*, found: Found, inquiry: Inquiry) -> Caching | None:
    """Find what the cache is to a call; None if nothing.

    :raises ValueOutOfRange: if a header about the cache is wrong
    """
    if found.endpoint.other_forms:
        return None
    caller = found.caller
    use = cache_use(request=found.request, headers=inquiry.headers, ttl_s=caller.cache_ttl_s)
    if not use.keeps_s:
        return None
    digest = digest_of(
        endpoint=found.endpoint.name,
        model=found.model.name,
        request=found.request,
        default_output_tokens=caller.default_output_tokens,
    )
    place = Place(caller.organization_id, caller.project_id, digest)
    return Caching(use, place, found.model.name)


async def from_cache(
    work: Runtime, *, found: Found, inquiry: Inquiry, caching: Caching
) -> Hit | None:
    """Answer a call from the cache: it is admitted, recorded and costs nothing; None if it misses.

    :raises DomainError: a refusal (the key is shut, too many requests, ...), or LedgerUnavailable
    """
    if not caching.use.reads:
        return None
    kept = await store.find(
        work.reader,
        place=caching.place,
        secrets=settings.COSTSITE_CREDENTIAL_KEYS,
        now=inquiry.now,
    )
    if kept is None:
        return None
    # In a task of its own: once admitted, it settles even if its client has left.
    return await asyncio.shield(work.run(_hit(work, found, inquiry, kept)))


async def _hit(work: Runtime, found: Found, inquiry: Inquiry, kept: KeptAnswer) -> Hit:
    admitted = await operations.hold_nothing(work, found=found, inquiry=inquiry)
    charged = await operations.settle(work, call=admitted.call, end=End(saved_usd=kept.cost_usd))
    reply = _told(found, kept)
    await operations.keep(
        work, admitted=admitted, body=reply.content, content_type=reply.content_type
    )
    return Hit(admitted, Answer(reply, charged))


def _told(found: Found, kept: KeptAnswer) -> Reply:
    """Tell a kept answer as one of this call, which cost nothing."""
    endpoint, request, model = found.endpoint, found.request, found.model.name
    if found.request.is_streamed:
        events = endpoint.events(request=request, model=model)
        told = b"".join([events.read(event) for event in kept.events])
        return Reply({}, told + events.ended(cost_usd=ZERO_USD), "text/event-stream")
    reply = endpoint.told(reply=Reply(dict(kept.body)), model=model, cost_usd=ZERO_USD)
    return replace(reply, content=json_bytes(reply.body))


async def keep_answer(
    work: Runtime, *, caching: Caching, call: Call, end: End, answer: KeptAnswer
) -> None:
    """Keep a whole answer whose cost is confirmed, unless its output was cut to fit a budget.

    What cannot be kept is only missing when the request is sent again: the call is settled.
    """
    is_confirmed = end.failure is None and end.usage is not None and not end.is_counted_here
    is_as_asked = call.model.name == caching.model and not call.is_fitted
    if not (is_confirmed and is_as_asked and (answer.body or answer.events)):
        return
    try:
        await store.keep(
            work.reader,
            place=caching.place,
            answer=answer,
            ttl_s=caching.use.keeps_s,
            secrets=settings.COSTSITE_CREDENTIAL_KEYS,
            now=call.started_at,
        )
    except (DomainError, psycopg.Error):
        logger.exception("the answer of call %s was not cached", call.request_id)
