"""The Chromium that the browser tests drive: Debian's own, since downloads of one fail behind proxies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW_TO = "No Chromium. Install it with: apt-get install chromium, or name it in COSTSITE_CHROMIUM."


def found() -> str | None:
    """Give the path of a Chromium: COSTSITE_CHROMIUM, else the first on the path."""
    named = os.environ.get("COSTSITE_CHROMIUM", "")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def make_available(*, say: Callable[[str], object]) -> None:
    """Install Debian's Chromium where there is none and we may; elsewhere say how to get it."""
    if found():
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        say(HOW_TO)
        return
    say("Installing chromium for the browser tests")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            [apt, "-qq", *step], env=quiet, capture_output=True, text=True, check=False
        )
        if done.returncode:
            say(f"apt-get {step[0]} failed: {done.stderr.strip()[-300:]}\n{HOW_TO}")
            return
