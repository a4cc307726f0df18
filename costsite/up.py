"""``manage.py up``: the whole site from one terminal.

PostgreSQL, migrations, demo data on the first start, a Celery worker with its clock, the web server.
One ``up`` per data folder. Whatever ends it, even ``kill -9``, ends its children too.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from costsite import quickstart
from costsite.embedded import Postgres
from costsite.supervise import Say, Supervisor, services

DEFAULT_PORT = 8000
READY_S = 90.0


class UpError(Exception):
    """The site cannot be served; the message says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for. ``port`` None means 8000, or a free one."""

    host: str
    port: int | None
    demo: bool
    workers: int


def run(options: Options, *, say: Say) -> int:
    """Serve until told to stop; give the exit code.

    Raises UpError when the data folder or the port is taken, EmbeddedError or PlacementError when
    PostgreSQL does not start.
    """
    data: Path = settings.COSTSITE_DATA
    with _claimed(data) as claim:
        port = free_port(host=options.host, asked=options.port, say=say)
        url = local_url(host=options.host, port=port)
        _note(claim, url)
        supervisor = Supervisor(
            data=data,
            environment=_environment(url),
            say=say,
            postgres=Postgres(data=data) if settings.COSTSITE_EMBEDDED else None,
        )
        _stop_on_signals(supervisor.stopping)
        try:
            return _serve(supervisor, options=options, url=url, port=port)
        finally:
            supervisor.stop()
            say("Stopped.")


def free_port(*, host: str, asked: int | None, say: Say) -> int:
    """Give the port to serve on: the one asked for, else 8000, else any free one, and say which.

    Raises UpError when the asked one is taken or the host is not this machine's.
    """
    if asked is not None:
        # A killed predecessor may need a moment to let go of its port.
        for _ in range(10):
            if _bindable(host, asked):
                return asked
            time.sleep(0.2)
        raise UpError(f"Port {asked} of {host} is taken. Free it, or ask for another with --port.")
    if _bindable(host, DEFAULT_PORT):
        return DEFAULT_PORT
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        port = int(probe.getsockname()[1])
    say(f"Port {DEFAULT_PORT} is taken; serving on {port}.")
    return port


def local_url(*, host: str, port: int) -> str:
    """Write the address under which this machine reaches the site."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  compared, not bound
    name = anywhere.get(host) or (f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


def _serve(supervisor: Supervisor, *, options: Options, url: str, port: int) -> int:
    say, stopping = supervisor.say, supervisor.stopping
    # From here on PostgreSQL is the supervisor's business, in this process as in its children.
    os.environ["COSTSITE_SUPERVISED"] = supervisor.environment["COSTSITE_SUPERVISED"]
    if supervisor.postgres is not None:
        say("Starting PostgreSQL")
        supervisor.postgres.start(die_with_parent=True)
    say("Bringing the database up to date")
    call_command("migrate", verbosity=0)
    call_command("prepare_site")
    # People may know the site by another name than the one under which this machine reaches it.
    shown = supervisor.environment.get("COSTSITE_BASE_URL", settings.COSTSITE_BASE_URL)
    facts, fresh = quickstart.prepare(supervisor.data, url=shown, demo=options.demo)
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's, which the stubs do not see
    say("Starting the worker and the web server")
    for service in services(
        host=options.host,
        port=port,
        workers=options.workers,
        trust_proxy=settings.COSTSITE_TRUST_PROXY,
    ):
        if not stopping.is_set():
            supervisor.launch(service)
    lacks = _wait_until_ready(url, stopping=stopping)
    if lacks is not None and not stopping.is_set():
        say(f"Serving, but not ready: {lacks}")
    if not stopping.is_set():
        quickstart.announce(say, data=supervisor.data, url=shown, facts=facts, fresh=fresh)
    return supervisor.watch()


def _environment(url: str) -> dict[str, str]:
    """Tell the children which data folder and address are theirs."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "costsite.settings",
        "COSTSITE_DATA": str(settings.COSTSITE_DATA),
        "COSTSITE_SUPERVISED": "1",
    }
    if settings.COSTSITE_EMBEDDED:
        environment.setdefault("COSTSITE_BASE_URL", url)
    return environment


@contextmanager
def _claimed(data: Path) -> Iterator[IO[str]]:
    """Claim the data folder for this ``up``, until it ends in whatever way."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "up.json").open("a+") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claim.seek(0)
            raise UpError(_occupied(data, claim.read())) from None
        yield claim


def _note(claim: IO[str], url: str) -> None:
    claim.truncate(0)
    json.dump({"pid": os.getpid(), "url": url}, claim)
    claim.flush()


def _occupied(data: Path, note: str) -> str:
    try:
        other = json.loads(note)
        return f"Already up on {data}: {other['url']} (pid {other['pid']}). Ctrl-C there stops it."
    except (ValueError, KeyError):
        return f"Another start on {data} is under way."


def _stop_on_signals(stopping: threading.Event) -> None:
    """Turn Ctrl-C, SIGTERM and a closed terminal into one orderly stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup has it ignored: then the site is meant to outlive its terminal.
        if signal.getsignal(number) is not signal.SIG_IGN or number != signal.SIGHUP:
            signal.signal(number, lambda *_: stopping.set())


def _wait_until_ready(url: str, *, stopping: threading.Event) -> str | None:
    """Wait until the site says that it is ready; give what it lacks when that takes too long."""
    lacks = "no answer"
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and not stopping.is_set():
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310  our own address
                return None
        except urllib.error.HTTPError as error:
            lacks = error.read(500).decode(errors="replace")
        except OSError:
            pass
        # Not more often: the answer costs the web server time in which it could become ready.
        stopping.wait(0.3)
    return lacks


def _bindable(host: str, port: int) -> bool:
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise UpError(f"Port {port} needs more rights than this user has.") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise UpError(f"Cannot listen on {host}: {error.strerror}.") from error
    return True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
