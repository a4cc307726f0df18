"""The worked examples of docs/money.md."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "money.md"


def test_computes_every_example_as_it_is_printed() -> None:
    flags = doctest.IGNORE_EXCEPTION_DETAIL | doctest.REPORT_NDIFF
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags)
    assert result.attempted >= 20
    assert result.failed == 0
