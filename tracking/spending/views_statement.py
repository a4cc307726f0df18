"""The page of a month's statement, made to be printed."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.http.errors import answer_of
from budgets.tenancy.access import NoMembership, Viewer
from budgets.tenancy.models import Project
from budgets.tenancy.pages import find_viewer, no_membership
from tracking.spending.statement import days_of_month, statement_of


@never_cache
@login_required
@require_safe
def statement(request: HttpRequest) -> HttpResponse:
    """Show what a month cost; an address that makes no sense shows the last one, and says why."""
    now, wrong = clock.now(), None
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        return no_membership(request, error)
    try:
        days = days_of_month(text=request.GET.get("month") or None, viewer=viewer, now=now)
    except DomainError as error:
        wrong, days = error, days_of_month(text=None, viewer=viewer, now=now)
    project = _project(viewer, request.GET.get("project", ""))
    shown = statement_of(viewer=viewer, project=project, days=days, now=now)
    context = {"viewer": viewer, "statement": shown, "error": wrong}
    status = answer_of(wrong).status if wrong else 200
    return render(request, "spending/statement.html", context, status=status)


def _project(viewer: Viewer, text: str) -> Project | None:
    """Find the project that is named, if one is.

    :raises Http404: if the organization has none of that id
    """
    if not text:
        return None
    projects = Project.objects.for_organization(viewer.organization)
    is_id = text.isascii() and text.isdigit() and len(text) < 19
    found = projects.filter(pk=int(text)).first() if is_id else None
    if found is None:
        raise Http404
    return found
