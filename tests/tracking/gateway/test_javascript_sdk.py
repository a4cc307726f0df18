"""The OpenAI SDK for JavaScript, unchanged but for its address and key."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.javascript import installed
from tests.serving import Site
from tests.tenants import MODEL

TEXT = "one two three four five "


@pytest.fixture(scope="module")
def script(pytestconfig: pytest.Config) -> Path:
    """The script beside its packages, which are installed on first use and kept."""
    return installed(pytestconfig) / "calls.mjs"


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
