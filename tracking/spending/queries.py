"""Reads everything a page shows, and gives it as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from budgets.core.money import ZERO_USD
from budgets.limits.queries import Standing, standings
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import ApiKey, Project
from tracking.spending.budget_lines import (
    BudgetLine,
    budget_lines,
    first_to_bind,
    percent_text,
    span_text,
)
from tracking.spending.chart import Chart, chart_of
from tracking.spending.filters import Filter, named_filters
from tracking.spending.selection import Selection
from tracking.usage.queries import calls_of, in_flight_of, usage_of
from tracking.usage.question import place_text
from tracking.usage.receipts import Receipt, receipt_of
from tracking.usage.terms import Call, Figures, InFlight, Slice, Usage

CALLS_ON_SPENDING = 10
CALLS_ON_A_PAGE = 50
_MOST_PROJECTS = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One model or person of a table; ``param`` and ``value`` make the address of their calls."""

    name: str
    detail: str
    value: str
    figures: Figures
    share_percent: str
    share_width: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its figures: who looks at what, since when, by which clock."""

    viewer: Viewer
    selection: Selection
    filters: tuple[Filter, ...]
    projects: tuple[Project, ...]
    now: datetime
    zone_name: str


@dataclass(frozen=True, slots=True)
class SpendingPage:
    """The spending page. ``main_budget`` is the dollar budget that binds first, if there is one."""

    frame: Frame
    usage: Usage
    in_flight: InFlight
    main_budget: BudgetLine | None
    other_budgets: tuple[BudgetLine, ...]
    rate_limits: tuple[BudgetLine, ...]
    budgets_of: str
    chart: Chart
    models: tuple[Row, ...]
    users: tuple[Row, ...]
    calls: tuple[Call, ...]
    has_more_calls: bool
    key_hint: ApiKey | None


@dataclass(frozen=True, slots=True)
class CallsPageShown:
    """A page of the list of calls; ``older`` is where the next one begins, for an address."""

    frame: Frame
    calls: tuple[Call, ...]
    older: str | None


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """A call's receipt and how long after its admission it was charged."""

    viewer: Viewer
    receipt: Receipt
    took: str
    zone_name: str


def spending_page(*, viewer: Viewer, selection: Selection, now: datetime) -> SpendingPage:
    """Read the spending page: budgets as of now, figures of the selected days, the latest calls.

    :raises SelectionInvalid: if a filter names something the viewer may not see
    """
    frame, part = _frame(viewer, selection, now)
    usage = usage_of(part=part, days=selection.days)
    standing = standings(
        organization=viewer.organization,
        now=now,
        user_id=part.user_id or viewer.user.pk,
        project_id=part.project_id,
        api_key_id=part.api_key_id,
    )
    main, lines = _lines(standing, frame, is_everyone=part.user_id is None)
    calls = calls_of(part=part, period=selection.days.period, most=CALLS_ON_SPENDING)
    return SpendingPage(
        frame=frame,
        usage=usage,
        in_flight=in_flight_of(part=part),
        main_budget=main,
        other_budgets=tuple(line for line in lines if line.is_money and line is not main),
        rate_limits=tuple(line for line in lines if not line.is_money),
        budgets_of=next((shown.value for shown in frame.filters if shown.param == "user"), ""),
        chart=chart_of(usage=usage, today=now.astimezone(selection.days.zone).date()),
        models=_model_rows(usage),
        users=_user_rows(usage) if part.user_id is None else (),
        calls=calls.calls,
        has_more_calls=calls.older is not None,
        key_hint=_newest_key(viewer, now) if not usage.total.calls else None,
    )


def calls_page(*, viewer: Viewer, selection: Selection, now: datetime) -> CallsPageShown:
    """Read one page of the selected calls, newest first.

    :raises SelectionInvalid: if a filter names something the viewer may not see
    """
    frame, part = _frame(viewer, selection, now)
    page = calls_of(
        part=part,
        period=selection.days.period,
        most=CALLS_ON_A_PAGE,
        before=selection.before,
    )
    return CallsPageShown(frame, page.calls, place_text(page.older) if page.older else None)


def receipt_page(*, viewer: Viewer, request_id: UUID) -> ReceiptPage:
    """Read the receipt of a call that the viewer may see.

    :raises CallNotFound: if there is none, or it is not theirs to see
    """
    receipt = receipt_of(
        organization=viewer.organization, request_id=request_id, user_id=viewer.only_user_id
    )
    took = span_text(receipt.bookings[0].booked_at - receipt.admitted_at)
    return ReceiptPage(viewer, receipt, took, viewer.organization.time_zone)


def _frame(viewer: Viewer, selection: Selection, now: datetime) -> tuple[Frame, Slice]:
    projects = Project.objects.for_organization(viewer.organization).order_by("name", "pk")
    frame = Frame(
        viewer=viewer,
        selection=selection,
        filters=named_filters(viewer=viewer, selection=selection),
        projects=tuple(projects[:_MOST_PROJECTS]),
        now=now,
        zone_name=viewer.organization.time_zone,
    )
    part = Slice(
        organization_id=viewer.organization.pk,
        user_id=viewer.only_user_id or selection.user_id,
        project_id=selection.project_id,
        api_key_id=selection.api_key_id,
        model=selection.model,
    )
    return frame, part


def _lines(
    standing: Sequence[Standing], frame: Frame, *, is_everyone: bool
) -> tuple[BudgetLine | None, list[BudgetLine]]:
    """Write the budgets for people, the main one apart: it heads the page."""
    organization = frame.viewer.organization
    named = {shown.param: shown.value for shown in frame.filters}
    names = {
        "organization": f"everyone in {organization}",
        "user": named.get("user", "you"),
        "project": f"project {named.get('project', '')}",
        "api_key": f"API key {named.get('key', '')}",
    }
    main = first_to_bind(standings=standing, shared_only=is_everyone) or first_to_bind(
        standings=standing, shared_only=False
    )
    lines = budget_lines(
        standings=standing, names=names, zone=frame.selection.days.zone, now=frame.now
    )
    return next((line for s, line in zip(standing, lines, strict=True) if s is main), None), lines


def _model_rows(usage: Usage) -> tuple[Row, ...]:
    return tuple(
        _row(row.model, "", row.model, row.figures, usage.total.cost_usd) for row in usage.models
    )


def _user_rows(usage: Usage) -> tuple[Row, ...]:
    return tuple(
        _row(row.name, row.email, str(row.user_id), row.figures, usage.total.cost_usd)
        for row in usage.users
    )


def _row(name: str, detail: str, value: str, figures: Figures, total_usd: Decimal) -> Row:
    share = max(figures.cost_usd, ZERO_USD) * 100 / total_usd if total_usd > 0 else ZERO_USD
    return Row(
        name=name,
        detail=detail if detail != name else "",
        value=value,
        figures=figures,
        share_percent=percent_text(figures.cost_usd, of=total_usd),
        share_width=f"{min(share, Decimal(100)):.3f}%",
    )


def _newest_key(viewer: Viewer, now: datetime) -> ApiKey | None:
    """Find the viewer's key to show in an example; its secret cannot be shown again."""
    return (
        ApiKey.objects.for_organization(viewer.organization)
        .filter(user=viewer.user, status=ApiKey.Status.ACTIVE)
        .exclude(expires_at__lte=now)
        .order_by("-created_at", "-pk")
        .first()
    )
