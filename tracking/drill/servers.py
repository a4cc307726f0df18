"""Web servers of the drill's own, which it may kill."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from django.conf import settings

# A busy machine takes minutes to start what a quiet one starts in seconds. A server that ends is not
# waited for.
READY_S = 600.0


class Servers:
    """Processes of the site on ports of their own; each can be killed and comes back."""

    def __init__(self, *, count: int, log: Path, environment: dict[str, str]) -> None:
        self._log = log
        self._environment = {**os.environ, **environment}
        self.ports = [_free_port() for _ in range(count)]
        self._processes = [self._start(port) for port in self.ports]
        self.kills = 0

    def await_ready(self) -> None:
        """Wait until every server answers calls.

        :raises ChildProcessError: if one has ended instead
        :raises TimeoutError: if one still does not after ten minutes
        """
        deadline = time.monotonic() + READY_S
        for place, port in enumerate(self.ports):
            while lacks := _lacks(port):
                self._refuse_ended(place)
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"A server is not ready after {READY_S:.0f} s: {lacks}. See {self._log}."
                    )
                time.sleep(0.2)

    def kill_one(self, chance: random.Random) -> None:
        """Kill a server as a crash would, and start another in its place."""
        place = chance.randrange(len(self._processes))
        self._processes[place].send_signal(signal.SIGKILL)
        self._processes[place].wait()
        self._processes[place] = self._start(self.ports[place])
        self.kills += 1

    def _refuse_ended(self, place: int) -> None:
        status = self._processes[place].poll()
        if status is not None:
            raise ChildProcessError(f"A server has ended with {status}. See {self._log}.")

    def stop(self) -> None:
        """Stop the servers in good order."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "uvicorn", "costsite.asgi:application"]
        address = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  Our own server, from a list.
                [*command, *address],
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=settings.BASE_DIR,
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lacks(port: int) -> str:
    """Say why a server does not answer calls yet; nothing when it does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30):
            return ""
    except urllib.error.HTTPError as error:
        return error.read(500).decode(errors="replace") or str(error)
    except OSError as error:
        return str(error) or type(error).__name__
