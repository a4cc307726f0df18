"""Requests for more in the admin, to read: they are decided by people of the organization."""

from __future__ import annotations

from django.contrib import admin

from budgets.history.admin import HistoryAdmin
from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant
from budgets.requests.models import RaiseRequest
from budgets.tenancy.search import OrganizationFilter


@admin.register(RaiseRequest)
class RaiseRequestAdmin(HistoryAdmin, ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Who asked for what, and what came of it."""

    list_display = ("asked", "organization", "asked_by", "budget", "amount", "state", "decided_by")
    list_filter = ("state", OrganizationFilter)
    list_select_related = ("organization", "asked_by", "budget", "decided_by")
    list_per_page = 50
    search_fields = ("asked_by__email", "reason", "organization__slug")
    ordering = ("-pk",)

    @admin.display(description="asked at (UTC)", ordering="asked_at")
    def asked(self, request: RaiseRequest) -> str:
        """Write when it was asked."""
        return instant(request.asked_at)
