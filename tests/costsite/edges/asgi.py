"""A server's side of the ASGI protocol, played by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from costsite.edges.protocol import Message, Scope


def scope(path: str = "/", *, method: str = "GET", headers: dict[str, str] | None = None) -> Scope:
    """Describe a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }


class Client:
    """Sends parts of a body, may leave, and keeps what it was answered."""

    def __init__(self, parts: Iterable[bytes] = (b"",)) -> None:
        self._parts = list(parts)
        self._sent = 0
        self.left = asyncio.Event()
        # Somebody asks whether the client has left; a part of the answer's body has come.
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()
        self.answers: list[dict[str, Any]] = []

    @property
    def parts_read(self) -> int:
        """How many parts of the body the application has asked for."""
        return self._sent

    async def receive(self) -> Message:
        """Give the next part of the body; then wait until the client leaves."""
        if self._sent < len(self._parts):
            self._sent += 1
            more = self._sent < len(self._parts)
            return {"type": "http.request", "body": self._parts[self._sent - 1], "more_body": more}
        self.asked.set()
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        self.answers.append(dict(message))
        if message.get("body"):
            self.answered.set()

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.answers[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        return {name.decode().lower(): value.decode() for name, value in self.answers[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The answer's body so far."""
        return b"".join(answer.get("body", b"") for answer in self.answers[1:])

    @property
    def is_whole(self) -> bool:
        """Whether the answer has ended."""
        return bool(self.answers) and not self.answers[-1].get("more_body", True)
