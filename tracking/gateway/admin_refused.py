"""Counts of refused calls in the admin: to read."""

from __future__ import annotations

from django.contrib import admin

from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant
from budgets.tenancy.search import OrganizationFilter
from tracking.gateway.models import RefusedCalls


@admin.register(RefusedCalls)
class RefusedCallsAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """How many calls were refused in each minute, with which key, for which model and why."""

    list_display = ("minute", "organization", "api_key_id", "model", "code", "calls")
    list_filter = (OrganizationFilter, "code")
    list_select_related = ("organization",)
    ordering = ("-starts_at", "-pk")
    sortable_by = ()

    @admin.display(description="minute (UTC)")
    def minute(self, refused: RefusedCalls) -> str:
        """Write the minute."""
        return instant(refused.starts_at)
