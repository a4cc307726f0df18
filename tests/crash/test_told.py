"""The comparison itself: each broken promise is seen, so that finding none says something."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from budgets.holds.models import JournalEntry
from tests.crash.told import Counts, Log, Told, compare

CALL = UUID(int=1)
SETTLED = [f"hold {CALL}", f"held {CALL} admitted", f"settle {CALL} 0.2", f"settled {CALL} settled"]
CHARGED = (0, "charge", "0.2")
ESTIMATED = (0, "estimate", "0.5")


def counts_of(folder: Path, lines: list[str], booked: list[tuple[int, str, str]]) -> Counts:
    log = Log(folder / "1")
    for line in lines:
        log.write(line)
    journal = [
        JournalEntry(
            request_id=CALL,
            seq=seq,
            kind=kind,
            amount_usd=Decimal(usd),
            held_usd=Decimal("0.5" if seq == 0 else 0),
        )
        for seq, kind, usd in booked
    ]
    return compare(told=Told.read(folder), journal=journal)


@pytest.mark.parametrize(
    ("lines", "booked"),
    [
        (SETTLED, [CHARGED]),
        (SETTLED, [ESTIMATED, (1, "correction", "-0.3")]),
        (SETTLED[:3], [CHARGED]),
        (SETTLED[:3], [ESTIMATED]),
        (SETTLED[:1], []),
        (SETTLED[:1], [(0, "release", "0")]),
    ],
)
def test_finds_nothing_where_the_journal_agrees(
    tmp_path: Path, lines: list[str], booked: list[tuple[int, str, str]]
) -> None:
    assert counts_of(tmp_path, lines, booked).violations == 0


@pytest.mark.parametrize(
    ("promise", "lines", "booked"),
    [
        ("LOST", SETTLED[:2], []),
        ("WRONG", SETTLED, [(0, "charge", "0.200000000001")]),
        ("WRONG", SETTLED, [ESTIMATED]),
        ("WRONG", SETTLED[:2], [(0, "release", "0")]),
        ("WRONG", [*SETTLED, f"again {CALL} settled"], [CHARGED]),
        ("WRONG", [*SETTLED[:3], f"settled {CALL} unknown"], [CHARGED]),
        ("WRONG", [SETTLED[0], f"held {CALL} over_limit"], [ESTIMATED]),
        ("TWICE", SETTLED[:3], [CHARGED, CHARGED]),
        ("ALIEN", [], [CHARGED]),
        ("failures", [*SETTLED, "failed DeadlockDetected"], [CHARGED]),
    ],
)
def test_finds_each_broken_promise(
    tmp_path: Path, promise: str, lines: list[str], booked: list[tuple[int, str, str]]
) -> None:
    counts = counts_of(tmp_path, lines, booked)

    assert getattr(counts, promise) == 1
    assert counts.violations >= 1


def test_leaves_out_a_line_that_a_kill_cut_off(tmp_path: Path) -> None:
    (tmp_path / "1").write_text(f"hold {CALL}\nheld {CALL} adm")

    assert Told.read(tmp_path).calls[CALL].hold == ""
