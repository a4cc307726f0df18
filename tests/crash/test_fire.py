"""A short run under fire. How many kills a long one stands is written in docs/holds.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from costsite.settings import BASE_DIR


@pytest.mark.crash
def test_keeps_its_promises_while_workers_and_the_server_are_killed() -> None:
    command = [sys.executable, "-m", "tests.crash.fire", "--seconds=15", "--workers=3", "--seed=7"]
    done = subprocess.run(
        [*command, "--kills-per-second=2", "--postgres-every=4"],
        cwd=BASE_DIR,
        env={"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}
    promises = ("LOST", "WRONG", "TWICE", "ALIEN", "over", "differences", "failures", "left")
    assert {name: found[name] for name in promises} == dict.fromkeys(promises, 0)
    assert found["worker_kills"] >= 5
    assert found["postgres_kills"] >= 2
    assert found["settled"] >= 20
    assert found["estimates"] >= 1
    assert found["checks"] >= 1
