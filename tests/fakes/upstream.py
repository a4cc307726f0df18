"""A provider on loopback that speaks OpenAI's dialect and does what its script says.

It counts what it was sent and what it served: the outside witness that a ledger is held against.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes import dialects
from tests.fakes.other_endpoints import ANSWERS, read

USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


class Gate:
    """Keeps a provider waiting until a test, which runs in another thread, opens it."""

    def __init__(self) -> None:
        self._opened = threading.Event()

    def open(self) -> None:
        """Let whoever waits go on."""
        self._opened.set()

    async def passed(self, request: web.Request) -> None:
        """Wait for the opening; give up when a test has forgotten it.

        :raises ConnectionError: if whoever asked has left meanwhile
        """
        for _ in range(6000):
            if request.transport is None:
                raise ConnectionResetError
            if self._opened.is_set():
                return
            await asyncio.sleep(0.005)


@dataclass
class Script:
    """What the provider does next; changed by a test between calls."""

    status: int = 200
    body: Any = None
    words: tuple[str, ...] = ("one ", "two ", "three ", "four ", "five ")
    usage: Any = field(default_factory=lambda: dict(USAGE))
    wait_s: float = 0
    word_wait_s: float = 0
    breaks_after: int | None = None
    breaks: bool = False
    raw: bytes | None = None
    content_type: str = "application/json"
    message: dict[str, Any] | None = None
    ident: str = "chatcmpl-upstream"
    gate: Gate | None = None
    gate_before_word: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    # What is laid over the answer.
    more: dict[str, Any] = field(default_factory=dict)


class Upstream:
    """The running provider: its address, its script, and what it was asked."""

    def __init__(self) -> None:
        self.script = Script()
        # Scripts for the next calls, one each, before ``script`` holds again.
        self.next: list[Script] = []
        self.requests: list[dict[str, Any]]
        self.headers: list[dict[str, str]]
        self.port = 0
        self.forget()

    def forget(self) -> None:
        """Count anew."""
        self.next.clear()
        self.requests = []
        self.headers = []
        self.served = 0
        self.aborted = 0
        self.under_way = 0

    @property
    def url(self) -> str:
        """The base URL to enter as a provider's."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(
        self, request: web.Request, *, of: tuple[Any, Any] | None = None
    ) -> web.StreamResponse:
        """Answer a call as the script says, or by what makes the whole and the events of another
        dialect."""
        asked = await read(request)
        self.requests.append(asked)
        self.headers.append(dict(request.headers))
        self.under_way += 1
        try:
            script = self.next.pop(0) if self.next else self.script
            return await self._scripted(request, asked, script, of)
        except ConnectionError:
            self.aborted += 1
            return web.Response()  # Nobody is there to take it.
        finally:
            self.under_way -= 1

    async def _scripted(
        self,
        request: web.Request,
        asked: dict[str, Any],
        script: Script,
        of: tuple[Any, Any] | None = None,
    ) -> web.StreamResponse:
        if script.gate and script.gate_before_word is None:
            await script.gate.passed(request)
        await asyncio.sleep(script.wait_s)
        if script.breaks:
            return _broken(request)
        if script.raw is not None:
            return web.Response(
                body=script.raw, content_type=script.content_type, status=script.status
            )
        if script.status != 200:
            body = script.body or {"error": {"message": "scripted", "type": "t", "code": "c"}}
            return web.json_response(body, status=script.status, headers=script.headers)
        other = ANSWERS.get(request.path)
        if other:
            self.served += 1
            return other(asked, script)
        if of is not None:
            return await self._other(request, asked, script, of)
        if asked.get("stream"):
            return await self._stream(request, asked, script)
        return self._whole(asked, script)

    def _whole(self, asked: dict[str, Any], script: Script) -> web.Response:
        self.served += 1
        message = script.message or {"role": "assistant", "content": "".join(script.words)}
        choices = [
            {
                "index": index,
                "message": message,
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            }
            for index in range(asked.get("n") or 1)
        ]
        body = {**_frame(asked, "chat.completion", script), "choices": choices, **script.more}
        if script.usage is not None:
            body["usage"] = script.usage
        return web.json_response(body)

    async def _other(
        self, request: web.Request, asked: dict[str, Any], script: Script, of: tuple[Any, Any]
    ) -> web.StreamResponse:
        whole, events = of
        if asked.get("stream"):
            told = await dialects.stream(request, events(asked, script), script, broken=_broken)
        else:
            told = web.json_response(whole(asked, script))
        self.served += 1
        return told

    async def _stream(
        self, request: web.Request, asked: dict[str, Any], script: Script
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        frame = _frame(asked, "chat.completion.chunk", script) | script.more
        for position, word in enumerate(() if script.message else script.words):
            if script.breaks_after == position:
                _broken(request)
                return response
            if script.gate and script.gate_before_word == position:
                await script.gate.passed(request)
            delta = {"index": 0, "delta": {"role": "assistant", "content": word}}
            await response.write(_event({**frame, "choices": [delta]}))
            await asyncio.sleep(script.word_wait_s)
        calls = (script.message or {}).get("tool_calls", ())
        for delta in _call_deltas(calls):
            await response.write(_event({**frame, "choices": [{"index": 0, "delta": delta}]}))
        ending = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}
        await response.write(_event({**frame, "choices": [ending]}))
        if script.usage is not None:
            await response.write(_event({**frame, "choices": [], "usage": script.usage}))
        await response.write(b"data: [DONE]\n\n")
        self.served += 1
        return response


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Serve a provider on a free port of loopback, in a thread of its own, until the end."""
    upstream = Upstream()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    runners: list[web.AppRunner] = []

    async def begin() -> None:
        app = web.Application(client_max_size=64_000_000)
        for path in ("/v1/chat/completions", *ANSWERS):
            app.router.add_post(path, upstream.answer)
        app.router.add_post("/v1/chat/completions", upstream.answer)
        for path, handler in dialects.handlers(upstream).items():
            app.router.add_post(path, handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        upstream.port = runner.addresses[0][1]
        runners.append(runner)
        ready.set()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        loop.run_forever()
        loop.run_until_complete(runners[0].cleanup())
        loop.close()

    thread = threading.Thread(target=serve, name="upstream", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _broken(request: web.Request) -> web.Response:
    """Break the connection off; what is given is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _frame(asked: dict[str, Any], kind: str, script: Script) -> dict[str, Any]:
    return {"id": script.ident, "object": kind, "created": 1_700_000_000, "model": asked["model"]}


def _call_deltas(calls: Any) -> Iterator[dict[str, Any]]:
    """Each call comes in two pieces, its name first."""
    for index, call in enumerate(calls):
        function = call["function"]
        begun = {**call, "index": index, "function": {**function, "arguments": ""}}
        yield {"role": "assistant", "content": None, "tool_calls": [begun]}
        middle = len(function["arguments"]) // 2
        for piece in (function["arguments"][:middle], function["arguments"][middle:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
