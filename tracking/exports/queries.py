"""Reads the rows of a file, so that they add up to what a page says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from budgets.core.money import ZERO_USD
from budgets.core.snapshot import one_snapshot
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Organization
from tracking.exports.focus import COLUMNS as FOCUS_COLUMNS
from tracking.exports.focus import account_of, focus_call, focus_group
from tracking.exports.models import Export
from tracking.exports.terms import CALLS, DAYS, Cell, Form, Row, Wanted
from tracking.usage.comparison import Compared, compared
from tracking.usage.names import Name, names_of
from tracking.usage.queries import EVERYTHING, calls_of, figures_of
from tracking.usage.question import days_before
from tracking.usage.terms import By, Call, Days, Each, Figures, Place, Position

_CALLS_AT_ONCE = 2_000
_CALL_COLUMNS = (
    "request_id",
    "admitted_at",
    "model",
    "provider",
    "endpoint",
    "user_id",
    "user",
    "email",
    "project_id",
    "project",
    "api_key_id",
    "api_key",
    "tags",
    "session",
    "end_user",
    "cost_usd",
    "ending",
    "attempts",
    "status",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "duration_ms",
)
_FIGURE_COLUMNS = (
    "cost_usd",
    "calls",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "attempts",
    "failed_calls",
    "usd_per_call",
)
_NAME_COLUMNS: Mapping[By, tuple[str, ...]] = {
    By.USER: ("user_id", "name", "email"),
    By.PROJECT: ("project_id", "name", "slug"),
    By.API_KEY: ("api_key_id", "name", "masked"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file, their columns, and the cost of each row; ``count`` is known before."""

    columns: Sequence[str]
    count: int
    rows: Iterator[tuple[Row, Decimal]]


def rows_of(*, wanted: Wanted, until: Position = EVERYTHING) -> Rows:
    """Read the rows of a file in the order of the page: calls newest first, groups dearest first.

    Calls are read in pages. With a position of the ledger they are all as they stood there; without
    one, call it inside one_snapshot(), and go through the rows there.
    """
    if wanted.what == CALLS:
        return _rows_of_calls(wanted, until)
    organization = Organization.objects.get(pk=wanted.part.organization_id)
    read = _focus_groups if wanted.form == Form.FOCUS else _groups
    with one_snapshot():
        found = list(read(wanted, organization))
    return Rows(_columns(wanted), len(found), iter(found))


def count_rows(*, wanted: Wanted) -> int:
    """Count the rows that a file would have; for calls without reading them."""
    if wanted.what == CALLS:
        return _total(wanted).calls
    each = Each.DAY if wanted.what == DAYS or wanted.form == Form.FOCUS else Each.PERIOD
    return len(figures_of(part=wanted.part, days=wanted.days, by=wanted.by, each=each))


def exports_of(*, viewer: Viewer) -> QuerySet[Export]:
    """Read somebody's own files of the organization that they look at, the newest first."""
    rows: QuerySet[Export] = Export.objects.for_organization(viewer.organization)
    return rows.filter(user=viewer.user).order_by("-id")


def is_still_seen(*, viewer: Viewer, export: Export) -> bool:
    """Tell whether somebody may still see all that a file of theirs was built from."""
    part = Wanted.from_json(export.wanted).part
    if viewer.sees_everyone:
        return True
    led = set(part.led_project_ids)
    return part.viewer_id == viewer.user.pk and led <= set(viewer.led_project_ids)


def part_of(*, export: Export, number: int) -> bytes:
    """Read one piece of a file; nothing behind the last one."""
    found = export.parts.filter(number=number).values_list("content", flat=True).first()
    return b"" if found is None else bytes(found)


def _total(wanted: Wanted) -> Figures:
    rows = figures_of(part=wanted.part, days=wanted.days)
    return rows[0].figures if rows else Figures()


def _columns(wanted: Wanted) -> Sequence[str]:
    if wanted.form == Form.FOCUS:
        return FOCUS_COLUMNS
    if wanted.what == DAYS:
        return ("date", *_FIGURE_COLUMNS)
    names = _NAME_COLUMNS.get(wanted.by, (wanted.by.value,))
    before = (*(f"previous.{name}" for name in _FIGURE_COLUMNS), "change_usd", "change")
    return (*names, *_FIGURE_COLUMNS, "share", *(before if wanted.compares else ()))


def _rows_of_calls(wanted: Wanted, until: Position) -> Rows:
    organization = Organization.objects.get(pk=wanted.part.organization_id)
    account = account_of(slug=organization.slug, name=organization.name)

    def as_focus(call: Call) -> Row:
        return focus_call(call, account=account, days=wanted.days)

    is_focus = wanted.form == Form.FOCUS
    write: Callable[[Call], Row] = as_focus if is_focus else _call
    columns = FOCUS_COLUMNS if is_focus else _CALL_COLUMNS
    rows = ((write(call), call.cost_usd) for call in _calls(wanted, until))
    return Rows(columns, _total(wanted).calls, rows)


def _calls(wanted: Wanted, until: Position) -> Iterator[Call]:
    before: Place | None = None
    while True:
        page = calls_of(
            part=wanted.part,
            period=wanted.days.period,
            most=_CALLS_AT_ONCE,
            before=before,
            until=until,
        )
        yield from page.calls
        if page.older is None:
            return
        before = page.older


def _call(call: Call) -> Row:
    cells: dict[str, Cell] = {name: getattr(call, name) for name in _CALL_COLUMNS}
    return cells | {"request_id": str(call.request_id), "tags": ",".join(call.tags)}


def _groups(wanted: Wanted, organization: Organization) -> Iterator[tuple[Row, Decimal]]:
    del organization
    if wanted.what == DAYS:
        yield from _days(wanted)
        return
    rows = figures_of(part=wanted.part, days=wanted.days, by=wanted.by)
    before = days_before(wanted.days)
    previous = figures_of(part=wanted.part, days=before, by=wanted.by) if wanted.compares else None
    all_usd = _total(wanted).cost_usd
    beside = compared(rows=rows, total_usd=all_usd, previous=previous)
    names = names_of(by=wanted.by, keys=[row.key for row in beside])
    for row in beside:
        named = _named(wanted.by, names[row.key])
        cells = named | _figures(row.figures) | {"share": row.share} | _before(row)
        yield cells, row.figures.cost_usd


def _days(wanted: Wanted) -> Iterator[tuple[Row, Decimal]]:
    rows = figures_of(part=wanted.part, days=wanted.days, each=Each.DAY)
    by_day = {row.span: row.figures for row in rows}
    for day in wanted.days:
        figures = by_day.get(day, Figures())
        yield {"date": day} | _figures(figures), figures.cost_usd


def _focus_groups(wanted: Wanted, organization: Organization) -> Iterator[tuple[Row, Decimal]]:
    """Give each group on each day, so that every charge lies in one billing period."""
    rows = figures_of(part=wanted.part, days=wanted.days, by=wanted.by, each=Each.DAY)
    names = names_of(by=wanted.by, keys={row.key for row in rows})
    account = account_of(slug=organization.slug, name=organization.name)
    for row in rows:
        assert row.span is not None
        named = _named(wanted.by, names[row.key]) if wanted.by else {}
        on = Days(row.span, row.span, wanted.days.zone)
        cells = focus_group(row.figures, names=named, by=wanted.by, account=account, on=on)
        yield cells, row.figures.cost_usd


def _named(by: By, name: Name) -> dict[str, Cell]:
    if by not in _NAME_COLUMNS:
        return {by.value: name.key}
    given = (int(name.key), name.name, name.detail)
    return dict(zip(_NAME_COLUMNS[by], given, strict=True))


def _figures(figures: Figures) -> dict[str, Cell]:
    return {name: getattr(figures, name) for name in _FIGURE_COLUMNS}


def _before(row: Compared) -> dict[str, Cell]:
    if row.previous is None:
        return {}
    previous = {f"previous.{name}": value for name, value in _figures(row.previous).items()}
    return previous | {"change_usd": row.change_usd or ZERO_USD, "change": row.change}
