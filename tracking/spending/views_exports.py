"""The page of files: order what a page shows, see how far it is, fetch it."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.http.errors import answer_of
from budgets.tenancy.access import NoMembership, Viewer
from budgets.tenancy.pages import find_viewer, no_membership
from tracking.exports.operations import MOST_AT_ONCE, order, retry
from tracking.exports.queries import count_rows, exports_of
from tracking.exports.terms import WHATS, Form, Wanted
from tracking.spending.queries import frame_of
from tracking.spending.selection import parse

_MOST = 50


class FileUnknown(DomainError):
    """There is no such file to order."""

    code = "value_out_of_range"


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def exports(request: HttpRequest) -> HttpResponse:
    """Show one's files and how far they are; take an order."""
    wrong: DomainError | None = None
    try:
        viewer = find_viewer(request)
        if request.method == "POST":
            return _order(request, viewer)
    except NoMembership as error:
        return no_membership(request, error)
    except DomainError as error:
        wrong = error
    return _page(request, viewer, wrong)


@login_required
@require_POST
def retry_export(request: HttpRequest, export_id: UUID) -> HttpResponse:
    """Have a file built again that could not be built, and go back to the page."""
    wrong: DomainError | None = None
    try:
        viewer = find_viewer(request)
        export = exports_of(viewer=viewer).filter(pk=export_id).first()
        if export is None:
            raise Http404
        retry(export=export)
    except NoMembership as error:
        raise Http404 from error
    except DomainError as error:
        wrong = error
    return _page(request, viewer, wrong) if wrong else redirect(_address(viewer))


def _order(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Lead to the file where it is small, else order it and lead to the page of files.

    :raises DomainError: if what is asked for makes no sense, or is too much
    """
    zone, now = viewer.organization.zone, clock.now()
    today = now.astimezone(zone).date()
    selection = parse(params=request.POST.dict(), today=today, zone=zone)
    frame, part = frame_of(viewer=viewer, selection=selection, now=now)
    what, form = request.POST.get("what", ""), request.POST.get("as", "")
    if what not in WHATS or form not in list(Form):
        raise FileUnknown
    wanted = Wanted(what, Form(form), part, selection.days, compares=selection.compares)
    if count_rows(wanted=wanted) > MOST_AT_ONCE:
        order(viewer=viewer, wanted=wanted, now=now)
        return redirect(_address(viewer))
    asked = frame.api_params | {"what": what, "as": form}
    return redirect(f"{reverse('usage-export')}?{urlencode(asked)}")


def _page(request: HttpRequest, viewer: Viewer, wrong: DomainError | None) -> HttpResponse:
    rows = list(exports_of(viewer=viewer)[:_MOST])
    context = {
        "viewer": viewer,
        "exports": rows,
        "is_building": any(row.state in ("waiting", "building") for row in rows),
        # Behind an order that was refused is no address to ask for the page again.
        "is_live": request.method != "POST",
        "wrong": wrong,
    }
    status = answer_of(wrong).status if wrong else 200
    return render(request, "spending/exports.html", context, status=status)


def _address(viewer: Viewer) -> str:
    return f"{reverse('spending-exports')}?{urlencode({'organization': viewer.organization.slug})}"
