"""A provider on loopback that answers in OpenAI's dialect and counts what it served."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

_INPUT_TOKENS = (10, 60)
_WAIT_S = (0.01, 0.08)


class CountingProvider:
    """Answers every chat completion with random, honest usage, and keeps the sums."""

    def __init__(self, *, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  Variety, not secrets.
        self.port = 0
        self.served = 0
        self.input_tokens = 0
        self.output_tokens = 0

    @property
    def url(self) -> str:
        """The base URL to enter as a provider's."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer after a short while; what is answered is counted, whoever is there to hear it."""
        asked = await request.json()
        await asyncio.sleep(self._chance.uniform(*_WAIT_S))
        output_tokens = self._chance.randint(1, asked["max_tokens"])
        input_tokens = self._chance.randint(*_INPUT_TOKENS)
        self.served += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        message = {"role": "assistant", "content": "drill"}
        body: dict[str, Any] = {
            "id": f"drill-{self.served}",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": input_tokens,
                "completion_tokens": output_tokens,
                "total_tokens": input_tokens + output_tokens,
            },
        }
        return web.json_response(body)


@contextmanager
def counting_provider(*, seed: int) -> Iterator[CountingProvider]:
    """Serve the provider on a free port of loopback, in a thread of its own."""
    provider = CountingProvider(seed=seed)
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def serve(stopping: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", provider.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.port = runner.addresses[0][1]
        ready.set()
        await stopping.wait()
        await runner.cleanup()

    stopping = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(stopping),), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise TimeoutError("the drill's provider did not start")
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()
