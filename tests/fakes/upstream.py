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

USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


@dataclass
class Script:
    """What the provider does next; changed by a test between calls."""

    status: int = 200
    body: Any = None
    words: tuple[str, ...] = ("one ", "two ", "three ", "four ", "five ")
    usage: dict[str, Any] | None = field(default_factory=lambda: dict(USAGE))
    wait_s: float = 0
    word_wait_s: float = 0
    breaks_after: int | None = None
    raw: bytes | None = None


class Upstream:
    """The running provider: its address, its script, and what it was asked."""

    def __init__(self) -> None:
        self.script = Script()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.served = 0
        self.aborted = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The base URL to enter as a provider's."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a chat completion as the script says."""
        asked = await request.json()
        self.requests.append(asked)
        self.headers.append(dict(request.headers))
        script = self.script
        await asyncio.sleep(script.wait_s)
        if script.raw is not None:
            return web.Response(body=script.raw, content_type="application/json")
        if script.status != 200:
            body = script.body or {"error": {"message": "scripted", "type": "t", "code": "c"}}
            return web.json_response(body, status=script.status)
        if asked.get("stream"):
            return await self._stream(request, asked, script)
        self.served += 1
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": "".join(script.words)},
                "finish_reason": "stop",
            }
            for index in range(asked.get("n") or 1)
        ]
        body = {**_frame(asked, "chat.completion"), "choices": choices}
        if script.usage is not None:
            body["usage"] = script.usage
        return web.json_response(body)

    async def _stream(
        self, request: web.Request, asked: dict[str, Any], script: Script
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        frame = _frame(asked, "chat.completion.chunk")
        try:
            for position, word in enumerate(script.words):
                if script.breaks_after == position:
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                delta = {"index": 0, "delta": {"role": "assistant", "content": word}}
                await response.write(_event({**frame, "choices": [delta]}))
                await asyncio.sleep(script.word_wait_s)
            last = {"index": 0, "delta": {}, "finish_reason": "stop"}
            await response.write(_event({**frame, "choices": [last]}))
            if script.usage is not None:
                await response.write(_event({**frame, "choices": [], "usage": script.usage}))
            await response.write(b"data: [DONE]\n\n")
            self.served += 1
        except ConnectionError:
            self.aborted += 1
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
        app.router.add_post("/v1/chat/completions", upstream.answer)
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


def _frame(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-upstream", "object": kind, "created": 1_700_000_000, "model": asked["model"]}


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
