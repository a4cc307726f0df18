"""Processes that stay up: launched in order, brought back when they die, stopped in reverse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from costsite.embedded import LOG_BYTES_MAX, Postgres
from costsite.processes import spawn

POLL_S = 0.3
DEATHS_MAX = 5
DEATHS_WITHIN_S = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Service:
    """A program that the site needs, and how long it may take to end in peace."""

    name: str
    command: tuple[str, ...]
    patience_s: float


@dataclass(slots=True)
class Supervisor:
    """The running site: its server, its services, and whether it should go on."""

    data: Path
    environment: dict[str, str]
    say: Say
    postgres: Postgres | None
    stopping: threading.Event = field(default_factory=threading.Event)
    _running: list[tuple[Service, subprocess.Popen[bytes]]] = field(default_factory=list)
    _deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS_MAX))

    def launch(self, service: Service) -> None:
        """Start a service; its output goes to ``logs/<name>.log`` in the data folder."""
        log = self.data / "logs" / f"{service.name}.log"
        log.parent.mkdir(exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child = spawn(
                service.command,
                output=output,
                environment=self.environment,
                folder=Path(__file__).resolve().parent.parent,
                last_signal=signal.SIGTERM,
            )
        self._running.append((service, child))

    def watch(self) -> int:
        """Bring back whatever dies until told to stop; give the exit code.

        Five deaths within a minute are no accident: then it gives up with 1.
        """
        while not self.stopping.wait(POLL_S):
            if not self._heal():
                self.say("Too many restarts within a minute; giving up. See the logs.")
                return 1
        return 0

    def stop(self) -> None:
        """Stop the services, the last one first, and when all are gone leave the database server."""
        for _, child in reversed(self._running):
            child.terminate()
        while self._running:
            service, child = self._running.pop()
            _end(child, patience_s=service.patience_s)
        if self.postgres is not None and not self.postgres.leave() and self.postgres.running():
            self.say("PostgreSQL keeps running for another command that uses it.")

    def _heal(self) -> bool:
        if self.postgres is not None and not self.postgres.running():
            self.say("PostgreSQL died; starting it again.")
            if not self._count_death():
                return False
            self.postgres.start(die_with_parent=True)
        for entry in list(self._running):
            service, child = entry
            code = child.poll()
            if code is None:
                continue
            self._running.remove(entry)
            _end(child, patience_s=0)
            self.say(f"The {service.name} died ({_how(code)}); starting it again.")
            if not self._count_death():
                return False
            self.launch(service)
        return True

    def _count_death(self) -> bool:
        """Note a death now; False when this is the fifth within a minute."""
        self._deaths.append(time.monotonic())
        oldest = self._deaths[0]
        return len(self._deaths) < DEATHS_MAX or self._deaths[-1] - oldest > DEATHS_WITHIN_S


def services(*, host: str, port: int, workers: int, trust_proxy: bool) -> tuple[Service, ...]:
    """Say what runs beside PostgreSQL, in the order of starting."""
    # Running as root is its owner's choice; the worker need not say so at every start.
    quiet = "-Wignore:You're running the worker with superuser privileges"
    worker = [sys.executable, quiet, "-m", "celery", "--app=costsite", "--quiet", "worker"]
    worker += ["--beat", "--scheduler=celery.beat:Scheduler", "--pool=threads", "--concurrency=4"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO"]
    web = [sys.executable, "-m", "uvicorn", "costsite.asgi:application", "--lifespan=on"]
    web += [f"--host={host}", f"--port={port}", f"--workers={workers}", "--ws=none"]
    web += ["--loop=uvloop", "--http=httptools", "--no-access-log", "--no-server-header"]
    web += ["--timeout-keep-alive=65", "--timeout-graceful-shutdown=10"]
    web += ["--proxy-headers" if trust_proxy else "--no-proxy-headers"]
    return (
        Service("worker", tuple(worker), patience_s=10),
        Service("web", tuple(web), patience_s=15),
    )


def _end(child: subprocess.Popen[bytes], *, patience_s: float) -> None:
    """Wait for a child that was asked to end, then make sure that it and its own are gone."""
    if child.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)
    with suppress(ProcessLookupError):
        # The child leads a session of its own: its number is that of its whole group.
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
