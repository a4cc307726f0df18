"""The page of reports: order, look, end. Works without JavaScript, and ending without signing in."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import urlencode

from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from budgets.alerts.channels.email.transport import html_of
from budgets.core import clock
from budgets.tenancy.access import NoMembership, Viewer
from budgets.tenancy.pages import find_viewer, no_membership
from tracking.reports.content import message_of, picture_of
from tracking.reports.forms import ReportForm
from tracking.reports.operations import TokenInvalid, end, order, report_by_token
from tracking.reports.queries import reports_of, subject_for
from tracking.reports.rhythm import latest_due


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def reports(request: HttpRequest) -> HttpResponse:
    """Show what is sent to whom; take an order."""
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        return no_membership(request, error)
    form = ReportForm(request.POST if request.method == "POST" else None, viewer=viewer)
    if request.method == "POST" and form.is_valid():
        order(viewer=viewer, wish=form.wish, now=clock.now())
        return _back(viewer)
    context = {
        "viewer": viewer,
        "section": "reports_page",
        "form": form,
        "reports": reports_of(viewer=viewer),
    }
    return render(request, "reports/reports.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def end_report(request: HttpRequest, pk: int) -> HttpResponse:
    """End a report, and go back to the page."""
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        raise Http404 from error
    report = reports_of(viewer=viewer).filter(pk=pk).first()
    if report is None:
        raise Http404
    end(report=report)
    return _back(viewer)


# The page is a mail: its styles stand where they are used, and it loads and runs nothing.
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@csp_replace({"default-src": ["'none'"], "img-src": ["data:"], "style-src": ["'unsafe-inline'"]})
def preview(request: HttpRequest) -> HttpResponse:
    """Show the last report of a rhythm as its mail would be.

    The form sends it by POST: by GET its token would stand in the address.
    """
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        raise Http404 from error
    form = ReportForm(request.POST or request.GET, viewer=viewer)
    if not form.is_valid():
        raise Http404
    now, wish = clock.now(), form.wish
    subject = subject_for(viewer=viewer, project=wish.project, rhythm=wish.rhythm)
    days = latest_due(rhythm=wish.rhythm, zone=viewer.organization.zone, now=now)
    message = message_of(subject=subject, days=days, now=now)
    drawn = b64encode(picture_of(subject=subject, days=days)).decode()
    return HttpResponse(html_of(message=message, picture_source=f"data:image/png;base64,{drawn}"))


# A mail program that ends it with one click (RFC 8058) has no page, and so no token, of ours.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether a report is to end, and end it; whoever has its mail may."""
    try:
        report = report_by_token(token=token)
    except TokenInvalid as error:
        raise Http404 from error
    if request.method == "POST":
        end(report=report)
    return render(request, "reports/unsubscribe.html", {"report": report})


def _back(viewer: Viewer) -> HttpResponse:
    asked = urlencode({"organization": viewer.organization.slug})
    return redirect(f"{reverse('reports')}?{asked}")
