"""A streamed call: chunks are passed on as they come, and the call settles whatever happens.

A relay task reads the provider and puts what the client gets into a short queue; the response
takes from it. When the client leaves, the relay reads on for a bounded time to learn the true
usage, and settles either way. The last byte is sent after the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings

from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.http.errors import InternalError, answer_of, error_body
from budgets.http.wire import json_bytes
from tracking.gateway import operations, providers
from tracking.gateway.ends import End, usage_of
from tracking.gateway.failures import ProviderFailure, ProviderInterrupted
from tracking.gateway.operations import Admitted, Charged, Stopwatch
from tracking.gateway.runtime import Runtime

logger = logging.getLogger(__name__)

_MOST_QUEUED = 64
_PING_EVERY_S = 15.0
_PING = b": ping\n\n"
_TEXTS = ("content", "reasoning_content", "refusal")
_DONE = b"data: [DONE]\n\n"


class Relay:
    """One streamed call between a provider and a client who may leave at any moment."""

    def __init__(self, work: Runtime, admitted: Admitted) -> None:
        self._work = work
        self._admitted = admitted
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=_MOST_QUEUED)
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._client_is_gone = asyncio.Event()
        self._clock = Stopwatch()
        self._texts: defaultdict[int, list[str]] = defaultdict(list)
        self._reported: dict[str, Any] | None = None
        self._finish_reason = ""
        self._is_whole = True
        self._frame: dict[str, Any] = {}
        self._told: list[bytes] = []

    async def begin(self) -> None:
        """Send the call and wait for its first chunk.

        :raises ProviderFailure: if it failed before any; the call is settled by then
        """
        self._work.run(self._run())
        try:
            await asyncio.shield(self._begun)
        except asyncio.CancelledError:
            self._client_is_gone.set()
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the events for the client, with pings while the provider is silent."""
        while True:
            try:
                event = await asyncio.wait_for(self._queue.get(), _PING_EVERY_S)
            except TimeoutError:
                yield _PING
                continue
            if event is None:
                return
            yield event

    def close(self) -> None:
        """Note that nobody takes events any more; the response calls it, however it ended."""
        self._client_is_gone.set()

    async def _run(self) -> None:
        """Read to the end, settle, and only then tell the client that it is over."""
        failure: DomainError | None = None
        try:
            end = await self._read()
            failure = end.failure
        except BaseException:
            # Whatever it is, the call must settle.
            logger.exception("stream %s failed here", self._admitted.call.request_id)
            failure, end = InternalError(), operations.UNEXPECTED_END
        charged: Charged | None = None
        try:
            charged = await operations.settle(
                self._work, call=self._admitted.call, end=self._clock.stamp(end)
            )
        except Exception:
            logger.exception("stream %s could not settle", self._admitted.call.request_id)
            failure = failure or InternalError()
        await self._close(failure, charged)

    async def _read(self) -> End:
        """Pass the chunks on and say how the stream ended."""
        cancelled = False
        try:
            reading = asyncio.create_task(self._pass_on())
            leaving = asyncio.create_task(self._client_is_gone.wait())
            await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not reading.done():
                cancelled = True
                await asyncio.wait({reading}, timeout=settings.COSTSITE_DRAIN_S)
                if not reading.done():
                    self._is_whole = False
                    reading.cancel()
                    await asyncio.wait({reading})
                    return await self._end(was_cancelled=True)
            reading.result()
        except ProviderFailure as failure:
            if not self._begun.done() and usage_of(self._reported) is None:
                return operations.end_of_failure(failure)
            return await self._end(failure=failure, was_cancelled=cancelled)
        return await self._end(was_cancelled=cancelled)

    async def _pass_on(self) -> None:
        async with contextlib.aclosing(providers.stream(self._admitted.provider_call)) as chunks:
            async for received in chunks:
                chunk = {**received, "model": self._admitted.call.model.name}
                self._note(chunk)
                chunk.pop("usage", None)  # Told at the very end, with its cost.
                if not _says_anything(chunk):
                    continue
                if not self._begun.done() and _has_delta(chunk):
                    self._clock.note_first_byte()
                    self._begun.set_result(None)
                await self._offer(self._event(chunk))
        if not self._texts and usage_of(self._reported) is None:
            # The library ends a stream of nothing as if it had been whole.
            raise ProviderInterrupted(provider=self._admitted.found.route.provider)

    def _note(self, chunk: dict[str, Any]) -> None:
        """Keep what settling needs: usage, why it ended, and the text in case usage is missing."""
        self._reported = chunk.get("usage") or self._reported
        self._frame = self._frame or {
            k: v for k, v in chunk.items() if k not in ("choices", "usage")
        }
        for choice in chunk.get("choices") or ():
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
            delta = choice.get("delta") or {}
            for text in (delta.get(name) for name in _TEXTS):
                if text:
                    self._texts[choice.get("index", 0)].append(text)
            for call in delta.get("tool_calls") or ():
                arguments = (call.get("function") or {}).get("arguments")
                self._texts[choice.get("index", 0)].append(arguments or "")

    async def _end(
        self, *, failure: ProviderFailure | None = None, was_cancelled: bool = False
    ) -> End:
        usage = usage_of(self._reported)
        is_counted_here = usage is None
        if usage is None:
            usage = await operations.counted_usage(
                call=self._admitted.call,
                route=self._admitted.found.route,
                texts=["".join(parts) for parts in self._texts.values()],
            )
        return End(
            usage=usage,
            is_counted_here=is_counted_here,
            failure=failure,
            may_be_billed=True,
            was_cancelled=was_cancelled,
            status=answer_of(failure).status if failure and not self._begun.done() else 200,
            finish_reason=self._finish_reason,
            provider_request_id=self._frame.get("id", ""),
        )

    async def _close(self, failure: DomainError | None, charged: Charged | None) -> None:
        """Tell the client the end: the failure, or usage with its cost if it was asked for."""
        if not self._begun.done():
            if failure is None:
                self._begun.set_result(None)
            else:
                self._begun.set_exception(failure)
                self._begun.exception()  # Looked at here, in case the client has left already.
                return
        options = self._admitted.found.request.stream_options
        if failure is not None:
            await self._offer(_sse(error_body(failure)))
        elif options and options.include_usage and charged is not None:
            usage = {**(self._reported or {}), "cost": usd_text(charged.cost_usd)}
            await self._offer(_sse({**self._frame, "choices": [], "usage": usage}))
        if failure is None and self._is_whole:
            # Kept before the client is told that it is over, and so may ask again.
            told = b"".join([*self._told, _DONE])
            await operations.keep(
                self._work, admitted=self._admitted, body=told, content_type="text/event-stream"
            )
        await self._offer(_DONE)
        await self._offer(None)

    def _event(self, chunk: dict[str, Any]) -> bytes:
        options = self._admitted.found.request.stream_options
        return _sse({**chunk, "usage": None} if options and options.include_usage else chunk)

    async def _offer(self, event: bytes | None) -> None:
        """Queue an event unless the client has left; a slow client slows the reading down."""
        if event is not None and self._admitted.is_named:
            self._told.append(event)
        while not self._client_is_gone.is_set():
            try:
                self._queue.put_nowait(event)
            except asyncio.QueueFull:
                await asyncio.sleep(0.01)
            else:
                return


def _has_delta(chunk: dict[str, Any]) -> bool:
    return any(choice.get("delta") for choice in chunk.get("choices", ()))


def _says_anything(chunk: dict[str, Any]) -> bool:
    return _has_delta(chunk) or any(
        choice.get("finish_reason") for choice in chunk.get("choices", ())
    )


def _sse(body: dict[str, Any]) -> bytes:
    return b"data: " + json_bytes(body) + b"\n\n"
