"""The page of alerts: what goes on, what was told, by which rules and ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.alerts.channels.email.transport import html_of
from budgets.alerts.message import Message
from budgets.alerts.models import AlertRule, Channel
from budgets.alerts.operations import acknowledge, resend, try_channel
from budgets.alerts.queries import alerts_of, deliveries_of
from budgets.core import clock
from budgets.tenancy.access import NoMembership, Viewer
from budgets.tenancy.pages import find_viewer, no_membership

_PER_PAGE = 50
_LATEST = 20
# A mail's styles stand where they are used, and it loads and runs nothing.
_AS_A_MAIL = {"default-src": ["'none'"], "img-src": ["data:"], "style-src": ["'unsafe-inline'"]}


@never_cache
@login_required
@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """Show what goes on and what was told; to who sees everyone also rules, ways and messages."""
    try:
        viewer = find_viewer(request)
    except NoMembership as error:
        return no_membership(request, error)
    organization = viewer.organization
    told = alerts_of(organization=organization, user_id=viewer.only_user_id)
    context: dict[str, Any] = {
        "viewer": viewer,
        "section": "alerts_page",
        "going_on": told.exclude(state="recovered")[:_PER_PAGE],
        "page": Paginator(told.filter(state="recovered"), _PER_PAGE).get_page(
            request.GET.get("page")
        ),
    }
    if viewer.sees_everyone:
        rules = AlertRule.objects.for_organization(organization).order_by("-active", "pk")
        channels = Channel.objects.for_organization(organization).order_by("-active", "pk")
        context |= {
            "rules": rules.prefetch_related("channels"),
            "channels": channels,
            "deliveries": deliveries_of(organization=organization)[:_LATEST],
        }
    return render(request, "alerts/alerts.html", context)


@login_required
@require_POST
def take_on(request: HttpRequest, pk: int) -> HttpResponse:
    """Acknowledge an alert, and go back to the page."""
    viewer = _member(request)
    alert = (
        alerts_of(organization=viewer.organization, user_id=viewer.only_user_id)
        .filter(pk=pk)
        .first()
    )
    if alert is None:
        raise Http404
    acknowledge(alert=alert, by=viewer.user, now=clock.now())
    return _back(viewer)


@login_required
@require_POST
def test_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test by a channel, and go back to the page, where its delivery says how it went."""
    viewer = _manager(request)
    channel = Channel.objects.for_organization(viewer.organization).filter(pk=pk).first()
    if channel is None:
        raise Http404
    try_channel(channel=channel, now=clock.now())
    return _back(viewer)


@login_required
@require_POST
def send_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a message again that was given up, and go back to the page."""
    viewer = _manager(request)
    delivery = deliveries_of(organization=viewer.organization).filter(pk=pk).first()
    if delivery is None:
        raise Http404
    resend(deliveries=[delivery], now=clock.now())
    return _back(viewer)


@never_cache
@login_required
@require_safe
@csp_replace(_AS_A_MAIL)  # type: ignore[arg-type]  # Its type knows only views without parameters.
def preview(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a message as its mail looks, without what only its reader may end."""
    viewer = _member(request)
    delivery = deliveries_of(organization=viewer.organization).filter(pk=pk).first()
    if delivery is None or not viewer.sees_everyone:
        raise Http404
    message = replace(Message.from_json(delivery.message), unsubscribe_url="")
    return HttpResponse(html_of(message=message, picture_source=""))


def _manager(request: HttpRequest) -> Viewer:
    """Find who acts; to who does not manage the organization there is nothing here."""
    viewer = _member(request)
    if not viewer.manages:
        raise Http404
    return viewer


def _member(request: HttpRequest) -> Viewer:
    """Find who acts or looks; to who belongs to no organization there is nothing here."""
    try:
        return find_viewer(request)
    except NoMembership as error:
        raise Http404 from error


def _back(viewer: Viewer) -> HttpResponse:
    return redirect(f"{reverse('alerts')}?organization={viewer.organization.slug}")
