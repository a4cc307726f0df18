"""Requests, and what can be asked for."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from budgets.limits.models import Budget
from budgets.limits.queries import Standing, standings
from budgets.requests.models import RaiseRequest
from budgets.tenancy.access import MANAGES, Viewer
from budgets.tenancy.models import ApiKey, Membership, Organization

_MOST_KEYS = 20


def requests_of(*, viewer: Viewer) -> QuerySet[RaiseRequest]:
    """Read the requests that somebody may see: approvers all, others their own; newest first."""
    rows: QuerySet[RaiseRequest] = RaiseRequest.objects.for_organization(viewer.organization)
    if not viewer.manages:
        rows = rows.filter(asked_by=viewer.user)
    return rows.select_related("asked_by", "decided_by", "budget", "limit_raise").order_by("-id")


def askable(*, viewer: Viewer, now: datetime) -> list[Standing]:
    """List the budgets in dollars that stand in somebody's way, the tightest first.

    These are the budgets of everyone, their own, and those of their keys and the keys' projects.
    """
    organization = viewer.organization
    mine = standings(organization=organization, now=now, user_id=viewer.user.pk)
    keys = ApiKey.objects.for_organization(organization).filter(
        user=viewer.user, status=ApiKey.Status.ACTIVE
    )
    for key in keys.order_by("-pk")[:_MOST_KEYS]:
        mine += standings(
            organization=organization,
            now=now,
            user_id=viewer.user.pk,
            project_id=key.project_id,
            api_key_id=key.pk,
        )
    by_budget: dict[int, Standing] = {}
    for one in sorted(mine, key=lambda one: (one.left, one.budget_id)):
        if one.unit == Budget.Unit.USD and one.each in ("", "user"):
            by_budget.setdefault(one.budget_id, one)
    return list(by_budget.values())


def approvers_of(*, organization: Organization) -> list[str]:
    """List the addresses of those who decide."""
    members = Membership.objects.for_organization(organization).filter(
        role__in=MANAGES, user__is_active=True
    )
    return list(members.order_by("pk").values_list("user__email", flat=True))
