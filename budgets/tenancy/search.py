"""How the admin's lists find tenants and callers, without reading tables that grow without end."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from budgets.tenancy.keys import id_in
from budgets.tenancy.models import ApiKey, Membership, Organization

MOST_LISTED = 25


class OrganizationFilter(SimpleListFilter):
    """Keeps one organization's rows; offers the first by name, and the one that is chosen."""

    title = "organization"
    parameter_name = "organization"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer so many that they can be read; a search finds the others."""
        named = Organization.objects.order_by("name", "pk").values_list("slug", "name")
        listed = list(named[:MOST_LISTED])
        chosen = self.value()
        if chosen and chosen not in dict(listed):
            listed += named.filter(slug=chosen)
        return listed

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the organization with the chosen slug."""
        slug = self.value()
        return queryset.filter(organization__slug=slug) if slug else queryset


def request_meant(*, term: str) -> Q | None:
    """Understand a term as a request id; None when it is none.

    The organizations are named too, since the tables of calls are indexed by organization first.
    """
    try:
        request_id = UUID(term)
    except ValueError:
        return None
    return Q(organization__in=Organization.objects.values("pk"), request_id=request_id)


def tenant_meant(*, term: str) -> Q | None:
    """Understand a term as an organization's slug or name; None when there is none such."""
    ids = list(
        Organization.objects.filter(Q(slug=term) | Q(name__iexact=term)).values_list(
            "pk", flat=True
        )
    )
    return Q(organization__in=ids) if ids else None


def caller_meant(*, term: str) -> Q | None:
    """Understand a term as a user's e-mail address, or the id or name of an API key; None if neither."""
    if "@" in term:
        places = Membership.objects.filter(user__email__iexact=term)
        return Q(
            organization__in=list(places.values_list("organization", flat=True)),
            user__email__iexact=term,
        )
    keys = ApiKey.objects.filter(Q(lookup_id=id_in(term)) | Q(name__iexact=term))
    rows = list(keys.values_list("organization", "pk"))
    if not rows:
        return None
    return Q(organization__in={row[0] for row in rows}, api_key__in=[row[1] for row in rows])
