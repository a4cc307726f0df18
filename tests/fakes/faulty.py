"""A provider on loopback that breaks the rules of its wire: bytes as a fault says, and no others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_TLS_HANDSHAKE = b"\x16"
Act = Callable[["Wire"], Awaitable[None]]


@dataclass
class Wire:
    """One connection on which a request was read whole; what is sent goes out at once."""

    asked: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_streamed(self) -> bool:
        """Whether the answer was asked for in events."""
        return bool(self.asked.get("stream"))

    async def send(self, content: bytes) -> None:
        """Send bytes."""
        self.writer.write(content)
        await self.writer.drain()

    async def hang(self) -> None:
        """Say nothing more until the other side leaves or the provider stops."""
        await self.reader.read()

    def reset(self) -> None:
        """End the connection as a crash does: what was sent may still arrive, an end never does."""
        peer = self.writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class Faulty:
    """The running provider: its port, what it does next, and what it was asked."""

    port: int = 0
    act: Act | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and do what the fault says."""
        with (
            contextlib.closing(writer),
            contextlib.suppress(ConnectionError, asyncio.IncompleteReadError),
        ):
            begun = await reader.readexactly(1)
            if begun == _TLS_HANDSHAKE:
                writer.write(b"I speak no TLS.\r\n")
                return
            head = begun + await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").lower().split("\r\n")
            length = next(
                int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")
            )
            asked = json.loads(await reader.readexactly(length))
            self.requests.append(asked)
            assert self.act is not None
            await self.act(Wire(asked, reader, writer))


@contextmanager
def running_faulty() -> Iterator[Faulty]:
    """Serve on a free port of loopback, in a thread of its own, until the end."""
    faulty = Faulty()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def begin() -> asyncio.Server:
        server = await asyncio.start_server(faulty.serve, "127.0.0.1", 0)
        faulty.port = server.sockets[0].getsockname()[1]
        ready.set()
        return server

    def serve() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(begin())
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=serve, name="faulty", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield faulty
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
