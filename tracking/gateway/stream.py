"""A streamed call: events are passed on as they come, and the call settles whatever happens.

A relay task reads the provider and puts what the client gets into a short pipe; the response
takes from it. A client who takes slowly slows the reading down, and costs neither a database
connection nor more memory than the pipe holds. When the client leaves, the relay reads on for a
bounded time to learn the true usage, and settles either way. The last byte is sent after the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings

from budgets.core.errors import DomainError
from budgets.http.errors import InternalError, answer_of
from tracking.gateway import operations, providers
from tracking.gateway.caching.calls import Caching
from tracking.gateway.caching.store import KeptAnswer
from tracking.gateway.doors.call import ProviderCall
from tracking.gateway.endpoints.endpoint import EventReader
from tracking.gateway.ends import End
from tracking.gateway.failures import NONSENSE, ProviderFailure, ProviderInterrupted
from tracking.gateway.operations import Admitted, Charged
from tracking.gateway.pipe import Pipe
from tracking.gateway.runtime import Runtime
from tracking.gateway.sending import Sending

logger = logging.getLogger(__name__)

_MOST_WAITING_BYTES = 65_536
_PING_EVERY_S = 15.0
# A client that takes nothing for so long is taken for one that has left.
_STALLED_AFTER_S = 120.0
_PING = b": ping\n\n"


class Relay(Sending):
    """One streamed call between a provider and a client who may leave at any moment."""

    def __init__(self, work: Runtime, admitted: Admitted, caching: Caching | None = None) -> None:
        super().__init__(work, admitted, caching)
        self._pipe = Pipe(most_bytes=_MOST_WAITING_BYTES)
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Timeout | None = None
        self._events = self._read_anew()
        self._is_whole = True
        self._told: list[bytes] = []
        self._came: list[dict[str, Any]] = []

    async def begin(self) -> None:
        """Send the call and wait for its first chunk; until it comes, another attempt may be made.

        :raises ProviderFailure: if it failed before any; the call is settled by then
        """
        self._work.run(self._run())
        try:
            await asyncio.shield(self._begun)
        except asyncio.CancelledError:
            self.close()
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give what the client gets, with pings while the provider is silent."""
        while (told := await self._pipe.take(within_s=_PING_EVERY_S)) is not None:
            yield told or _PING

    def close(self) -> None:
        """Note that nobody takes events any more; the response calls it, however it ended."""
        if self._client_is_gone.is_set():
            return
        super().close()
        self._pipe.cut()
        if self._reading is not None:
            self._reading.reschedule(_drained_at())

    async def _run(self) -> None:
        """Read to the end, settle, and only then tell the client that it is over."""
        failure: DomainError | None = None
        charged: Charged | None = None
        try:
            end, charged = await self._make()
            failure = end.failure
            if self._is_whole:
                await self._cache(end, KeptAnswer(charged.cost_usd, events=self._came))
        except Exception:
            logger.exception("stream %s could not settle", self.admitted.call.request_id)
            failure = InternalError()
        await self._close(failure, charged)

    def _read_anew(self) -> EventReader:
        """Make the reader of one attempt's events."""
        found = self.admitted.found
        return found.endpoint.events(request=found.request, model=self.admitted.call.model.name)

    async def _attempt(self, call: ProviderCall) -> End:
        """Pass the answer on and say how the stream ended."""
        self._events = self._read_anew()
        self._came.clear()
        failure = None
        try:
            # Without a limit until the client leaves: the provider's own deadline is the door's.
            limit_at = _drained_at() if self._client_is_gone.is_set() else None
            async with asyncio.timeout_at(limit_at) as self._reading:
                await self._pass_on(call)
        except TimeoutError:
            if not (self._reading and self._reading.expired()):
                raise
            self._is_whole = False
        except ProviderFailure as error:
            if not self._begun.done() and self._events.usage is None:
                return operations.end_of_failure(error)
            failure = error
        finally:
            self._reading = None
        return await self._end(call, failure=failure, was_cancelled=self._client_is_gone.is_set())

    async def _pass_on(self, call: ProviderCall) -> None:
        async with contextlib.aclosing(providers.stream(call)) as blocks:
            async for events in blocks:
                if self._caching is not None:
                    self._came += [event.body for event in events]
                try:
                    told = b"".join([self._events.pass_on(event) for event in events])
                except NONSENSE as error:
                    raise ProviderInterrupted(provider=call.route.provider) from error
                if self._events.has_begun and not self._begun.done():
                    self._clock.note_first_byte()
                    self._begun.set_result(None)
                if told:
                    await self._offer(told)
        if not self._events.is_whole:
            # A connection without a length that breaks looks like one that ends.
            raise ProviderInterrupted(provider=call.route.provider)

    async def _end(
        self,
        call: ProviderCall,
        *,
        failure: ProviderFailure | None = None,
        was_cancelled: bool = False,
    ) -> End:
        usage = self._events.usage
        is_counted_here = usage is None
        texts = self._events.texts if usage is None else None
        if texts is not None:
            usage = await operations.counted_usage(
                call=self.admitted.call, route=call.route, texts=texts
            )
        return End(
            usage=usage,
            is_counted_here=is_counted_here,
            failure=failure,
            may_be_billed=True,
            was_cancelled=was_cancelled,
            status=answer_of(failure).status if failure and not self._begun.done() else 200,
            service_tier=self._events.service_tier,
            finish_reason=self._events.finish_reason,
            provider_request_id=self._events.provider_request_id,
        )

    async def _close(self, failure: DomainError | None, charged: Charged | None) -> None:
        """Tell the client the end: the failure, or what was kept back until now, with the cost."""
        if not self._begun.done():
            if failure is None:
                self._begun.set_result(None)
            else:
                self._begun.set_exception(failure)
                self._begun.exception()  # Looked at here, in case the client has left already.
                return
        try:
            await self._tell_end(failure, charged)
        except Exception:
            logger.exception("the end of stream %s was not told", self.admitted.call.request_id)
        finally:
            self._pipe.end()

    async def _tell_end(self, failure: DomainError | None, charged: Charged | None) -> None:
        if failure is not None:
            await self._offer(self._events.failed(failure))
            return
        last = self._events.ended(cost_usd=charged.cost_usd if charged else None)
        await self._keep(last)
        await self._offer(last)

    async def _keep(self, last: bytes) -> None:
        """Keep a whole answer before the client is told that it is over, and so may ask again."""
        if self._is_whole:
            told = b"".join([*self._told, last])
            await operations.keep(
                self._work, admitted=self.admitted, body=told, content_type="text/event-stream"
            )

    async def _offer(self, told: bytes) -> None:
        """Give the client something, unless it has left; wait while it takes too slowly."""
        if self.admitted.is_named:
            self._told.append(told)
        if self._pipe.is_full:
            try:
                async with asyncio.timeout(_STALLED_AFTER_S):
                    await self._pipe.give(told)
            except TimeoutError:
                self.close()
        else:
            await self._pipe.give(told)


def _drained_at() -> float:
    """Give the loop's time until which a stream is read on whose client leaves now."""
    return asyncio.get_running_loop().time() + float(settings.COSTSITE_DRAIN_S)
