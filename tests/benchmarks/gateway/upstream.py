"""A provider that answers at once, at 20 microseconds of CPU a request, and counts what it served.

It reads no more of a request than it must: whether it streams, and for which model. A model's name
says how it is answered: ``...-apart`` in one packet for each chunk, ``...-idle`` with one chunk and
then nothing.
"""

from __future__ import annotations

import asyncio
import json
from multiprocessing.queues import SimpleQueue
from typing import Any

import httptools
import uvloop

CHUNKS = 20
PROMPT_TOKENS, OUTPUT_TOKENS = 21, 20
_FRAME = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}
_USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": PROMPT_TOKENS + OUTPUT_TOKENS,
}
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _whole() -> bytes:
    message = {"role": "assistant", "content": "The quick brown fox has a rest. " * 2}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = {**_FRAME, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
    text = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event({**_FRAME, "object": "chat.completion.chunk", "choices": [choice]})


def _event(body: dict[str, Any]) -> bytes:
    return _part(b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n")


def _part(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_EVENTS = [
    *(_chunk({"role": "assistant", "content": f"word{n} "}) for n in range(CHUNKS)),
    _chunk({}, "stop"),
    _event({**_FRAME, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}),
    _part(b"data: [DONE]\n\n") + b"0\r\n\r\n",
]
_ANSWER, _STREAM = _whole(), _STREAM_HEAD + b"".join(_EVENTS)


class Provider(asyncio.Protocol):
    """One connection, and the count of what all of them served."""

    served = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to read requests."""
        self._transport = transport
        self._body = b""
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer the request that has come in whole."""
        body, self._body = self._body, b""
        if self._parser.get_method() == b"GET":
            self._write_count()
        elif b'"stream":true' not in body:
            Provider.served += 1
            self._transport.write(_ANSWER)
        elif b'-idle"' in body:
            self._transport.write(_STREAM_HEAD + _EVENTS[0])
        elif b'-apart"' in body:
            self._write_apart([_STREAM_HEAD, *_EVENTS])
        else:
            Provider.served += 1
            self._transport.write(_STREAM)

    def _write_apart(self, parts: list[bytes]) -> None:
        self._transport.write(parts[0])
        if len(parts) > 1:
            asyncio.get_running_loop().call_soon(self._write_apart, parts[1:])
        else:
            Provider.served += 1

    def _write_count(self) -> None:
        text = str(Provider.served).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(text) + text)


def serve(port: SimpleQueue[int]) -> None:
    """Serve on a free port of loopback until the process is ended; tell the port."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Provider, "127.0.0.1", 0, backlog=4096)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())
