"""A receiver of alerts on the loopback: remembers what it gets, answers what it is told to."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Received:
    """One request as it came; ``at_s`` is of the monotonic clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float = field(default_factory=time.monotonic)


@dataclass
class _Next:
    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    trickles: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = self.server.receiver.take(Received(self.path, headers, self.rfile.read(length)))
        try:
            self._trickle() if told.trickles else self._tell(told)
        except OSError:  # The sender has heard enough.
            pass

    def _tell(self, told: _Next) -> None:
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(told.body)))
        self.end_headers()
        self.wfile.write(told.body)

    def _trickle(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b".")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002  its name
        """Say nothing."""


class Receiver:
    """Runs while its block does; ``requests`` are what came, the first first."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Received] = []
        self._answers: list[_Next] = []
        self._always = _Next()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def answer(
        self,
        status: int,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Answer like this from now on, or so many times before going on as before."""
        told = _Next(status, body, headers or {})
        if times is None:
            self._always = told
        else:
            self._answers += [told] * times

    def take(self, received: Received) -> _Next:
        """Remember a request, and give what to answer."""
        self.requests.append(received)
        return self._answers.pop(0) if self._answers else self._always

    def trickle(self) -> None:
        """Answer a byte at a time, without an end."""
        self._always = _Next(trickles=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
