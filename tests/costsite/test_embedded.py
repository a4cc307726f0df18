"""The embedded server on real processes: start, adopt, kill, restart, leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from costsite import embedded, placement
from costsite.bootstrap import ROOT
from costsite.embedded import EmbeddedError, Postgres
from costsite.processes import alive, identity_of

pytestmark = pytest.mark.crash

CODE = "import sys; from pathlib import Path; from costsite.embedded import Postgres\n"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user can walk to."""
    with tempfile.TemporaryDirectory(prefix="costsite-embedded-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def data(folder: Path) -> Iterator[Path]:
    """A data folder whose cluster is made by the first test that uses it, and never runs before."""
    yield folder / "data"
    _stop_all()


@pytest.fixture
def fresh(folder: Path) -> Iterator[Path]:
    """A data folder of the test's own, with nothing in it."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        Path(own).chmod(0o755)
        yield Path(own) / "data"
        _stop_all()


def _stop_all() -> None:
    while SERVERS:
        made = SERVERS.pop()
        made.leave()
        made.stop()


SERVERS: list[Postgres] = []


def server(data: Path, **how: Any) -> Postgres:
    """A throw-away server of the folder, looked after in the end."""
    SERVERS.append(Postgres(data=data, **{"throwaway": True} | how))
    return SERVERS[-1]


def ask(postgres: Postgres, question: str) -> object:
    with psycopg.connect(psycopg.conninfo.make_conninfo(**postgres.address)) as session:
        row = session.execute(question).fetchone()
    assert row is not None
    return row[0]


def killed(postgres: Postgres) -> int:
    """Kill the server without a warning; give its pid."""
    pid = postgres.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while postgres.running():
        time.sleep(0.01)
    return pid


def test_makes_a_cluster_and_answers_in_utc_and_unicode(data: Path) -> None:
    with server(data) as postgres:
        assert ask(postgres, "SHOW server_encoding") == "UTF8"
        assert ask(postgres, "SHOW timezone") == "UTC"
        assert ask(postgres, "SELECT current_database()") == "costsite"
        assert ask(postgres, "SHOW listen_addresses") == ""


def test_keeps_promises_over_a_crash_unless_it_is_throwaway(data: Path) -> None:
    with server(data, throwaway=False) as postgres:
        assert ask(postgres, "SHOW fsync") == "on"
        assert ask(postgres, "SHOW synchronous_commit") == "on"
        assert ask(postgres, "SHOW full_page_writes") == "on"


def test_adopts_a_server_that_runs_and_the_last_one_stops_it(data: Path) -> None:
    first, second = server(data), server(data)
    first.start()
    pid = first.pid()

    second.start()

    assert second.pid() == pid
    assert first.leave() is False
    assert second.running()
    assert second.leave() is True
    assert not second.running()


def test_makes_one_server_when_many_start_at_once(fresh: Path) -> None:
    servers = [server(fresh) for _ in range(4)]
    threads = [threading.Thread(target=one.start) for one in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one.pid() for one in servers}) == 1
    assert [one.leave() for one in servers] == [False, False, False, True]


def test_starts_again_after_a_kill_with_every_row(data: Path) -> None:
    postgres = server(data, throwaway=False)
    postgres.start()
    with psycopg.connect(psycopg.conninfo.make_conninfo(**postgres.address)) as session:
        session.execute("CREATE TABLE row AS SELECT 42 AS number")
    killed(postgres)

    postgres.start()

    assert ask(postgres, "SELECT number FROM row") == 42


def test_starts_again_while_a_killed_servers_backend_is_still_busy(data: Path) -> None:
    postgres = server(data)
    postgres.start()
    busy = psycopg.connect(psycopg.conninfo.make_conninfo(**postgres.address))
    spinning = threading.Thread(target=_spin, args=[busy])
    spinning.start()
    killed(postgres)

    postgres.start()

    assert ask(postgres, "SELECT 1") == 1
    spinning.join()


def _spin(session: psycopg.Connection[tuple[object, ...]]) -> None:
    try:
        # Computes without a pause in which it would notice that its postmaster has gone.
        session.execute("SELECT count(*) FROM generate_series(1, 20000000)")
    except psycopg.OperationalError:
        pass
    session.close()


def test_does_not_take_another_process_with_the_old_number_for_the_server(data: Path) -> None:
    postgres = server(data)
    postgres.start()
    note = data / "postgres" / "cluster" / "postmaster.pid"
    killed(postgres)
    # The number now belongs to a living process of the very user that PostgreSQL runs as.
    stranger = subprocess.Popen(
        ["/bin/sleep", "60"], cwd="/", **identity_of(placement.server_account())
    )
    lines = note.read_text().splitlines(keepends=True)
    note.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))

    assert not postgres.running()
    postgres.start()

    assert ask(postgres, "SELECT 1") == 1
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_knows_its_server_by_another_name_of_the_folder(data: Path, tmp_path: Path) -> None:
    postgres = server(data)
    postgres.start()
    (tmp_path / "link").symlink_to(data)

    same = server(tmp_path / "link")
    same.start()

    assert same.pid() == postgres.pid() is not None


def test_adopts_a_server_whose_process_it_cannot_see(data: Path) -> None:
    postgres = server(data)
    postgres.start()
    # As in a container of its own: the noted pid means another process, or none, to us.
    note = data / "postgres" / "cluster" / "postmaster.pid"
    written = note.read_text()
    note.write_text(f"1\n{written.partition(chr(10))[2]}")

    unseen = server(data)
    unseen.start()

    assert not unseen.running()
    assert note.read_text().startswith("1\n")
    assert ask(unseen, "SELECT 1") == 1
    note.write_text(written)


def test_starts_over_a_half_written_pid_file(data: Path) -> None:
    postgres = server(data)
    postgres.start()
    note = data / "postgres" / "cluster" / "postmaster.pid"
    for half in ("", "\n", "12", "12\n/tmp", "not a number\n"):
        postgres.stop()
        note.write_text(half)

        assert not postgres.running()
        postgres.start()

        assert ask(postgres, "SELECT 1") == 1


def test_begins_anew_when_it_was_killed_while_making_the_cluster(fresh: Path) -> None:
    half = fresh / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    with server(fresh) as postgres:
        assert ask(postgres, "SELECT 1") == 1

    assert not half.exists()


def test_stops_while_clients_are_connected(data: Path) -> None:
    postgres = server(data)
    postgres.start()
    idle = psycopg.connect(psycopg.conninfo.make_conninfo(**postgres.address))
    began = time.monotonic()

    postgres.stop()

    assert not postgres.running()
    assert time.monotonic() - began < 5
    idle.close()


def test_shows_the_log_when_it_cannot_start(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = server(data, options={"no_such_option": "1"})
    monkeypatch.setattr(embedded, "RETRY_S", 0.0)

    with pytest.raises(EmbeddedError, match="no_such_option"):
        postgres.start()


def test_stops_with_the_process_that_started_it_even_when_that_is_killed(data: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel's wish is Linux's")
    code = (
        f"{CODE}import time; p = Postgres(data=Path(sys.argv[1]), throwaway=True)\n"
        "p.start(die_with_parent=True); print(p.pid(), flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())

    starter.kill()
    starter.wait()

    deadline = time.monotonic() + 15
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)
    starter.stdout.close()


def test_outlives_a_command_that_started_it_while_another_uses_it(data: Path) -> None:
    code = f"{CODE}p = Postgres(data=Path(sys.argv[1]), throwaway=True); p.start(); print(p.pid())"
    code += "\nsys.stdout.flush(); sys.stdin.readline(); print(p.leave())"
    command = subprocess.Popen(
        [sys.executable, "-c", code, str(data)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    pid = int(command.stdout.readline())
    postgres = server(data)
    postgres.start()

    left, _ = command.communicate("\n", timeout=30)

    assert left == "False\n"
    assert postgres.pid() == pid
    assert postgres.leave() is True


@pytest.mark.skipif(
    os.geteuid() != 0,
    reason="only root can become a plain user, as whom all tests here run otherwise",
)
def test_works_for_a_plain_user(fresh: Path) -> None:
    python = _python_of_everyone()
    fresh.mkdir()
    shutil.chown(fresh, "nobody", "nogroup")
    code = f"{CODE}p = Postgres(data=Path(sys.argv[1])); p.start(); print(p.running()); p.leave()"
    done = subprocess.run(
        [python, "-c", code, str(fresh)],
        cwd="/",
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PYTHONDONTWRITEBYTECODE": "1"},
        user="nobody",
        group="nogroup",
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("True\n", "")


def _python_of_everyone() -> str:
    """Give a Python of our version that a plain user can start."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        try:
            subprocess.run(
                [python, "-c", "import psycopg"],
                cwd="/",
                env={"PYTHONPATH": os.pathsep.join(sys.path)},
                user="nobody",
                group="nogroup",
                extra_groups=[],
                capture_output=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no Python of this version that a plain user could start")
