"""The table of the selected days' figures, told apart by what the reader chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse

from budgets.core.money import ZERO_USD
from tracking.spending.budget_lines import percent_text
from tracking.spending.frame import Frame
from tracking.spending.selection import GROUPS
from tracking.usage.comparison import Compared, compared
from tracking.usage.names import Name, names_of
from tracking.usage.queries import figures_of
from tracking.usage.question import days_before
from tracking.usage.terms import By, Figures, Slice

MOST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table of groups; ``value`` filters by it, "" for calls without any."""

    name: str
    detail: str
    value: str
    figures: Figures
    share_percent: str
    share_width: str
    change_usd: Decimal | None = None
    change_percent: str = ""


@dataclass(frozen=True, slots=True)
class Groups:
    """The figures of the selected days, told apart. ``adds_up`` is false for labels: a call may
    have several of them, or none."""

    by: By
    title: str
    rows: tuple[Row, ...]
    more_rows: int
    choices: Mapping[By, str]
    table_url: str
    adds_up: bool
    previous_usd: Decimal | None


def groups_of(*, frame: Frame, part: Slice, total_usd: Decimal) -> Groups:
    """Read the figures of the selected days by the chosen group, the dearest first."""
    selection, by = frame.selection, frame.selection.group
    before = days_before(selection.days)
    found = compared(
        rows=figures_of(part=part, days=selection.days, by=by),
        total_usd=total_usd,
        previous=figures_of(part=part, days=before, by=by) if selection.compares else None,
    )
    shown = found[:MOST_ROWS]
    names = names_of(by=by, keys=[row.key for row in shown if row.key])
    return Groups(
        by=by,
        title=GROUPS[by],
        rows=tuple(_row(row, names, by) for row in shown),
        more_rows=len(found) - len(shown),
        choices=GROUPS,
        table_url=f"{reverse(f'usage-by-{by.value}')}?{urlencode(frame.api_params)}",
        adds_up=not by.is_label and len(found) == len(shown),
        previous_usd=_total(part, frame) if selection.compares else None,
    )


def _total(part: Slice, frame: Frame) -> Decimal:
    rows = figures_of(part=part, days=days_before(frame.selection.days))
    return rows[0].figures.cost_usd if rows else ZERO_USD


def _row(row: Compared, names: Mapping[str, Name], by: By) -> Row:
    name = names.get(row.key) or Name("", f"without {GROUPS[by].lower()}")
    share = (row.share or ZERO_USD) * 100
    return Row(
        name=name.name,
        detail=name.detail if name.detail != name.name else "",
        value=name.key,
        figures=row.figures,
        share_percent=percent_text(share, of=Decimal(100)),
        share_width=f"{min(max(share, ZERO_USD), Decimal(100)):.3f}%",
        change_usd=row.change_usd,
        change_percent="" if row.change is None else f"{row.change * 100:+.1f} %",
    )
