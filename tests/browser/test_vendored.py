"""The scripts that came from others are what their list says, and nothing else is there."""

from __future__ import annotations

import hashlib
import re

from costsite.settings import BASE_DIR

FOLDER = BASE_DIR / "static/vendor"


def test_are_as_they_were_published() -> None:
    listed = re.findall(
        r"^\| (\S+\.js) \|.*\| ([0-9a-f]{64}) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
    )

    assert dict(listed) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.js")
    }
    assert listed
