"""Processes by the operating system's own facts: what a pid is, and children that die with us."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypedDict

PR_SET_PDEATHSIG = 1


class Identity(TypedDict, total=False):
    """The arguments with which subprocess drops root's rights."""

    user: int
    group: int
    extra_groups: list[int]


def identity_of(account: pwd.struct_passwd | None) -> Identity:
    """Give what ``subprocess`` needs to run as the account; nothing for the current one."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def alive(pid: int) -> bool:
    """Tell whether a process of this number exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _state_of(pid) != "Z"


def command_of(pid: int) -> str:
    """Give a process's command line, its words joined by blanks; empty when there is none."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        shown = subprocess.run(
            ["/bin/ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip()
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def spawn(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int,
    environment: Mapping[str, str],
    account: pwd.struct_passwd | None = None,
    folder: str | Path = "/",
    last_signal: signal.Signals | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches only whoever started it.

    With ``last_signal`` the kernel sends the child that signal when the starter dies in whatever
    way (Linux); call it from the main thread then, for the kernel counts the starting thread.
    """
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
        preexec_fn=_tied_to_parent(last_signal) if last_signal else None,  # noqa: PLW1509  see above
        **identity_of(account),
    )


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a file's lock, waiting for it; the kernel drops it with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _tied_to_parent(last_signal: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def tie() -> None:
        # Dropping root's rights clears this wish, which is why it comes last, after the drop.
        libc.prctl(PR_SET_PDEATHSIG, int(last_signal))
        if os.getppid() != parent:
            os._exit(1)

    return tie
