from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from costsite.processes import alive, command_of, exclusive, spawn

pytestmark = pytest.mark.crash

LINUX_ONLY = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can end a child when its parent dies (prctl)"
)


def gone(pid: int, *, within_s: float = 10) -> bool:
    """Wait for a process to go; tell whether it did."""
    deadline = time.monotonic() + within_s
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_takes_a_zombie_for_dead() -> None:
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert not alive(child.pid)

    child.wait()
    assert not alive(child.pid)


def test_takes_a_process_of_another_user_for_alive() -> None:
    assert alive(1)


def test_reads_a_command_line() -> None:
    assert command_of(os.getpid()).startswith(sys.executable)
    assert command_of(2**22 + 1) == ""


def test_starts_children_that_ctrl_c_does_not_reach() -> None:
    child = spawn(["/bin/sleep", "30"], output=subprocess.DEVNULL, environment={})

    assert os.getsid(child.pid) == child.pid

    child.kill()
    child.wait()


@LINUX_ONLY
@pytest.mark.parametrize("as_nobody", [False, True])
def test_takes_its_children_along_when_it_is_killed(as_nobody: bool) -> None:
    if as_nobody and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    account = "pwd.getpwnam('nobody')" if as_nobody else "None"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pwd, signal, subprocess, time; from costsite.processes import spawn\n"
            "child = spawn(['/bin/sleep', '60'], output=subprocess.DEVNULL, environment={},"
            f" account={account}, last_signal=signal.SIGTERM)\n"
            "print(child.pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert gone(child)
    parent.stdout.close()


def test_holds_a_lock_that_dies_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from costsite.processes import exclusive\n"
        f"with exclusive(Path({str(lock)!r})): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    holder.kill()
    holder.wait()

    with exclusive(lock):
        pass
    holder.stdout.close()
