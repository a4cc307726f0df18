"""The table of the selected days' figures, told apart by what the reader chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse

from budgets.core.money import ZERO_USD
from tracking.spending.budget_lines import percent_text
from tracking.spending.frame import Frame
from tracking.spending.selection import GROUPS, Selection
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
class Column:
    """The head of a column: ``sort`` is what an address says for it, ``order`` how it is sorted now."""

    title: str
    sort: str
    order: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Groups:
    """The figures of the selected days, told apart. ``adds_up`` is false for labels: a call may
    have several of them, or none."""

    by: By
    title: str
    rows: tuple[Row, ...]
    more_rows: int
    choices: Mapping[By, str]
    columns: tuple[Column, ...]
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
    names = names_of(by=by, keys=[row.key for row in found if row.key])
    shown = _sorted(found, names, selection.sort)[:MOST_ROWS]
    return Groups(
        by=by,
        title=GROUPS[by],
        rows=tuple(_row(row, names, by) for row in shown),
        more_rows=len(found) - len(shown),
        choices=GROUPS,
        columns=tuple(_columns(GROUPS[by], selection)),
        table_url=f"{reverse(f'usage-by-{by.value}')}?{urlencode(frame.api_params)}",
        adds_up=not by.is_label and len(found) == len(shown),
        previous_usd=_total(part, frame) if selection.compares else None,
    )


def _columns(first: str, selection: Selection) -> Iterator[Column]:
    """Name the columns; the one that is sorted by turns its order around."""
    for sort, title in {"name": first, **_TITLES}.items():
        if sort == "change" and not selection.compares:
            continue
        if not sort:
            yield Column(title, "", "", is_text=True)
            continue
        is_up = selection.sort == (sort if sort == "name" else f"-{sort}")
        is_sorted = selection.sort.removeprefix("-") == sort
        order = ("ascending" if is_up else "descending") if is_sorted else ""
        yield Column(title, f"-{sort}" if selection.sort == sort else sort, order, sort == "name")


# Beside the names; what stands under no sort cannot be sorted by, since it goes with another.
_TITLES = {
    "cost": "Cost",
    "change": "Change",
    "": "Share",
    "calls": "Calls",
    "per_call": "Per call",
    "per_1k": "Per 1k tokens",
    "input": "Input tokens",
    "cached": "of these cached",
    "output": "Output tokens",
    "failed": "Failed",
}


def _sorted(rows: list[Compared], names: Mapping[str, Name], sort: str) -> list[Compared]:
    """Sort rows: names from A on, figures from the highest on, or the other way round with a minus.

    What is not known stands last either way. Rows come dearest first, and stay so among equals.
    """
    is_turned, by = sort.startswith("-"), sort.removeprefix("-")
    if by == "name":
        called = {key: name.name.casefold() for key, name in names.items()}
        return sorted(rows, key=lambda row: called.get(row.key, ""), reverse=is_turned)
    figure = _FIGURES[by]
    known = [row for row in rows if figure(row) is not None]
    unknown = [row for row in rows if figure(row) is None]
    sign = 1 if is_turned else -1
    return [*sorted(known, key=lambda row: sign * (figure(row) or 0)), *unknown]


_FIGURES: Mapping[str, Callable[[Compared], Decimal | int | None]] = {
    "cost": lambda row: row.figures.cost_usd,
    "calls": lambda row: row.figures.calls,
    "per_call": lambda row: row.figures.usd_per_call,
    "per_1k": lambda row: row.figures.usd_per_1k_tokens,
    "input": lambda row: row.figures.input_tokens,
    "cached": lambda row: row.figures.cached_input_tokens,
    "output": lambda row: row.figures.output_tokens,
    "failed": lambda row: row.figures.failed_calls,
    "change": lambda row: row.change_usd,
}


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
