"""Settlements that could not be made when a process ended, written down so that they can be.

One file for each process, one line of JSON for each call. Amounts are text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from budgets.holds.lane import Unsettled
from budgets.holds.terms import Settlement
from tracking.ledger import operations


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of the settlements of a folder: how many were made now, before, or not at all."""

    settled: int
    already: int
    unknown: int


def write_down(*, unsettled: Iterable[Unsettled], folder: Path, now: datetime) -> Path | None:
    """Write settlements to a new file of the folder, safe against a crash; None for none."""
    lines = [
        json.dumps({"settlement": left.settlement.as_json(), "records": left.records})
        for left in unsettled
    ]
    if not lines:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.jsonl"
    with path.open("x", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path


def replay(*, folder: Path) -> Replay:
    """Make the settlements of a folder; those that were made before change nothing.

    A file is deleted once all of its calls are settled. A call that the ledger does not know
    stays in its file: it belongs to another database.
    """
    counts = {"settled": 0, "corrected": 0, "already": 0, "unknown": 0}
    for path in sorted(folder.glob("*.jsonl")):
        found = [_book(settlement, records) for settlement, records in _read(path)]
        for code in found:
            counts[code] += 1
        if "unknown" not in found:
            path.unlink()
    return Replay(counts["settled"] + counts["corrected"], counts["already"], counts["unknown"])


def _book(settlement: Settlement, records: list[dict[str, Any]]) -> str:
    return operations.book(settlements=[settlement], records=records)[0].code


def _read(path: Path) -> Iterator[tuple[Settlement, list[dict[str, Any]]]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        read = json.loads(line)
        written = read["settlement"]
        yield (
            Settlement(
                request_id=UUID(written["id"]),
                organization_id=written["org"],
                usd=Decimal(written["usd"]),
                tokens=written["tokens"],
                kind=written["kind"],
            ),
            read["records"],
        )
