"""``manage.py up`` as its user meets it, on a site of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from costsite import up
from costsite.bootstrap import ROOT
from costsite.processes import alive
from costsite.up import UpError, free_port, local_url

pytestmark = pytest.mark.crash


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_refuses_a_port_that_was_asked_for_and_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)

    with pytest.raises(UpError, match=f"Port {taken} of 127.0.0.1 is taken"):
        free_port(host="127.0.0.1", asked=taken, say=print)


def test_takes_another_port_and_says_so_when_the_usual_one_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "DEFAULT_PORT", taken)
    said: list[str] = []

    port = free_port(host="127.0.0.1", asked=None, say=said.append)

    assert port != taken
    assert said == [f"Port {taken} is taken; serving on {port}."]


def test_refuses_an_address_that_is_not_this_machines() -> None:
    with pytest.raises(UpError, match="Cannot listen on"):
        free_port(host="192.0.2.1", asked=8000, say=print)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("costs.lan", "http://costs.lan:8000"),
    ],
)
def test_says_where_this_machine_reaches_it(host: str, url: str) -> None:
    assert local_url(host=host, port=8000) == url


class Site:
    """A running ``up`` on a folder of its own."""

    def __init__(self, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.data = data
        self.process = self.start("--port", str(self.port))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start an ``up`` on the folder, as from a shell without any of our variables."""
        kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {"COSTSITE_ENV_FILE": os.devnull, "COSTSITE_BOOTSTRAP": "off"}
        command = [sys.executable, "manage.py", "up", "--no-demo", "--data", str(self.data)]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_until(self, end: str) -> str:
        """Read what it says up to a line that contains this."""
        assert self.process.stdout is not None
        read = ""
        for line in self.process.stdout:
            read += line
            if end in line:
                return read
        raise AssertionError(f"it ended without {end!r}:\n{read}")

    def status(self, path: str) -> int:
        """Ask for a page."""
        address = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return int(answer.status)

    def is_ready(self) -> bool:
        """Tell whether it says that it is ready."""
        try:
            return self.status("/readyz") == 200
        except OSError:
            return False

    def children(self) -> list[int]:
        """Give the pids of what it runs."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


@pytest.fixture
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="costsite-up-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        made = Site(Path(folder) / "data")
        yield made
        made.process.kill()
        made.process.wait()
        assert made.process.stdout is not None
        made.process.stdout.close()


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(),
    reason="finds the site's processes in /proc, which only Linux has",
)
def test_serves_alone_heals_and_takes_everything_along_when_killed(site: Site) -> None:
    said = site.read_until("no demo data")
    assert f"http://127.0.0.1:{site.port}" in said
    assert site.status("/readyz") == 200
    assert site.status("/static/admin/css/base.css") == 200
    assert site.status("/admin/login/") == 200

    second = site.start("--port", "1")
    refusal, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"http://127.0.0.1:{site.port} (pid {site.process.pid})" in refusal
    assert "Traceback" not in refusal

    postgres, worker, _ = site.children()
    os.kill(postgres, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    healed = site.read_until("The worker died (signal SIGKILL)")
    assert "PostgreSQL died" in healed
    while not site.is_ready():
        time.sleep(0.1)

    left = site.children()
    assert len(left) == 3
    site.process.kill()
    site.process.wait()
    deadline = time.monotonic() + 30
    while any(map(alive, left)):
        assert time.monotonic() < deadline, "children outlived a killed parent"
        time.sleep(0.05)


def test_gives_no_address_while_another_start_is_under_way(tmp_path: Path) -> None:
    with (
        up._claimed(tmp_path),
        pytest.raises(UpError, match="Another start"),
        up._claimed(tmp_path),
    ):
        pass


def test_notes_where_it_serves_for_whoever_comes_second(tmp_path: Path) -> None:
    with up._claimed(tmp_path) as claim:
        up._note(claim, "http://127.0.0.1:1")
        noted = json.loads((tmp_path / "up.json").read_text())

        with (
            pytest.raises(UpError, match=r"Already up on .*127\.0\.0\.1:1 "),
            up._claimed(tmp_path),
        ):
            pass

    assert noted == {"pid": os.getpid(), "url": "http://127.0.0.1:1"}
