"""Ordered reports in the admin: to read."""

from __future__ import annotations

from django.contrib import admin

from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant
from budgets.tenancy.search import OrganizationFilter
from tracking.reports.models import Edition, Report


class EditionInline(admin.TabularInline):  # type: ignore[type-arg]  # no generic when it runs
    """The last periods that were told."""

    model = Edition
    fields = readonly_fields = ("first_on", "last_on", "delivery", "created_at")
    ordering = ("-first_on",)
    max_num = extra = 0
    can_delete = False


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Who is told how often of what, and when next."""

    list_display = ("due", "organization", "user", "rhythm", "project", "channel", "active")
    list_filter = (OrganizationFilter, "rhythm", "active")
    list_select_related = ("organization", "user", "project", "channel")
    ordering = ("-next_due_at", "-pk")
    sortable_by = ()
    inlines = (EditionInline,)

    @admin.display(description="due at (UTC)")
    def due(self, report: Report) -> str:
        """Write when the next is due."""
        return instant(report.next_due_at)
