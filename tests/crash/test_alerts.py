"""A short run of alerts under fire. How many kills a long one stands is written in docs/alerts.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from costsite.settings import BASE_DIR


@pytest.mark.crash
def test_tells_each_crossing_once_while_workers_and_the_queue_are_killed() -> None:
    """Two real workers, each with a beat, on the queue in PostgreSQL."""
    command = [sys.executable, "-m", "tests.crash.alerts", "--seconds=24", "--crossings=20"]
    done = subprocess.run(
        [*command, "--seed=5", "--kill-every=11", "--server-every=17"],
        cwd=BASE_DIR,
        env={"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}
    promises = ("MISSED", "TWICE", "ALIEN", "UNSENT")
    assert {name: found[name] for name in promises} == dict.fromkeys(promises, 0)
    assert (found["worker_kills"], found["server_kills"]) == (2, 1)
    assert found["alerts"] == found["crossings"] == 20
