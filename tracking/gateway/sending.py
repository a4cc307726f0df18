"""A call on its way: attempts until one ends it, then exactly one settlement, or a fallback.

It runs in a task of its own, together with its settling: a client who leaves cancels the view, never
the accounting. What was sent is waited for and settled; what failed is then not tried again.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from budgets.http.wire import json_bytes
from budgets.tenancy.operations import pepper
from tracking.gateway import operations, providers
from tracking.gateway.attempts import Attempts
from tracking.gateway.caching.calls import Answer, Caching, keep_answer
from tracking.gateway.caching.store import KeptAnswer
from tracking.gateway.choosing import RetryRules, may_fall_back
from tracking.gateway.doors.call import ProviderCall, Reply
from tracking.gateway.ends import End, settled
from tracking.gateway.failures import NONSENSE, ProviderFailure, ProviderInterrupted
from tracking.gateway.operations import Admitted, Charged, Stopwatch
from tracking.gateway.prompts import prompt_hash
from tracking.gateway.runtime import Runtime

logger = logging.getLogger(__name__)


class Sending(ABC):
    """One admitted call on its way. ``admitted`` is another one once it has fallen back."""

    def __init__(self, work: Runtime, admitted: Admitted, caching: Caching | None = None) -> None:
        self.admitted = admitted
        self._work = work
        self._caching = caching
        self._client_is_gone = asyncio.Event()
        self._clock = Stopwatch()

    @property
    def is_cached(self) -> bool:
        """Whether the answer may be kept for requests that are the same."""
        return self._caching is not None

    def close(self) -> None:
        """Note that nobody waits for the answer any more."""
        self._client_is_gone.set()

    @abstractmethod
    async def _attempt(self, call: ProviderCall) -> End:
        """Make one attempt and say how it ended; a failure of the provider is an end."""

    async def _make(self) -> tuple[End, Charged]:
        """Make attempts until one ends the call, settle it, and fall back as long as that helps."""
        while True:
            end, earlier = await self._attempts()
            if not self._may_fall_back(end):
                charged = await operations.settle(
                    self._work, call=self.admitted.call, end=end, earlier=earlier
                )
                return end, charged
            charged, following = await operations.fall_back(
                self._work, admitted=self.admitted, end=end, earlier=earlier
            )
            if following is None:
                return end, charged
            self.admitted = following

    async def _attempts(self) -> tuple[End, list[dict[str, Any]]]:
        """Give the end of the last attempt, and the records of those before it."""
        admitted = self.admitted
        attempts = Attempts(
            options=admitted.target.options,
            health=self._work.health,
            rules=retry_rules(),
            deadline=admitted.deadline,
        )
        earlier: list[dict[str, Any]] = []
        while True:
            end = await self._one(attempts)
            if not isinstance(end.failure, ProviderFailure):
                if end.failure is None:
                    attempts.succeeded()
                return end, earlier
            attempts.failed(end.failure)
            is_final = not end.is_unbilled
            if is_final or not await attempts.next_after(end.failure, stop=self._client_is_gone):
                return end, earlier
            earlier.append(settled(call=admitted.call, end=end).record)

    async def _one(self, attempts: Attempts) -> End:
        option, self._clock = attempts.option, Stopwatch()
        made, asked, call = attempts.made, None, None
        try:
            call = self.admitted.provider_call(option=option, left_s=attempts.left_s)
            asked = prompt_hash(
                organization_id=self.admitted.call.organization_id,
                parameters=call.parameters,
                pepper=pepper(),
            )
            end = await self._attempt(call)
        except BaseException:
            # Whatever it is, the call must settle.
            logger.exception("call %s failed here", self.admitted.call.request_id)
            end = operations.UNEXPECTED_END if call else operations.UNSENT_END
        return self._clock.stamp(
            end,
            attempt=made,
            provider=option.route.provider,
            credential=option.route.credential,
            prompt_hash=asked,
        )

    async def _cache(self, end: End, answer: KeptAnswer) -> None:
        """Keep an answer for the next request that is the same, if it is one to be kept."""
        if self._caching is not None:
            await keep_answer(
                self._work, caching=self._caching, call=self.admitted.call, end=end, answer=answer
            )

    def _may_fall_back(self, end: End) -> bool:
        admitted, failure = self.admitted, end.failure
        return (
            isinstance(failure, ProviderFailure)
            and end.is_unbilled
            and may_fall_back(failure)
            and admitted.found.choice.falls_back_on_failure
            and len(admitted.found.choice.targets) > 1
            and not self._client_is_gone.is_set()
        )


class Whole(Sending):
    """A call whose answer comes whole."""

    _reply: Reply

    async def answer(self) -> Answer:
        """Send the call, settle it, and give the answer.

        Cancelling this does not cancel the call.

        :raises ProviderFailure: if the provider gave no answer; it is settled all the same
        """
        try:
            return await asyncio.shield(self._work.run(self._answer()))
        except asyncio.CancelledError:
            self.close()
            raise

    async def _answer(self) -> Answer:
        end, charged = await self._make()
        if end.failure is not None:
            raise end.failure
        told = self.admitted.found.endpoint.told(
            reply=self._reply, model=self.admitted.call.model.name, cost_usd=charged.cost_usd
        )
        content = told.content or json_bytes(told.body)
        await operations.keep(
            self._work, admitted=self.admitted, body=content, content_type=told.content_type
        )
        await self._cache(end, KeptAnswer(charged.cost_usd, body=self._reply.body))
        return Answer(Reply(told.body, content, told.content_type), charged)

    async def _attempt(self, call: ProviderCall) -> End:
        try:
            end, texts = self._read(await providers.send(call))
        except ProviderFailure as failure:
            failure.details.setdefault("provider", call.route.provider)
            return operations.end_of_failure(failure)
        if texts is None:
            return end
        usage = await operations.counted_usage(
            call=self.admitted.call, route=call.route, texts=texts
        )
        return replace(end, usage=usage)

    def _read(self, answer: Reply) -> tuple[End, Sequence[str] | None]:
        """Read an answer, and give its texts where they are to be counted.

        :raises ProviderInterrupted: if there is no reading it
        """
        endpoint, request = self.admitted.found.endpoint, self.admitted.found.request
        try:
            self._reply = reply = endpoint.translated(request=request, reply=answer)
            usage = endpoint.usage(request=request, reply=reply)
            is_counted_here = usage is None
            if usage is None:
                model = self.admitted.call.model
                measured = endpoint.measured(request=request, reply=reply, model=model)
                if measured is not None:
                    usage, is_counted_here = measured[0], not measured[1]
            end = End(
                usage=usage,
                is_counted_here=is_counted_here,
                may_be_billed=True,
                service_tier=endpoint.service_tier(request=request, reply=reply),
                finish_reason=endpoint.finish_reason(reply=reply),
                provider_request_id=endpoint.provider_request_id(reply=reply),
            )
            return end, endpoint.texts(reply=reply) if usage is None else None
        except NONSENSE as error:
            raise ProviderInterrupted from error


def retry_rules() -> RetryRules:
    """Read how often a call is tried, and how long it waits for that."""
    return RetryRules(
        attempts=settings.COSTSITE_PROVIDER_ATTEMPTS, most_wait_s=settings.COSTSITE_RETRY_WAIT_S
    )
