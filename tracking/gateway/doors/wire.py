"""The pass-through door: for providers that speak OpenAI's own wire format, over plain HTTP.

What was asked goes out as it is, and what comes back is passed on as it came. So it costs a tenth
of the library's door, and nothing that a provider says is lost. No retries, no redirects, no
cookies, no proxy of the environment; addresses are judged where they are connected to.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import aiohttp
import orjson
from yarl import URL

from budgets.http.outbound import AddressRefused
from budgets.http.wire import json_bytes
from tracking.gateway import failures
from tracking.gateway.doors import statuses
from tracking.gateway.doors.call import (
    ESSENTIAL,
    LIBRARY_NAMES,
    MESSAGES_ADDRESSES,
    WIRE_ADDRESSES,
    Event,
    ProviderCall,
    Reply,
    Route,
    is_sound,
)
from tracking.gateway.doors.frames import Frames, FrameTooLong, data_of
from tracking.gateway.doors.sessions import close, session

__all__ = ["close", "read_reply", "send", "stream", "takes"]

# A whole answer, or one event of a stream: pictures and speech come as large as this.
_MOST_BYTES = 64_000_000
_MOST_OF_AN_ERROR = 65_536
_MOST_AT_ONCE = 1_000_000
# After the last event a provider ends its answer, and the connection can serve the next call.
_ENDS_WITHIN_S = 0.2

_ENDPOINTS = frozenset(
    {
        "audio.speech",
        "audio.transcriptions",
        "chat.completions",
        "completions",
        "embeddings",
        "images.generations",
        "moderations",
        "rerank",
    }
)
# Dialects that the library does not speak, and the events that end their streams.
_NATIVE = MappingProxyType(
    {
        "messages": frozenset({"message_stop"}),
        "responses": frozenset({"response.completed", "response.incomplete", "response.failed"}),
    }
)
_MAY_BE_EMPTY = frozenset({"messages", "responses"})
_ANTHROPIC_VERSION = "2023-06-01"
_DONE = b"[DONE]"


def takes(call: ProviderCall) -> bool:
    """Tell whether a call goes through this door."""
    return call.endpoint in _NATIVE or (call.route.is_wired and call.endpoint in _ENDPOINTS)


async def send(call: ProviderCall) -> Reply:
    """Send a call and give its whole answer."""
    try:
        async with asyncio.timeout(call.timeout_s), _answer(call, _asked(call)) as answer:
            content = await _whole(answer, most=_MOST_BYTES)
            return read_reply(call, answer.content_type, content)
    except _KNOWN as error:
        raise _failure(error, call.route) from error


async def stream(call: ProviderCall) -> AsyncGenerator[Sequence[Event], None]:
    """Send a call and give the events of its answer: those of one reading of the network together."""
    deadlines = _Deadlines(call)
    asked = _asked(call) | {"stream": True, **_options(call)}
    try:
        async with contextlib.AsyncExitStack() as kept:
            async with asyncio.timeout_at(deadlines.next_at()):
                answer = await kept.enter_async_context(_answer(call, asked))
            if answer.content_type != "text/event-stream":
                raise failures.ProviderInterrupted
            last = _NATIVE.get(call.endpoint, frozenset())
            async for events in _events(answer, deadlines, last):
                yield events
    except _KNOWN as error:
        raise _failure(error, call.route) from error


class _Deadlines:
    """When the next bytes of a stream must have come, by the loop's time.

    They stand around each wait and not around the loop: they would cancel whoever reads the events
    while they are doing something else.
    """

    def __init__(self, call: ProviderCall) -> None:
        self._now = asyncio.get_running_loop().time
        now = self._now()
        self._until = now + call.timeout_s
        self._first_until = min(self._until, now + call.first_byte_timeout_s)
        self._idle_s = call.idle_timeout_s
        self.has_begun = False

    def next_at(self) -> float:
        """Give the next deadline.

        :raises TimeoutError: if the last is over, whatever is there already: nothing else would
            ever end a slow reading of what came fast
        """
        if not self.has_begun:
            return self._first_until
        now = self._now()
        if now > self._until:
            raise TimeoutError
        return min(self._until, now + self._idle_s)


def _asked(call: ProviderCall) -> dict[str, Any]:
    return {"model": _model_there(call.route), **call.parameters}


def _options(call: ProviderCall) -> dict[str, Any]:
    """Ask for usage, which is never left to a default; typed events carry it unasked."""
    if call.endpoint in _NATIVE:
        return {}
    return {"stream_options": {"include_usage": True}}


def _model_there(route: Route) -> str:
    """Name a model as the provider does: without what only the library needs in front."""
    return route.model.removeprefix(f"{LIBRARY_NAMES.get(route.kind, route.provider)}/")


def _credentials(call: ProviderCall) -> dict[str, str]:
    """Give the headers that a key is sent in."""
    key = call.route.key
    if call.endpoint == "messages":
        version = {"anthropic-version": _ANTHROPIC_VERSION}
        return {**version, "x-api-key": key} if key else version
    return {"Authorization": f"Bearer {key}"} if key else {}


@contextlib.asynccontextmanager
async def _answer(
    call: ProviderCall, asked: Mapping[str, Any]
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a request and give the answer, of which only the head has come.

    :raises ProviderFailure: if its status is not one of success
    """
    route = call.route
    base_url = route.base_url or (WIRE_ADDRESSES | MESSAGES_ADDRESSES)[route.provider]
    content, headers = _content(asked)
    headers |= _credentials(call)
    async with session(base_url).post(
        _address(base_url, call.endpoint),
        data=content,
        headers=headers,
        timeout=_connected_within(call.connect_timeout_s),
        allow_redirects=False,
    ) as answer:
        if not 200 <= answer.status < 300:
            raise await _refusal(answer, route)
        yield answer


@lru_cache(maxsize=4096)
def _address(base_url: str, endpoint: str) -> URL:
    return URL(f"{base_url.rstrip('/')}/{endpoint.replace('.', '/')}")


@lru_cache(maxsize=256)
def _connected_within(seconds: float) -> aiohttp.ClientTimeout:
    """Bound the making of a connection; all other waits have deadlines of their own here."""
    return aiohttp.ClientTimeout(total=None, connect=seconds)


def _content(asked: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """Write what is asked as JSON, or as a form where a file is among it; and the headers."""
    if not any(isinstance(value, tuple) for value in asked.values()):
        written = json_bytes(asked)
        # The client library warns of long bytes, and sends a file piece by piece.
        content = written if len(written) < _MOST_AT_ONCE else io.BytesIO(written)
        return content, {"Content-Type": "application/json"}
    form = aiohttp.FormData(quote_fields=False)
    for name, value in asked.items():
        is_list = isinstance(value, list) and not name.endswith("[]")
        sent_as = f"{name}[]" if is_list else name
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, tuple):
                filename, content, content_type = one
                form.add_field(sent_as, content, filename=filename, content_type=content_type)
            else:
                form.add_field(sent_as, one if isinstance(one, str) else json_bytes(one).decode())
    return form, {}


async def _refusal(answer: aiohttp.ClientResponse, route: Route) -> failures.ProviderFailure:
    """Read an answer of failure; what breaks off in the middle of one is one all the same."""
    text = ""
    with contextlib.suppress(aiohttp.ClientError, _TooLong):
        text = (await _whole(answer, most=_MOST_OF_AN_ERROR)).decode(errors="replace")
    return statuses.failure_told(
        statuses.failure_of_status(status=answer.status, text=text),
        said=statuses.message_of(text),
        key=route.key,
        details={
            "provider": route.provider,
            **statuses.retry_after(answer.headers.get("Retry-After")),
        },
    )


async def _whole(answer: aiohttp.ClientResponse, *, most: int) -> bytes:
    parts, size = [], 0
    while part := await answer.content.readany():
        parts.append(part)
        size += len(part)
        if size > most:
            raise _TooLong
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_reply(call: ProviderCall, content_type: str, content: bytes) -> Reply:
    """Read an answer.

    :raises ProviderFailure: if it is not what the endpoint answers with
    """
    if _is_no_json(call.endpoint, content_type):
        return Reply({}, content, content_type)
    body = _read(content)
    if not _has_essential(call.endpoint, body):
        if isinstance(body.get("error"), dict):
            # An answer that says nothing but that it is a refusal, whatever its status.
            raise failures.ProviderRefused
        raise failures.ProviderInterrupted
    if call.endpoint == "chat.completions":
        _complete_choices(body["choices"])
    return Reply(body)


def _is_no_json(endpoint: str, content_type: str) -> bool:
    """Tell whether an answer is speech, or what was heard as plain text; never what a browser runs."""
    if endpoint == "audio.transcriptions":
        return content_type == "text/plain"
    return endpoint == "audio.speech" and is_sound(content_type)


def _has_essential(endpoint: str, body: Mapping[str, Any]) -> bool:
    found = body.get(ESSENTIAL.get(endpoint, ""))
    if endpoint == "audio.transcriptions":
        return isinstance(found, str)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        return False
    return bool(found) or endpoint in _MAY_BE_EMPTY


def _complete_choices(choices: list[Any]) -> None:
    """Put in what every answer of the dialect has, and typed clients count on.

    :raises ProviderInterrupted: if one says nothing
    """
    for choice in choices:
        if not isinstance(choice.get("message"), dict):
            raise failures.ProviderInterrupted
        choice.setdefault("finish_reason", None)
        choice["message"].setdefault("content", None)


async def _events(
    answer: aiohttp.ClientResponse, deadlines: _Deadlines, last: frozenset[str]
) -> AsyncIterator[Sequence[Event]]:
    """Give the events up to the one that says it was the last, or to the end.

    :raises ProviderInterrupted: if one of ``last`` should have come, and did not
    """
    frames = Frames(most_bytes=_MOST_BYTES)
    while block := await _next(answer.content, deadlines):
        events, failure, is_over = _parsed(frames.feed(block))
        if events:
            deadlines.has_begun = True
            yield events
        if failure is not None:
            raise failure
        if is_over or (last and any(event.body.get("type") in last for event in events)):
            await _ended(answer.content)
            return
    if last:
        raise failures.ProviderInterrupted


def _parsed(
    frames: Sequence[bytes],
) -> tuple[Sequence[Event], failures.ProviderFailure | None, bool]:
    """Read events until one makes no sense or says that it is the last; tell which it was."""
    events: list[Event] = []
    for frame in frames:
        data = data_of(frame)
        if data == _DONE:
            return events, None, True
        try:
            if data:
                events.append(_event(frame, data))
        except failures.ProviderFailure as failure:
            return events, failure, False
    return events, None, False


def _event(frame: bytes, data: bytes) -> Event:
    body = _read(data)
    if body.get("error") or body.get("type") == "error":
        raise failures.ProviderInterrupted
    is_as_it_came = len(data) + len(b"data: ") == len(frame)
    for choice in body.get("choices") or ():
        if "finish_reason" not in choice and "delta" in choice:
            # It is in every chunk of the dialect, and typed clients count on it.
            choice["finish_reason"] = None
            is_as_it_came = False
    return Event(body, frame + b"\n\n" if is_as_it_came else b"")


async def _next(content: aiohttp.StreamReader, deadlines: _Deadlines) -> bytes:
    """Wait for more bytes; none after the last."""
    async with asyncio.timeout_at(deadlines.next_at()):
        return await content.readany()


async def _ended(content: aiohttp.StreamReader) -> None:
    """Wait a moment for the end after the last event, or give up the connection."""
    if not content.at_eof():
        with contextlib.suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await content.readany()


def _read(text: bytes) -> dict[str, Any]:
    """Read a JSON object.

    The fast reader refuses what the provider may say all the same, such as half of a surrogate
    pair; then the standard library's takes over.
    """
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            body = json.loads(text)
        except ValueError as error:
            raise failures.ProviderInterrupted from error
    if not isinstance(body, dict):
        raise failures.ProviderInterrupted
    return body


class _TooLong(Exception):
    """An answer is longer than any may be."""


# Everything else is our own fault, and is not the provider's failure.
_KNOWN = (
    failures.ProviderFailure,
    aiohttp.ClientError,
    AddressRefused,
    OSError,
    FrameTooLong,
    _TooLong,
)
_NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    AddressRefused,
)


def _failure(error: Exception, route: Route) -> failures.ProviderFailure:
    """Judge by how far the call had come; an answered status was judged where it was read."""
    details = {"provider": route.provider}
    if isinstance(error, failures.ProviderFailure):
        error.details |= details
        return error
    if isinstance(error, _NEVER_CONNECTED):
        return failures.ProviderUnavailable(**details)
    if isinstance(error, TimeoutError):
        return failures.ProviderTimeout(**details)
    return failures.ProviderInterrupted(**details)
