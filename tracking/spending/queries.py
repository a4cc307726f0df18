"""Reads everything a page shows, and gives it as one value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from budgets.core.money import ZERO_USD
from budgets.core.snapshot import one_snapshot
from budgets.limits.queries import Standing, standings
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import ApiKey, Project, User
from tracking.spending.budget_lines import (
    BudgetLine,
    budget_lines,
    first_to_bind,
    span_text,
)
from tracking.spending.chart import Chart, chart_of
from tracking.spending.course import Beside, Course, course_of
from tracking.spending.filters import named_filters
from tracking.spending.frame import Frame
from tracking.spending.groups import Groups, groups_of
from tracking.spending.selection import NAMES, Selection
from tracking.spending.unusual import UnusualLine, unusual_lines
from tracking.usage.names import names_of
from tracking.usage.outlook import Outlook, budget_outlooks, month_outlook
from tracking.usage.queries import (
    calls_of,
    figures_of,
    in_flight_of,
    split_by_model,
    split_of,
    usage_of,
)
from tracking.usage.question import days_before, place_text
from tracking.usage.receipts import Receipt, receipt_of
from tracking.usage.saved import Saved, saved_of
from tracking.usage.terms import By, Call, Each, InFlight, Slice, Usage
from tracking.usage.waste import Waste, waste_of

CALLS_ON_SPENDING = 10
CALLS_ON_A_PAGE = 50
# More than a list to choose from can hold; whoever has more follows the links of the tables.
_MOST_CHOICES = 200


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
    outlook: Outlook | None
    course: Course | None
    chart: Chart
    groups: Groups
    waste: Waste
    saved: Saved
    unusual: tuple[UnusualLine, ...]
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
    with one_snapshot():
        return _spending_page(viewer, selection, now)


def _spending_page(viewer: Viewer, selection: Selection, now: datetime) -> SpendingPage:
    frame, part = frame_of(viewer=viewer, selection=selection, now=now)
    usage = usage_of(part=part, days=selection.days)
    standing = standings(
        organization=viewer.organization,
        now=now,
        user_id=part.user_id or viewer.user.pk,
        project_id=part.project_id,
        api_key_id=part.api_key_id,
    )
    main, lines = _lines(standing, frame, is_everyone=_is_of_everyone(part))
    calls = calls_of(part=part, period=selection.days.period, most=CALLS_ON_SPENDING)
    today = now.astimezone(selection.days.zone).date()
    return SpendingPage(
        frame=frame,
        usage=usage,
        in_flight=in_flight_of(part=part),
        main_budget=main.line if main else None,
        other_budgets=tuple(
            line for line in lines if line.is_money and not (main and line is main.line)
        ),
        rate_limits=tuple(line for line in lines if not line.is_money),
        budgets_of=next((shown.value for shown in frame.filters if shown.param == "user"), ""),
        outlook=_outlook(main.standing, viewer, part, now) if main else None,
        course=_course(usage, frame, part, main),
        chart=_chart(usage, frame, part, today),
        groups=groups_of(frame=frame, part=part, total_usd=usage.total.cost_usd),
        waste=waste_of(part=part, days=selection.days, most_duplicates=1),
        saved=saved_of(part=part, days=selection.days),
        unusual=unusual_lines(part=part, days=selection.days),
        calls=calls.calls,
        has_more_calls=calls.older is not None,
        key_hint=_newest_key(viewer, now) if not usage.total.calls else None,
    )


def _chart(usage: Usage, frame: Frame, part: Slice, today: date) -> Chart:
    """Draw the days by the chosen group; labels, of which a call has several or none, by model."""
    by = frame.selection.group
    if by == By.MODEL or by.is_label:
        return chart_of(split=split_by_model(usage), names={}, today=today)
    split = split_of(part=part, days=frame.selection.days, by=by)
    names = names_of(by=by, keys=[key for key, _ in split.groups if key])
    called = {key: name.name for key, name in names.items()}
    return chart_of(split=split, names=called | {"": "unknown"}, today=today)


def _course(usage: Usage, frame: Frame, part: Slice, main: _Main | None) -> Course | None:
    """Draw the sums beside the days before, and in the present month beside forecast and limit."""
    selection = frame.selection
    before = None
    if selection.compares:
        days = days_before(selection.days)
        rows = figures_of(part=part, days=days, each=Each.DAY)
        costs = {row.span: row.figures.cost_usd for row in rows}
        before = [costs.get(day, ZERO_USD) for day in days]
    told, limit_usd = None, None
    if selection.period == "this-month":
        told = month_outlook(part=part, zone=selection.days.zone, now=frame.now).forecast
        if main and main.standing.window == "month" and _counts(main.standing, part):
            limit_usd = main.standing.limit
    today = frame.now.astimezone(selection.days.zone).date()
    return course_of(days=usage.days, today=today, beside=Beside(before, told, limit_usd))


def _counts(standing: Standing, part: Slice) -> bool:
    """Tell whether a budget that applies to what was asked counts these calls, all and no others."""
    is_whole = part.viewer_id is None or part.project_id in part.led_project_ids
    if part.led_project_ids and not is_whole and part.user_id != part.viewer_id:
        # One's own calls and those of projects that one leads: no budget is of both.
        return False
    filters = {
        "user": part.user_id or (None if is_whole else part.viewer_id),
        "project": part.project_id,
        "api_key": part.api_key_id,
        **{name: getattr(part, name) for name in NAMES},
    }
    shown = {kind for kind, subject in filters.items() if subject is not None}
    return shown == {standing.scope, standing.each} - {"organization", ""}


def calls_page(*, viewer: Viewer, selection: Selection, now: datetime) -> CallsPageShown:
    """Read one page of the selected calls, newest first.

    :raises SelectionInvalid: if a filter names something the viewer may not see
    """
    frame, part = frame_of(viewer=viewer, selection=selection, now=now)
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
        organization=viewer.organization,
        request_id=request_id,
        user_id=viewer.only_user_id,
        led_project_ids=viewer.led_project_ids,
    )
    took = span_text(receipt.bookings[0].booked_at - receipt.admitted_at)
    return ReceiptPage(viewer, receipt, took, viewer.organization.time_zone)


def frame_of(*, viewer: Viewer, selection: Selection, now: datetime) -> tuple[Frame, Slice]:
    """Read what stands around the figures of a selection, and the slice of calls that it means.

    :raises SelectionInvalid: if a filter names something the viewer may not see
    """
    projects = Project.objects.for_organization(viewer.organization).order_by("name", "pk")
    frame = Frame(
        viewer=viewer,
        selection=selection,
        filters=named_filters(viewer=viewer, selection=selection),
        projects=tuple(projects[:_MOST_CHOICES]),
        people=tuple(_people(viewer)),
        api_keys=tuple(_api_keys(viewer)),
        now=now,
        zone_name=viewer.organization.time_zone,
    )
    part = Slice(
        organization_id=viewer.organization.pk,
        user_id=selection.user_id,
        project_id=selection.project_id,
        api_key_id=selection.api_key_id,
        viewer_id=viewer.only_user_id,
        led_project_ids=viewer.led_project_ids,
        **selection.names,
    )
    return frame, part


def _people(viewer: Viewer) -> Iterable[User]:
    """List the members to choose from, for those who see everyone."""
    if not viewer.sees_everyone:
        return ()
    members = User.objects.filter(memberships__organization=viewer.organization)
    return members.order_by("name", "pk")[:_MOST_CHOICES]


def _api_keys(viewer: Viewer) -> Iterable[ApiKey]:
    """List the keys to choose from: those whose calls the viewer sees."""
    keys = ApiKey.objects.for_organization(viewer.organization)
    if not viewer.sees_everyone:
        keys = keys.filter(user=viewer.user) | keys.filter(project_id__in=viewer.led_project_ids)
    return keys.order_by("name", "pk")[:_MOST_CHOICES]


@dataclass(frozen=True, slots=True)
class _Main:
    """The budget that heads the page: as it stands, and as it is written."""

    standing: Standing
    line: BudgetLine


def _is_of_everyone(part: Slice) -> bool:
    return part.user_id is None and part.viewer_id is None


def _lines(
    standing: Sequence[Standing], frame: Frame, *, is_everyone: bool
) -> tuple[_Main | None, list[BudgetLine]]:
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
    pairs = zip(standing, lines, strict=True)
    return next((_Main(s, line) for s, line in pairs if s is main), None), lines


def _outlook(standing: Standing, viewer: Viewer, part: Slice, now: datetime) -> Outlook:
    """Tell where the main budget is heading."""
    (outlook,) = budget_outlooks(
        organization=viewer.organization, standings=[standing], asked=part, now=now
    )
    return outlook


def _newest_key(viewer: Viewer, now: datetime) -> ApiKey | None:
    """Find the viewer's key to show in an example; its secret cannot be shown again."""
    return (
        ApiKey.objects.for_organization(viewer.organization)
        .filter(user=viewer.user, status=ApiKey.Status.ACTIVE)
        .exclude(expires_at__lte=now)
        .order_by("-created_at", "-pk")
        .first()
    )
