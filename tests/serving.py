"""The site as it is served: a web server in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from costsite.processes import spawn
from costsite.settings import BASE_DIR
from tests import documented

# Loading the provider library takes seconds of CPU, and other tests may be running beside.
READY_S = 90.0
# No test sends a large body, except the one that is to be refused.
MOST_BODY_BYTES = 300_000


@dataclass(frozen=True, slots=True)
class Site:
    """A web server that is running: its address, its process and its log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(self, key: str = "", **options: Any) -> httpx.Client:
        """Open a client that calls with a key, and takes only answers that are documented."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        hooks = {"response": [documented.check]}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=60, event_hooks=hooks, **options
        )

    def kill(self) -> None:
        """End the process as a power cut would: it learns nothing and tidies nothing."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(*, database: str, log: Path, **environment: str) -> Iterator[Site]:
    """Serve the site with a database, and with settings of its own, until the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # As ``up`` serves it.
    command = [sys.executable, "-m", "uvicorn", "costsite.asgi:application", "--lifespan=on"]
    command += ["--host=127.0.0.1", f"--port={port}", "--ws=none", "--loop=uvloop"]
    command += ["--http=httptools", "--no-access-log", "--timeout-graceful-shutdown=10"]
    given = {
        "DATABASE_URL": address_of(database),
        "COSTSITE_MAX_BODY_BYTES": str(MOST_BODY_BYTES),
        "PYTHONPATH": str(BASE_DIR),
    }
    with log.open("ab") as output:
        process = spawn(
            command,
            output=output,
            environment={**os.environ, **given, **environment},
            folder=BASE_DIR,
            last_signal=signal.SIGKILL,
        )
    site = Site(f"http://127.0.0.1:{port}", process, log)
    try:
        _await_ready(site)
        yield site
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            site.kill()


def eventually(fact: Callable[[], Any], *, within_s: float = 15.0, every_s: float = 0.02) -> Any:
    """Wait until something is so, and give it; fail when the time is over."""
    until = time.monotonic() + within_s
    while not (found := fact()):
        if time.monotonic() > until:
            raise AssertionError(f"not so within {within_s} s: {fact}")
        time.sleep(every_s)
    return found


def _await_ready(site: Site) -> None:
    until = time.monotonic() + READY_S
    told = ""
    while time.monotonic() < until and site.process.poll() is None:
        try:
            answer = httpx.get(f"{site.url}/readyz", timeout=30)
        except httpx.TransportError:
            pass
        else:
            if answer.status_code == 200:
                return
            told = answer.text
        time.sleep(0.5)
    raise AssertionError(f"the site is not ready: {told} {site.log.read_text()[-4000:]}")


def address_of(database: str) -> str:
    """Write a database's address; the server listens on a socket of its own."""
    folder = settings.COSTSITE_POSTGRES["host"].replace("/", "%2F")
    return f"postgresql://{settings.COSTSITE_POSTGRES['user']}@/{database}?host={folder}"
