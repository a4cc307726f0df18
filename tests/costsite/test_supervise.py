"""The supervisor, on services that are as small as a service can be."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from costsite import supervise
from costsite.processes import alive
from costsite.supervise import Service, Supervisor, services

pytestmark = pytest.mark.crash

SLEEPS = ("/bin/sleep", "60")
DIES = ("/bin/false",)
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
)
WITH_CHILD = ("/bin/sh", "-c", "sleep 60 & wait")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(data=tmp_path, environment=dict(os.environ), say=said.append, postgres=None)
    yield made
    made.stop()


def service(command: tuple[str, ...], *, name: str = "thing", patience_s: float = 5) -> Service:
    return Service(name=name, command=command, patience_s=patience_s)


def pids(supervisor: Supervisor) -> list[int]:
    return [child.pid for _, child in supervisor._running]


def watched(supervisor: Supervisor) -> tuple[threading.Thread, list[int]]:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(supervisor.watch()))
    thread.start()
    return thread, codes


def until(condition: object, *, within_s: float = 10) -> None:
    assert callable(condition)
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_stops_when_it_is_told_to(supervisor: Supervisor) -> None:
    supervisor.launch(service(SLEEPS))
    (pid,) = pids(supervisor)
    supervisor.stopping.set()

    assert supervisor.watch() == 0
    supervisor.stop()

    assert not alive(pid)


def test_writes_what_a_service_says_into_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.launch(service(("/bin/sh", "-c", "echo out; echo err >&2"), name="talker"))
    log = tmp_path / "logs" / "talker.log"

    until(lambda: log.read_text() == "out\nerr\n")


def test_puts_a_long_log_aside(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "LOG_BYTES_MAX", 3)
    log = tmp_path / "logs" / "talker.log"
    log.parent.mkdir()
    log.write_text("long")

    supervisor.launch(service(SLEEPS, name="talker"))

    assert log.with_suffix(".log.1").read_text() == "long"
    assert log.read_text() == ""


def test_brings_back_what_dies_and_says_how_it_died(
    supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.launch(service(SLEEPS))
    (pid,) = pids(supervisor)
    thread, codes = watched(supervisor)

    os.kill(pid, signal.SIGKILL)
    until(lambda: pids(supervisor) not in ([], [pid]))
    supervisor.stopping.set()
    thread.join()

    assert said == ["The thing died (signal SIGKILL); starting it again."]
    assert codes == [0]


def test_gives_up_on_what_dies_again_and_again(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.launch(service(DIES))
    thread, codes = watched(supervisor)

    thread.join(timeout=30)

    assert codes == [1]
    assert said.count("The thing died (exit code 1); starting it again.") == 5
    assert said[-1].startswith("Too many restarts")


def test_does_not_count_deaths_that_lie_far_apart(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(0, 1000, 20))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(moments)))

    assert all(supervisor._count_death() for _ in range(20))


def test_kills_what_does_not_listen(supervisor: Supervisor) -> None:
    supervisor.launch(service(DEAF, patience_s=0.2))
    (pid,) = pids(supervisor)

    supervisor.stop()

    assert not alive(pid)


def test_leaves_no_grandchildren(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    supervisor.launch(service(("/bin/sh", "-c", f"sleep 60 & echo $! > {note}; wait")))
    until(lambda: note.exists() and note.read_text().strip())
    grandchild = int(note.read_text())

    supervisor.stop()

    until(lambda: not alive(grandchild))


def test_stops_in_reverse_order(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "order"
    for name, wait_s in (("first", 0.3), ("last", 0.0)):
        script = (
            f"trap 'sleep {wait_s}; echo {name} >> {note}; exit' TERM; echo up; sleep 60 & wait"
        )
        supervisor.launch(service(("/bin/sh", "-c", script), name=name))
        log = tmp_path / "logs" / f"{name}.log"
        until(lambda log=log: log.read_text() == "up\n")

    supervisor.stop()

    assert note.read_text() == "last\nfirst\n"


def test_runs_one_worker_with_its_clock_and_one_web_server() -> None:
    worker, web = services(host="::1", port=81, workers=3, trust_proxy=False)

    assert (worker.name, web.name) == ("worker", "web")
    assert "--beat" in worker.command
    assert {"--host=::1", "--port=81", "--workers=3", "--no-proxy-headers"} <= set(web.command)
