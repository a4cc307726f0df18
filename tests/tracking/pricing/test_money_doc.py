"""The worked examples of docs/money.md."""

from __future__ import annotations

import doctest
from pathlib import Path

from tests.tracking.pricing.differences import RULES, TIERS, TOKENS, UNITS
from tracking.pricing.modes import NEEDED
from tracking.pricing.rates import TOKEN_DIMENSIONS
from tracking.pricing.usage import UNIT_DIMENSIONS

PAGE = Path(__file__).parents[3] / "docs" / "money.md"


def test_computes_every_example_as_it_is_printed() -> None:
    flags = doctest.IGNORE_EXCEPTION_DETAIL | doctest.REPORT_NDIFF
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags)
    assert result.attempted >= 20
    assert result.failed == 0


def test_tells_of_every_mode_what_its_price_needs() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| calls for | need |")
    told, _, _ = table.partition("\n\n")
    assert {mode for mode in NEEDED if f"`{mode}`" in told} == set(NEEDED)


def test_tells_of_every_unit_that_is_charged() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in UNIT_DIMENSIONS.values() if f"`{name}`" not in page} == set()
    assert {name for name in TOKEN_DIMENSIONS if f"`{name}`" not in page} == set()


def test_lists_every_difference_from_litellm_and_no_other() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("## Where we differ from litellm")
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    explained = {known.title for known in (*TOKENS, *TIERS, *UNITS)}
    assert set(rows[2:]) == explained | set(RULES)
    assert len(rows[2:]) == len(set(rows)) - 2
