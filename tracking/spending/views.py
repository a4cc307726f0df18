"""The pages: read the address, make one query, render."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.http.errors import answer_of
from budgets.tenancy.access import NoMembership, Viewer
from budgets.tenancy.pages import find_viewer, no_membership
from tracking.spending.queries import calls_page, receipt_page, spending_page
from tracking.spending.selection import (
    PERIODS,
    Selection,
    SelectionInvalid,
    parse,
    this_month,
)
from tracking.usage.receipts import CallNotFound


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Lead to the spending page."""
    return redirect("spending")


@never_cache
@login_required
@require_safe
def spending(request: HttpRequest) -> HttpResponse:
    """Show what was spent, and how much is left."""
    return _listing(request, "spending/spending.html", spending_page)


@never_cache
@login_required
@require_safe
def calls(request: HttpRequest) -> HttpResponse:
    """Show the calls behind the figures, a page at a time."""
    return _listing(request, "spending/calls.html", calls_page)


@never_cache
@login_required
@require_safe
def receipt(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Show one call from its hold to its charge."""
    try:
        viewer = find_viewer(request)
        page = receipt_page(viewer=viewer, request_id=request_id)
    except NoMembership as error:
        return no_membership(request, error)
    except CallNotFound as error:
        raise Http404 from error
    context = {"page": page, "viewer": viewer, "state": _state(viewer, {})}
    return render(request, "spending/receipt.html", context)


def _listing(request: HttpRequest, template: str, query: Callable[..., object]) -> HttpResponse:
    now = clock.now()
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        return no_membership(request, error)
    page, selection, wrong = _page(request, query, viewer, now)
    context = {
        "page": page,
        "section": query.__name__,
        "viewer": viewer,
        "state": _state(viewer, selection.params),
        "periods": PERIODS,
        "error": wrong,
        "calls_url": request.build_absolute_uri("/v1/chat/completions"),
    }
    return render(request, template, context, status=answer_of(wrong).status if wrong else 200)


def _page(
    request: HttpRequest, query: Callable[..., object], viewer: Viewer, now: datetime
) -> tuple[object, Selection, DomainError | None]:
    """Ask for what the address says; if it makes no sense, for this month, and say why."""
    zone = viewer.organization.zone
    today = now.astimezone(zone).date()
    try:
        selection = parse(params=request.GET.dict(), today=today, zone=zone)
        return query(viewer=viewer, selection=selection, now=now), selection, None
    except SelectionInvalid as error:
        selection = this_month(today=today, zone=zone)
        return query(viewer=viewer, selection=selection, now=now), selection, error


def _state(viewer: Viewer, params: dict[str, str]) -> QueryDict:
    """Give the parameters that every address on the page carries on."""
    state = QueryDict(mutable=True)
    if len(viewer.organizations) > 1:
        state["organization"] = viewer.organization.slug
    state.update(cast(dict[str, Any], params))
    return state
