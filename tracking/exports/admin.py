"""Ordered files in the admin: to read, without what is in them."""

from __future__ import annotations

from django.contrib import admin

from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant
from budgets.tenancy.search import OrganizationFilter
from tracking.exports.models import Export


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Which files were ordered, how far they are, and why one could not be built."""

    list_display = ("created", "organization", "user", "file_name", "state", "rows", "last_error")
    list_filter = (OrganizationFilter, "state", "form")
    list_select_related = ("organization", "user")
    ordering = ("-created_at", "-pk")
    sortable_by = ()

    @admin.display(description="ordered at (UTC)")
    def created(self, export: Export) -> str:
        """Write when it was ordered."""
        return instant(export.created_at)
