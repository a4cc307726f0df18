"""Money that bought nothing, or less than it paid for, and the calls behind it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from budgets.core.money import ZERO_USD
from budgets.core.snapshot import one_snapshot
from budgets.core.sql import read_sql
from tracking.usage.queries import figures_of
from tracking.usage.terms import By, Days, Figures, Slice

ABORTED, FAILED, TRUNCATED, RETRIED, DUPLICATE = (
    "aborted",
    "failed",
    "truncated",
    "retried",
    "duplicate",
)
_OF_ONE_CALL = (ABORTED, FAILED, TRUNCATED, RETRIED)
MEANINGS = {
    ABORTED: "the client left before the answer was whole",
    FAILED: "billed, though the answer broke off, failed, or never became known",
    TRUNCATED: "the answer was cut off at its cap of output",
    RETRIED: "attempts before the one that answered",
    DUPLICATE: "the same prompt to the same model again; a cache would have answered",
}


@dataclass(frozen=True, slots=True)
class Wasted:
    """One kind of waste: what it cost, and how many calls had it.

    The first four kinds do not overlap: what attempts before the last cost counts as retried, the
    rest of the call under how it ended. A duplicate may be any of them too.
    """

    kind: str
    wasted_usd: Decimal
    calls: int

    @property
    def meaning(self) -> str:
        """What makes it waste, for people."""
        return MEANINGS[self.kind]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One prompt that was sent more than once to a model; all but the first call are wasted."""

    prompt_hash: UUID
    model: str
    calls: int
    wasted_usd: Decimal


@dataclass(frozen=True, slots=True)
class Waste:
    """All kinds of waste of a slice, also those without any, beside what the slice cost."""

    total: Figures
    kinds: tuple[Wasted, ...]
    duplicates: tuple[Duplicate, ...]


def waste_of(*, part: Slice, days: Days, most_duplicates: int = 20) -> Waste:
    """Add up what was wasted in some days, and name the prompts whose repetition cost most."""
    with one_snapshot():
        total = figures_of(part=part, days=days)
        rows = {row.key: row.figures for row in figures_of(part=part, days=days, by=By.WASTE)}
        repeated = _repeated(part, days, most_duplicates)
    kinds = [_wasted(kind, rows.get(kind, Figures())) for kind in _OF_ONE_CALL]
    calls, wasted_usd = repeated[0][4:] if repeated else (0, ZERO_USD)
    return Waste(
        total=total[0].figures if total else Figures(),
        kinds=(*kinds, Wasted(DUPLICATE, wasted_usd, calls)),
        duplicates=tuple(Duplicate(*row[:4]) for row in repeated),
    )


def _wasted(kind: str, figures: Figures) -> Wasted:
    return Wasted(kind, figures.cost_usd, figures.calls)


def _repeated(part: Slice, days: Days, most: int) -> list[tuple[Any, ...]]:
    period = days.period
    arguments = part.as_arguments() | {
        "starts_at": period.starts_at,
        "ends_at": period.ends_at,
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.usage", "duplicates"), arguments)
        return list(cursor.fetchall())
