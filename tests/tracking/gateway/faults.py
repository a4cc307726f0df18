"""What can go wrong on the wire of a provider, and what each comes to: a table.

A fault is what the provider sends for a chat that would otherwise be answered with "one two ".
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import responses
from typing import Any, Literal

from tests.fakes.faulty import Act, Wire

Charge = Literal["free", "hold", "counted", "usage"]
USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
CHUNK: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "plain",
}
WORDS = ("one ", "two ")
TEXT = "".join(WORDS)
DONE = b"data: [DONE]\n\n"
HTML = b"<html><body>Bad gateway, try later</body></html>"


@dataclass(frozen=True)
class Told:
    """What a caller gets: the status, an error's code, what it is charged by, and for how much."""

    status: int
    code: str = ""
    charge: Charge = "usage"
    tokens: tuple[int, int] = (11, 5)
    text: str = TEXT


@dataclass(frozen=True)
class Fault:
    """What a provider does, and what comes of it: whole and streamed."""

    name: str
    act: Act
    whole: Told | None
    streamed: Told | None = None


FINE = Told(200)
COUNTED = Told(200, charge="counted")
MAYBE_BILLED = Told(502, "provider_error", "hold", text="")
TIMED_OUT = Told(504, "timeout", "hold", text="")
BROKEN_OFF = Told(200, "provider_error", "counted", text="one ")
STALLED = Told(200, "timeout", "counted", text="one ")


def head(
    status: int = 200,
    *,
    content_type: str = "application/json",
    length: int | None = None,
    more: str = "",
) -> bytes:
    """Write the head of an answer that ends with its connection, or after a length."""
    said = f"Content-Length: {length}\r\n" if length is not None else ""
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    reason = responses.get(status, "Unknown")
    return f"HTTP/1.1 {status} {reason}\r\n{kind}{said}{more}Connection: close\r\n\r\n".encode()


def answer(content: bytes, status: int = 200, **more: Any) -> bytes:
    """Write a whole answer."""
    return head(status, length=len(content), **more) + content


def chat(**change: Any) -> bytes:
    """Write a whole chat's body."""
    message = {"role": "assistant", "content": TEXT}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = CHUNK | {"object": "chat.completion", "choices": choices, "usage": USAGE} | change
    return json.dumps({k: v for k, v in body.items() if v is not ...}).encode()


def event(body: Any) -> bytes:
    """Write an event."""
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def said(word: str, **choice: Any) -> bytes:
    """Write the event of a word."""
    return event(CHUNK | {"choices": [{"index": 0, "delta": {"content": word}, **choice}]})


def usage_event(usage: Any) -> bytes:
    """Write the event of the usage."""
    return event(CHUNK | {"choices": [], "usage": usage})


STOP = event(CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
SAID = b"".join(map(said, WORDS))
EVENTS = SAID + STOP + usage_event(USAGE)
SSE = head(content_type="text/event-stream")


def sends(whole: bytes, streamed: bytes) -> Act:
    """Send one thing or the other, and end."""

    async def act(wire: Wire) -> None:
        await wire.send(streamed if wire.is_streamed else whole)

    return act


def streams(content: bytes) -> Act:
    """Send a stream, and end."""
    return sends(b"", SSE + content)


def answers(content: bytes, **more: Any) -> Act:
    """Send the same whole answer, whatever was asked for."""
    return sends(answer(content, **more), answer(content, **more))


def then(content: Callable[[bool], bytes], end: Literal["reset", "hang", "close"]) -> Act:
    """Send something, and then break off."""

    async def act(wire: Wire) -> None:
        await wire.send(content(wire.is_streamed))
        if end == "hang":
            await wire.hang()
        elif end == "reset":
            await asyncio.sleep(0.05)  # Else what was sent is lost with the connection.
            wire.reset()

    return act


async def drips(wire: Wire) -> None:
    """Send a few bytes at a time."""
    content = SSE + EVENTS + DONE if wire.is_streamed else answer(chat())
    for at in range(0, len(content), 7):
        await wire.send(content[at : at + 7])
        await asyncio.sleep(0.001)


def _nothing(_: bool) -> bytes:
    return b""


def _only_head(is_streamed: bool) -> bytes:
    return SSE if is_streamed else head(length=1_000)


def _half(is_streamed: bool) -> bytes:
    return SSE + said("one ") if is_streamed else head(length=1_000) + chat()[:40]


def _chunked(is_streamed: bool) -> bytes:
    """A chunk that is cut short, by the length that stands before it."""
    content = said("one ") if is_streamed else chat()[:40]
    kind = "text/event-stream" if is_streamed else "application/json"
    begun = head(content_type=kind, more="Transfer-Encoding: chunked\r\n")
    return begun + f"{len(content):x}\r\n".encode() + content + b"\r\nfff\r\ndata: {"


PACKED: dict[str, Any] = {"more": "Content-Encoding: gzip\r\n"}
LIES = {
    "negative": ({"prompt_tokens": -5, "completion_tokens": 7}, (0, 7)),
    "parts above their total": (
        USAGE | {"completion_tokens_details": {"reasoning_tokens": 50}},
        (11, 50),
    ),
    "total that does not add up": (USAGE | {"total_tokens": 3}, (11, 5)),
    "huge": ({"prompt_tokens": 10**9, "completion_tokens": 2 * 10**9}, (10**9, 2 * 10**9)),
}
SILENT = {
    "missing": ...,
    "null": None,
    "zero": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "empty": {},
}
# What is told of each status that a provider answers with; nothing is charged for any of them.
STATUSES = {
    300: (502, "provider_error"),
    301: (502, "provider_error"),
    302: (502, "provider_error"),
    307: (502, "provider_error"),
    400: (400, "provider_refused"),
    401: (502, "provider_auth_failed"),
    402: (400, "provider_refused"),
    403: (502, "provider_auth_failed"),
    404: (400, "provider_refused"),
    405: (400, "provider_refused"),
    408: (502, "provider_error"),
    409: (400, "provider_refused"),
    413: (400, "provider_refused"),
    415: (400, "provider_refused"),
    418: (400, "provider_refused"),
    422: (400, "provider_refused"),
    429: (429, "provider_rate_limited"),
    451: (400, "provider_refused"),
    500: (502, "provider_error"),
    501: (502, "provider_error"),
    502: (502, "provider_error"),
    503: (502, "provider_error"),
    504: (502, "provider_error"),
    520: (502, "provider_error"),
    529: (502, "provider_error"),
}

BROKEN = [
    Fault("reset before the head", then(_nothing, "reset"), MAYBE_BILLED, MAYBE_BILLED),
    Fault("end before the head", then(_nothing, "close"), MAYBE_BILLED, MAYBE_BILLED),
    Fault("reset after the head", then(_only_head, "reset"), MAYBE_BILLED, MAYBE_BILLED),
    Fault("end after the head", then(_only_head, "close"), MAYBE_BILLED, MAYBE_BILLED),
    Fault("reset in the middle", then(_half, "reset"), MAYBE_BILLED),
    Fault("chunk cut short", then(_chunked, "close"), MAYBE_BILLED, BROKEN_OFF),
    Fault("silence before the head", then(_nothing, "hang"), TIMED_OUT, TIMED_OUT),
    Fault("silence after the head", then(_only_head, "hang"), TIMED_OUT, TIMED_OUT),
    Fault("silence in the middle", then(_half, "hang"), TIMED_OUT, STALLED),
    Fault(
        "no HTTP", sends(b"\x16\x03\x01 banana\r\n\r\n", b"\x00\x01\x02\r\n\r\n"),
        MAYBE_BILLED, MAYBE_BILLED,
    ),
]  # fmt: skip
CONTENTS = [
    Fault("JSON cut short", sends(answer(chat()[:60]), SSE + said("one ")[:40] + b"\n\n"),
          MAYBE_BILLED, MAYBE_BILLED),
    Fault("JSON cut short later", streams(said("one ") + said("two ")[:40] + b"\n\n"),
          None, BROKEN_OFF),
    Fault("no gzip", sends(answer(b"garbage", **PACKED), answer(b"garbage", **PACKED)),
          MAYBE_BILLED, MAYBE_BILLED),
    Fault("gzip cut short", answers(gzip.compress(chat() * 50)[:60], **PACKED),
          MAYBE_BILLED, MAYBE_BILLED),
    Fault("gzip", sends(answer(gzip.compress(chat()), **PACKED),
          answer(gzip.compress(EVENTS + DONE), content_type="text/event-stream", **PACKED)),
          FINE, FINE),
    Fault("JSON said to be text", answers(chat(), content_type="text/plain"), FINE, MAYBE_BILLED),
    Fault("HTML", answers(HTML, content_type="text/html"), MAYBE_BILLED, MAYBE_BILLED),
    Fault("nothing", answers(b""), MAYBE_BILLED, MAYBE_BILLED),
    Fault("204", sends(head(204), head(204)), MAYBE_BILLED, MAYBE_BILLED),
    Fault("a list", sends(answer(b"[]"), SSE + b"data: []\n\n"), MAYBE_BILLED, MAYBE_BILLED),
    Fault("null", sends(answer(b"null"), SSE + b"data: null\n\n"), MAYBE_BILLED, MAYBE_BILLED),
    Fault("choices missing", sends(answer(chat(choices=...)), SSE + DONE),
          MAYBE_BILLED, MAYBE_BILLED),
    Fault("choices null", sends(answer(chat(choices=None)), SSE + event(CHUNK | {"choices": None})),
          MAYBE_BILLED, MAYBE_BILLED),
    Fault("no choices", sends(answer(chat(choices=[])), SSE + event(CHUNK | {"choices": []})),
          MAYBE_BILLED, MAYBE_BILLED),
    Fault("error at the beginning", streams(event({"error": {"message": "overloaded"}})),
          None, MAYBE_BILLED),
    Fault("cut off where no length is told", streams(said("one ")), None, BROKEN_OFF),
    Fault("error in the middle", streams(said("one ") + event({"error": {"message": "no"}})),
          None, BROKEN_OFF),
]  # fmt: skip
ODD = [
    Fault("another index", streams(said("one ", index=7) + said("two ", index=7) + STOP
          + usage_event(USAGE) + DONE), None, FINE),
    Fault("finish_reason missing", sends(
        answer(chat(choices=[{"index": 0, "message": {"role": "assistant", "content": TEXT}}])),
        SSE + SAID + usage_event(USAGE) + DONE), FINE, FINE),
    Fault("[DONE] missing", streams(EVENTS), None, FINE),
    Fault("more after [DONE]", streams(EVENTS + DONE + said("three ")), None, FINE),
    Fault("usage twice", streams(EVENTS + usage_event(USAGE) + DONE), None, FINE),
    Fault("usage that grows", streams(said("one ") + usage_event(USAGE | {"completion_tokens": 1})
          + said("two ") + STOP + usage_event(USAGE) + DONE), None, FINE),
    Fault("usage that shrinks", streams(SAID + usage_event(USAGE) + STOP
          + usage_event({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}) + DONE),
          None, Told(200, tokens=(1, 1))),
    Fault("usage with the last word", streams(said("one ") + event(CHUNK | {"choices": [
        {"index": 0, "delta": {"content": "two "}, "finish_reason": "stop"}], "usage": USAGE})
        + DONE), None, FINE),
    Fault("byte order mark", streams(b"\xef\xbb\xbf" + EVENTS + DONE), None, FINE),
    Fault("CRLF", streams((EVENTS + DONE).replace(b"\n", b"\r\n")), None, FINE),
    Fault("comments and names", streams(b": hello\n\nevent: message\nid: 1\nretry: 5\n" + EVENTS
          + b": bye\n\n" + DONE), None, FINE),
    Fault("no space after the colon", streams((EVENTS + DONE).replace(b"data: ", b"data:")),
          None, FINE),
    Fault("a long line", streams(said("x" * 300_000) + EVENTS + DONE), None,
          Told(200, text="x" * 300_000 + TEXT)),
    Fault("drop by drop", drips, FINE, FINE),
    Fault("early hints first", sends(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
          + answer(chat()), b"HTTP/1.1 100 Continue\r\n\r\n" + SSE + EVENTS + DONE), FINE, FINE),
]  # fmt: skip
USAGES = [
    *(
        Fault(f"usage {name}", sends(answer(chat(usage=usage)), SSE + SAID + STOP
              + (usage_event(usage) if usage is not ... else b"") + DONE), COUNTED, COUNTED)
        for name, usage in SILENT.items()
    ),
    *(
        Fault(f"usage {name}", sends(answer(chat(usage=usage)), SSE + SAID + STOP
              + usage_event(usage) + DONE), Told(200, tokens=tokens), Told(200, tokens=tokens))
        for name, (usage, tokens) in LIES.items()
    ),
]  # fmt: skip
FAULTS = {fault.name: fault for fault in [*BROKEN, *CONTENTS, *ODD, *USAGES]}
