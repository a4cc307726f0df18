"""Settlements that could not be made when a process ended, written down so that they can be.

One file for each process, one line of JSON for each call. Amounts are text.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError

from budgets.holds.lane import Unsettled
from budgets.holds.terms import Settlement
from tracking.ledger import operations

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of the settlements of a folder: how many were made now, before, or not at all."""

    settled: int
    already: int
    unknown: int
    refused: int


def write_down(*, unsettled: Iterable[Unsettled], folder: Path, now: datetime) -> Path | None:
    """Write settlements to a new file of the folder, safe against a crash; None for none."""
    lines = [
        json.dumps({"settlement": left.settlement.as_json(), "records": left.records})
        for left in unsettled
    ]
    if not lines:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Processes on several machines may share the folder, and their ids are often the same.
    path = folder / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("x", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    # Only a whole file has the name that a replay looks for.
    unfinished.rename(path)
    _sync(folder)
    return path


def replay(*, folder: Path) -> Replay:
    """Make the settlements of a folder; those that were made before change nothing.

    A file is deleted once all of its calls are settled. A call that the ledger does not know
    stays in its file: it belongs to another database. So does one that the database refuses.
    """
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.jsonl")):
        found = Counter(_book(settlement, records) for settlement, records in _read(path))
        counts += found
        if not found["unknown"] and not found["refused"]:
            path.unlink(missing_ok=True)
    return Replay(
        settled=counts["settled"] + counts["corrected"],
        already=counts["already"],
        unknown=counts["unknown"],
        refused=counts["refused"],
    )


def _book(settlement: Settlement, records: list[dict[str, Any]]) -> str:
    try:
        return operations.book(settlements=[settlement], records=records)[0].code
    except (DataError, IntegrityError):
        # What the database cannot store must not keep the calls after it from being settled.
        logger.exception("call %s cannot be settled", settlement.request_id)
        return "refused"


def _sync(folder: Path) -> None:
    """Make the names in a folder last, as fsync() on a file does only for what is in it."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


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
