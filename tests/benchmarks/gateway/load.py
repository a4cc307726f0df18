"""Callers that ask again as soon as they are answered, at as little CPU as they can."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop


@dataclass(frozen=True)
class Asked:
    """What is asked, of whom, and how many ask at once."""

    url: str
    key: str
    model: str
    at_once: int
    is_streamed: bool = False

    def request(self) -> bytes:
        """Write the HTTP request."""
        parts = urlsplit(self.url)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": "Say something about foxes and dogs."}],
            "max_tokens": 100,
        }
        if self.is_streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        content = json.dumps(body)
        return (
            f"POST {parts.path}/v1/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            f"authorization: Bearer {self.key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\n\r\n{content}"
        ).encode()


@dataclass
class Seen:
    """What came back: statuses, seconds to the last byte of each answer, and the seconds it took."""

    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    last: bytes = b""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.took_s) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Give the milliseconds below which that share of the answers took."""
        ordered = sorted(self.took_s)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


class Connection(asyncio.Protocol):
    """One connection that is kept, with one request at a time on it."""

    def connection_made(self, transport: Any) -> None:
        """Remember where to write."""
        self._transport = transport
        self._answered: asyncio.Future[int] | None = None
        self.body: list[bytes] = []
        self.begun = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        if self._answered and not self._answered.done():
            self._answered.set_exception(ConnectionError("closed"))

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """Send a request; gives the status once the answer is whole."""
        self._parser = httptools.HttpResponseParser(self)
        self._answered = asyncio.get_running_loop().create_future()
        self.body = []
        self._transport.write(request)
        return self._answered

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self.body.append(body)
        self.begun.set()

    def on_message_complete(self) -> None:
        """Tell the status."""
        if self._answered and not self._answered.done():
            self._answered.set_result(self._parser.get_status_code())


async def connected(url: str) -> Connection:
    """Connect to a server."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
    return connection


async def _ask(asked: Asked, seconds: float, most: int) -> Seen:
    request, seen = asked.request(), Seen()
    begun = time.perf_counter()
    left = most

    async def caller() -> None:
        nonlocal left
        connection = await connected(asked.url)
        while left > 0 and (at := time.perf_counter()) < begun + seconds:
            left -= 1
            status = await connection.ask(request)
            seen.took_s.append(time.perf_counter() - at)
            seen.statuses[status] += 1
        seen.last = b"".join(connection.body)
        connection.close()

    await asyncio.gather(*(caller() for _ in range(asked.at_once)))
    seen.seconds = time.perf_counter() - begun
    return seen


def ask(asked: Asked, *, seconds: float = 3600.0, most: int = 10**9) -> Seen:
    """Ask for some seconds, or so many times, and give what came back.

    :raises SystemExit: if anything was answered with another status than 200
    """
    seen = uvloop.run(_ask(asked, seconds, most))
    if set(seen.statuses) != {200}:
        raise SystemExit(f"{asked} was answered with {dict(seen.statuses)}: {seen.last!r}")
    return seen
