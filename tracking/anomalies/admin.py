"""Unusual spend in the admin: to read."""

from __future__ import annotations

from django.contrib import admin

from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant
from budgets.tenancy.search import OrganizationFilter
from tracking.anomalies.models import Anomaly


@admin.register(Anomaly)
class AnomalyAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """What spent more than is usual for it, and why."""

    list_display = (
        "began_on",
        "last_on",
        "organization",
        "subject_kind",
        "subject",
        "cost_usd",
        "usual_usd",
        "found",
    )
    list_filter = (OrganizationFilter, "subject_kind")
    list_select_related = ("organization",)
    ordering = ("-began_on", "-pk")
    sortable_by = ()

    @admin.display(description="found at (UTC)")
    def found(self, anomaly: Anomaly) -> str:
        """Write when it was found."""
        return instant(anomaly.found_at)
