"""Who looks at a page: the same question for all of them, and the answer to whoever belongs nowhere."""

from __future__ import annotations

from typing import cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from budgets.tenancy.access import NoMembership, OrganizationNotFound, Viewer, viewer_of
from budgets.tenancy.models import User


def find_viewer(request: HttpRequest) -> Viewer:
    """Find who looks at which organization: the one that the form or the address names.

    :raises Http404: if they do not belong to it, whether or not it exists
    :raises NoMembership: if they belong to none
    """
    slug = request.POST.get("organization") or request.GET.get("organization")
    try:
        return viewer_of(user=cast(User, request.user), slug=slug or None)
    except OrganizationNotFound as error:
        raise Http404 from error


def no_membership(request: HttpRequest, error: NoMembership) -> HttpResponse:
    """Show the page of somebody who belongs to no organization."""
    return render(request, "spending/no_membership.html", {"message": error.message})
