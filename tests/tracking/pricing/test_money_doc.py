"""The worked examples of docs/money.md."""

from __future__ import annotations

import doctest
from pathlib import Path

from tests.tracking.pricing.differences import RULES, TIERS, TOKENS, UNITS

PAGE = Path(__file__).parents[3] / "docs" / "money.md"


def test_computes_every_example_as_it_is_printed() -> None:
    flags = doctest.IGNORE_EXCEPTION_DETAIL | doctest.REPORT_NDIFF
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags)
    assert result.attempted >= 20
    assert result.failed == 0


def test_lists_every_difference_from_litellm_and_no_other() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("## Where we differ from litellm")
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    explained = {known.title for known in (*TOKENS, *TIERS, *UNITS)}
    assert set(rows[2:]) == explained | set(RULES)
    assert len(rows[2:]) == len(set(rows)) - 2
