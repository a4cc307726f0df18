"""What each process was told, on disk before it goes on; and the comparison with the journal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from budgets.holds.models import JournalEntry

BOOKED = {"settled", "corrected", "already"}


class Log:
    """One process's own file: a line is on the disk before write() returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL)

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(str(word) for word in words) + "\n").encode())
        os.fdatasync(self._file)


@dataclass(slots=True)
class Call:
    """One call as its process saw it."""

    hold: str = ""
    tried_usd: Decimal | None = None
    settle: str = ""
    again: str = ""


@dataclass(slots=True)
class Told:
    """Everything that all processes wrote down."""

    calls: dict[UUID, Call] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    checks: int = 0
    changes: int = 0

    @classmethod
    def read(cls, folder: Path) -> Told:
        """Read every log; a last line that was cut off by a kill was never finished."""
        told = cls()
        for path in folder.iterdir():
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    told._take(line.split())
        return told

    def _take(self, words: list[str]) -> None:
        match words:
            case ["hold", number]:
                self.calls[UUID(number)] = Call()
            case ["held", number, code]:
                self.calls[UUID(number)].hold = code
            case ["settle", number, usd]:
                self.calls[UUID(number)].tried_usd = Decimal(usd)
            case ["settled", number, code]:
                self.calls[UUID(number)].settle = code
            case ["again", number, code]:
                self.calls[UUID(number)].again = code
            case ["checked"]:
                self.checks += 1
            case ["changed"]:
                self.changes += 1
            case _:
                self.failures.append(" ".join(words))


@dataclass(slots=True)
class Counts:
    """The summary: what was done, and how often a promise did not hold."""

    tried: int = 0
    admitted: int = 0
    refused: int = 0
    settled: int = 0
    corrected: int = 0
    estimates: int = 0
    checks: int = 0
    changes: int = 0
    LOST: int = 0
    WRONG: int = 0
    TWICE: int = 0
    ALIEN: int = 0
    over: int = 0
    differences: int = 0
    failures: int = 0
    left: int = 0
    crashed: int = 0
    deadlocks: int = 0

    @property
    def violations(self) -> int:
        """How often a promise did not hold."""
        broken = (self.LOST, self.WRONG, self.TWICE, self.ALIEN, self.over, self.differences)
        return sum(broken) + self.failures + self.left + self.crashed + self.deadlocks

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())


def compare(*, told: Told, journal: Iterable[JournalEntry]) -> Counts:
    """Compare what was told with what is booked."""
    booked: dict[UUID, list[JournalEntry]] = {}
    for entry in journal:
        booked.setdefault(entry.request_id, []).append(entry)
    counts = Counts(
        tried=len(told.calls), checks=told.checks, changes=told.changes, failures=len(told.failures)
    )
    counts.ALIEN = len(booked.keys() - told.calls.keys())
    for entries in booked.values():
        seqs = [entry.seq for entry in entries]
        counts.TWICE += seqs.count(0) != 1 or seqs.count(1) > 1
        counts.estimates += any(entry.kind == "estimate" for entry in entries)
    for number, call in told.calls.items():
        entries = booked.get(number, [])
        counts.admitted += call.hold == "admitted"
        counts.refused += call.hold == "over_limit"
        counts.settled += call.settle in BOOKED
        counts.corrected += call.settle == "corrected"
        counts.LOST += call.hold == "admitted" and not entries
        counts.WRONG += _is_wrong(call, entries)
    return counts


def _is_wrong(call: Call, entries: list[JournalEntry]) -> bool:
    """Tell whether the journal says another amount than the call may have been charged."""
    if call.settle not in {"", *BOOKED} or call.again not in {"", "already"}:
        return True
    amount = sum((entry.amount_usd for entry in entries), Decimal(0))
    if call.settle:
        return not entries or amount != call.tried_usd
    if call.hold == "over_limit":
        return bool(entries)
    # Killed before it was told: charged as it tried, or in full by the sweeper, or, where its
    # hold was given up while the server was away, not at all.
    full = {entry.held_usd for entry in entries if entry.kind == "estimate"}
    free = {Decimal(0)} if call.hold != "admitted" else set()
    return bool(entries) and amount not in full | free | {call.tried_usd}
