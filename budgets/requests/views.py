"""The page of requests: ask, look, decide. Works without JavaScript."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.http.errors import as_domain_error
from budgets.requests.forms import DecisionForm, WishForm
from budgets.requests.operations import Wish, ask, decide
from budgets.requests.queries import askable, requests_of
from budgets.tenancy.access import NoMembership, Viewer
from budgets.tenancy.pages import find_viewer, no_membership

_MOST = 100


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def requests(request: HttpRequest) -> HttpResponse:
    """Show what can be asked for, what was asked, and what came of it; take a request."""
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        return no_membership(request, error)
    form, wrong = _form(request, viewer), None
    if request.method == "POST" and form.is_valid():
        wrong = _ask(viewer, form.cleaned_data)
        if wrong is None:
            return _back(viewer)
    return _page(request, viewer, form=form, wrong=wrong)


@login_required
@require_POST
def decision(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide on a request, and go back to the page."""
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        raise Http404 from error
    found = requests_of(viewer=viewer).filter(pk=pk).first()
    if found is None:
        raise Http404
    form = DecisionForm(request.POST, zone=viewer.organization.zone)
    wrong: str | None = "The decision is not complete." if not form.is_valid() else None
    if wrong is None:
        try:
            decide(viewer=viewer, request=found, now=clock.now(), **form.given)
        except (DomainError, ValidationError) as error:
            wrong = _said(error)
    return _back(viewer) if wrong is None else _page(request, viewer, wrong=wrong)


def _ask(viewer: Viewer, wished: dict[str, Any]) -> str | None:
    wish = Wish(wished["budget"], wished["amount"], wished["until"], wished["reason"])
    try:
        ask(viewer=viewer, wish=wish, now=clock.now())
    except (DomainError, ValidationError) as error:
        return _said(error)
    return None


def _said(error: Exception) -> str:
    expected = as_domain_error(error)
    return expected.message if expected is not None else str(error)


def _page(
    request: HttpRequest,
    viewer: Viewer,
    *,
    wrong: str | None = None,
    form: WishForm | None = None,
) -> HttpResponse:
    context = {
        "viewer": viewer,
        "section": "requests_page",
        "form": form or _form(None, viewer),
        "asked": requests_of(viewer=viewer)[:_MOST],
        "decides": viewer.manages,
        "wrong": wrong,
    }
    is_wrong = wrong is not None or (form is not None and bool(form.errors))
    return render(request, "requests/requests.html", context, status=400 if is_wrong else 200)


def _form(request: HttpRequest | None, viewer: Viewer) -> WishForm:
    return WishForm(
        request.POST if request is not None and request.method == "POST" else None,
        initial={} if request is None else {"budget": request.GET.get("budget", "")},
        standings=askable(viewer=viewer, now=clock.now()),
        zone=viewer.organization.zone,
    )


def _back(viewer: Viewer) -> HttpResponse:
    return redirect(f"{reverse('requests')}?organization={viewer.organization.slug}")
