"""The JavaScript that tests run, installed on first use and kept. For tests only; the product has none
of it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"


def installed(config: pytest.Config) -> Path:
    """Give the folder that has the packages of ``tests/node`` beside its scripts."""
    if not (shutil.which("node") and shutil.which("npm")):
        if os.environ.get("CI") == "true":
            pytest.fail("CI runs this test: node and npm must be installed")
        pytest.skip("node and npm are not installed on this machine")
    lock = (FOLDER / "package-lock.json").read_bytes()
    digest = hashlib.sha256(lock).hexdigest()[:16]
    folder = Path(config.cache.mkdir(f"node-{digest}"))
    with (folder / "installing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", ".npmrc", "calls.mjs"):
            shutil.copy(FOLDER / name, folder / name)
        if not (folder / "installed").exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, timeout=300)
            (folder / "installed").touch()
    return folder
