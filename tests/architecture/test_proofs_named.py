"""What a page of the documentation names as its proof exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
PROOFS = sorted(set(NAMED.findall((ROOT / "docs/holds.md").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("file", "name"), PROOFS)
def test_a_proof_that_is_named_exists(file: str, name: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")

    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE)


def test_finds_the_proofs() -> None:
    assert len(PROOFS) >= 15
