"""Send chat completions as applications do, both ways, and read what came back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.serving import Site
from tests.tenants import MODEL, Tenant

PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller got: the status, the headers, and all that was said, or the error."""

    status: int
    headers: httpx.Headers
    text: str = ""
    error: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    is_ended: bool = True

    @property
    def code(self) -> str:
        """The error's code; empty when there is none."""
        return str(self.error["code"]) if self.error else ""


def body(*, is_streamed: bool = False, model: str = MODEL, **parameters: Any) -> dict[str, Any]:
    """Write a chat completion; a streamed one asks for its usage."""
    asked: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": "Count to five."}],
        **parameters,
    }
    if is_streamed:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return asked


def call(site: Site, tenant: Tenant, **asked: Any) -> Told:
    """Make a call to its end."""
    with site.client(tenant.text) as client:
        return told(client.post(PATH, json=body(**asked)))


def told(response: httpx.Response) -> Told:
    """Read an answer, whichever way it came."""
    if response.headers["content-type"] == "text/event-stream":
        return _streamed(response)
    read = response.json()
    if "error" in read:
        return Told(response.status_code, response.headers, error=read["error"])
    text = "".join(choice["message"]["content"] or "" for choice in read["choices"])
    return Told(response.status_code, response.headers, text, usage=read["usage"])


def events(text: str) -> list[Any]:
    """Read the events of a stream; the last should be "[DONE]"."""
    found = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
    return [event if event == "[DONE]" else json.loads(event) for event in found]


def _streamed(response: httpx.Response) -> Told:
    said, error, usage = "", None, None
    seen = events(response.text)
    for event in seen:
        if event == "[DONE]":
            continue
        error = error or event.get("error")
        usage = event.get("usage") or usage
        for choice in event.get("choices", ()):
            said += choice["delta"].get("content") or ""
    return Told(
        response.status_code, response.headers, said, error, usage, is_ended=seen[-1] == "[DONE]"
    )


def request_bytes(
    site: Site,
    tenant: Tenant,
    *,
    path: str = PATH,
    whole: dict[str, Any] | None = None,
    **asked: Any,
) -> bytes:
    """Write a whole HTTP request, for clients who will not stay to the end.

    It is a chat unless a path and its ``whole`` body are given.
    """
    content = json.dumps(whole or body(**asked)).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {httpx.URL(site.url).netloc.decode()}\r\n"
        f"Authorization: Bearer {tenant.text}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@contextmanager
def opened(site: Site, tenant: Tenant, **asked: Any) -> Iterator[socket.socket]:
    """Send a call and hand over its connection."""
    url = httpx.URL(site.url)
    with socket.create_connection((url.host, url.port or 80), timeout=30) as connection:
        connection.sendall(request_bytes(site, tenant, **asked))
        yield connection


@contextmanager
def sent(site: Site, tenant: Tenant, **asked: Any) -> Iterator[socket.socket]:
    """Send a call and hand over its connection; leaving the block hangs up, and is noticed."""
    with opened(site, tenant, **asked) as connection:
        yield connection
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
