"""The OpenAI SDK for JavaScript, unchanged but for its address and key."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import MODEL

FOLDER = Path(__file__).parents[2] / "node"
TEXT = "one two three four five "


@pytest.fixture(scope="module")
def script(pytestconfig: pytest.Config) -> Path:
    """The script beside its packages, which are installed on first use and kept."""
    if not (shutil.which("node") and shutil.which("npm")):
        if os.environ.get("CI") == "true":
            pytest.fail("CI runs this test: node and npm must be installed")
        pytest.skip("node and npm are not installed on this machine")
    lock = (FOLDER / "package-lock.json").read_bytes()
    digest = hashlib.sha256(lock).hexdigest()[:16]
    folder = Path(pytestconfig.cache.mkdir(f"node-{digest}"))
    with (folder / "installing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", ".npmrc", "calls.mjs"):
            shutil.copy(FOLDER / name, folder / name)
        if not (folder / "installed").exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, timeout=300)
            (folder / "installed").touch()
    return folder / "calls.mjs"


def test_works_unchanged(site: Site, upstream: Upstream, script: Path) -> None:
    alice = tenants.tenant()

    told = subprocess.run(
        ["node", str(script), f"{site.url}/v1", alice.text, MODEL],
        check=True,
        capture_output=True,
        timeout=120,
    )

    found: dict[str, Any] = json.loads(told.stdout)
    entries = alice.journal()
    costs = [f"{entry.amount_usd:.12f}" for entry in entries]
    assert {entry.kind for entry in entries} == {"charge"}
    assert found["chat"]["text"] == found["stream"]["text"] == found["tools"]["text"] == TEXT
    assert found["chat"]["model"] == MODEL
    assert found["response"]["text"] == found["events"]["text"] == TEXT
    assert found["response"]["status"] == "completed"
    assert found["events"]["kinds"][0] == "response.created"
    assert found["events"]["kinds"][-1] == "response.completed"
    assert [
        found[name]["usage"]["cost"] for name in ("chat", "stream", "response", "events")
    ] == costs[:2] + costs[3:]
    refused = {"kind": "BadRequestError", "status": 400, "code": "unknown_parameter"}
    assert found["unknown"] == refused
    assert found["missing"]["code"] == "model_not_found"
    assert found["key"] == {
        "kind": "AuthenticationError",
        "status": 401,
        "code": "invalid_api_key",
    }
    assert len(upstream.requests) == 5
