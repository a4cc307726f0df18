"""The embedded PostgreSQL: made, started, adopted, stopped and healed.

One data folder, one server, any number of processes that use it. Each of them holds a lease while
it lives; whoever leaves last stops the server. A start takes a lock, so two starts make one server.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from costsite import placement
from costsite.processes import alive, command_of, exclusive, identity_of, spawn

if TYPE_CHECKING:
    from psycopg import Connection

USER = "costsite"
DATABASE = "costsite"

# A server that recovers from a crash may take its time; one that ends at once gets a few more tries.
RECOVERY_S = 600.0
RETRY_S = 15.0
STOP_S = 30.0
LOG_BYTES_MAX = 10_000_000

# No network, few processes, nothing that restricted containers forbid (shared memory for parallel
# queries, io workers). What must survive a crash is on its disk before an answer leaves: durability
# stays PostgreSQL's default, synchronous_commit=on.
OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "150",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
# A database that nobody will miss: an operating system's crash may spoil it, its own crash may not.
THROWAWAY = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


class EmbeddedError(Exception):
    """The embedded PostgreSQL did not start."""


@dataclass(slots=True)
class Postgres:
    """The server of one data folder; every process makes its own object for it."""

    data: Path
    options: dict[str, str] = field(default_factory=dict)
    throwaway: bool = False
    _child: subprocess.Popen[bytes] | None = None
    _lease: IO[str] | None = None
    _placed: placement.Placement | None = None

    @property
    def sockets(self) -> Path:
        """The folder of the server's socket: where clients connect to."""
        return placement.sockets_of(placement.home_of(self.data))

    @property
    def address(self) -> dict[str, str]:
        """The server's address in libpq's keywords."""
        return {"host": str(self.sockets), "user": USER, "dbname": DATABASE}

    @property
    def url(self) -> str:
        """The server's address as DATABASE_URL takes it."""
        return f"postgresql://{USER}@/{DATABASE}?host={str(self.sockets).replace('/', '%2F')}"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "logs" / "postgres.log"

    def __post_init__(self) -> None:
        """Know the folder by one name only: the server is recognized by it."""
        self.data = self.data.resolve()

    def start(self, *, die_with_parent: bool = False) -> None:
        """Take a lease, then adopt the running server or start one; return when it answers.

        Raises EmbeddedError, with the end of the log, when it does not come up, and PlacementError
        when this machine has no place for it.
        """
        self._take_lease()
        with exclusive(self.data / "postgres.start"):
            self._placed = placement.place(self.data)
            if not (self._placed.cluster / "PG_VERSION").exists():
                self._make_cluster(self._placed)
            self._bring_up(self._placed, die_with_parent=die_with_parent)

    def leave(self) -> bool:
        """Give the lease back; stop the server when nobody else holds one. Tell whether it stopped."""
        if self._lease is None:
            return False
        lease, self._lease = self._lease, None
        with lease:
            try:
                # Others hold it shared: then this fails, and the server is theirs to stop.
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self.stop()
        return True

    def stop(self) -> None:
        """Stop the server whoever uses it: fast, and after half a minute without a checkpoint."""
        self._reap()
        pid = self.pid()
        if pid is None:
            return
        for how, patience_s in ((signal.SIGINT, STOP_S), (signal.SIGQUIT, STOP_S)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
            if self._gone(pid, patience_s):
                return
        raise EmbeddedError(f"PostgreSQL (pid {pid}) does not stop.")

    def pid(self) -> int | None:
        """Give the pid of this folder's running server; None when none runs, whatever a file says."""
        cluster = placement.home_of(self.data) / "cluster"
        pid = _noted_pid(cluster)
        return pid if pid and _serves(pid, cluster) else None

    def running(self) -> bool:
        """Tell whether the server runs; reaps a child that has died."""
        self._reap()
        return self.pid() is not None

    def destroy(self) -> None:
        """Stop the server and delete everything of its data folder. For throw-away servers."""
        self.stop()
        if self._lease:
            self._lease.close()
            self._lease = None
        placement.remove(self.data)
        shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self) -> Postgres:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave; the last one stops the server."""
        self.leave()

    def _take_lease(self) -> None:
        if self._lease is None:
            self.data.mkdir(parents=True, exist_ok=True)
            self._lease = (self.data / "postgres.users").open("a")
            # Waits while another process, the last one out, is stopping the server.
            fcntl.flock(self._lease, fcntl.LOCK_SH)

    def _make_cluster(self, placed: placement.Placement) -> None:
        """Make an empty cluster in a folder of its own and move it into place: half of one is none."""
        half = placed.home / "cluster.new"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        if placed.account:
            os.chown(half, placed.account.pw_uid, placed.account.pw_gid)
        command = [str(placed.binaries / "initdb"), "-D", str(half), "-U", USER, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        command += ["--no-sync"] if self.throwaway else []
        done = subprocess.run(
            command,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **identity_of(placed.account),
        )
        if done.returncode:
            raise EmbeddedError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        placed.cluster.rmdir()
        half.rename(placed.cluster)
        _keep_name(placed.home)

    def _bring_up(self, placed: placement.Placement, *, die_with_parent: bool) -> None:
        retry_until = time.monotonic() + RETRY_S
        while True:
            # Somebody who listens there is a server, although we may not see its process: it can
            # run in another container that shares the data folder.
            if not self.running() and not _listens(placed.sockets):
                _disarm_pid_file(placed.cluster)
                self._launch(placed, die_with_parent=die_with_parent)
            if self._answers():
                return
            # A killed postmaster's children may hold its shared memory for some moments more; until
            # then a new one gives up at once.
            if time.monotonic() > retry_until:
                break
        raise EmbeddedError(f"PostgreSQL did not start. {self.log} ends with:\n{_tail(self.log)}")

    def _launch(self, placed: placement.Placement, *, die_with_parent: bool) -> None:
        self.log.parent.mkdir(exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        options = OPTIONS | (THROWAWAY if self.throwaway else {}) | self.options
        command = [str(placed.binaries / "postgres"), "-D", str(placed.cluster)]
        command += ["-k", str(placed.sockets)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._child = spawn(
                command,
                output=log,
                environment=_environment(),
                account=placed.account,
                last_signal=signal.SIGINT if die_with_parent else None,
            )

    def _answers(self) -> bool:
        """Wait until the server answers and has our database; False when its process ends first."""
        import psycopg

        deadline = time.monotonic() + RECOVERY_S
        address = psycopg.conninfo.make_conninfo(**self.address | {"dbname": "postgres"})
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                time.sleep(0.1)
                return False
            try:
                with psycopg.connect(address, autocommit=True) as session:
                    _make_database(session)
                return True
            except psycopg.OperationalError:
                if self._child is None and self.pid() is None:
                    return False
                time.sleep(0.02)
        return False

    def _gone(self, pid: int, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not alive(pid):
                self._reap()
                return True
            time.sleep(0.01)
        return False

    def _reap(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None


_used: dict[tuple[int, Path], Postgres] = {}


def use(data: Path) -> None:
    """Make sure that this process can use the embedded server until it ends; cheap when repeated."""
    key = (os.getpid(), data)
    if key not in _used:
        server = Postgres(data=data)
        server.start()
        _used[key] = server
        atexit.register(_leave, key)


def _leave(key: tuple[int, Path]) -> None:
    # A forked child inherits the list but not the duty.
    if key[0] == os.getpid():
        _used.pop(key).leave()


def _noted_pid(cluster: Path) -> int | None:
    """Read the pid from PostgreSQL's own pid file; None when there is none or it is half written."""
    try:
        first = (cluster / "postmaster.pid").read_text(errors="replace").partition("\n")[0]
    except OSError:
        return None
    return int(first) if first.strip().isdigit() else None


def _serves(pid: int, cluster: Path) -> bool:
    """Tell whether the process is the postmaster of this cluster, not one that got an old number."""
    return alive(pid) and f"-D {cluster} " in f"{command_of(pid)} "


def _listens(sockets: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(sockets / ".s.PGSQL.5432"))
        except OSError:
            return False
    return True


def _disarm_pid_file(cluster: Path) -> None:
    """Make a left-over pid file harmless; call under the start lock, when no server runs.

    PostgreSQL refuses to start while the noted pid is any living process of its user. The number is
    set to our own: it knows that its parent is no rival, and still checks that the shared memory of
    the former server is free. A half-written file has nothing to check and is removed.
    """
    note = cluster / "postmaster.pid"
    pid = _noted_pid(cluster)
    if pid is None:
        note.unlink(missing_ok=True)
        return
    _, newline, rest = note.read_text().partition("\n")
    note.write_text(f"{os.getpid()}{newline}{rest}")


def _make_database(session: Connection[Any]) -> None:
    found = session.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
    if found.rowcount == 0:
        session.execute(f"CREATE DATABASE {DATABASE}")


def _keep_name(folder: Path) -> None:
    """Have the names in a folder on disk, not only in memory."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    except OSError as error:
        return f"(no log: {error.strerror})"
