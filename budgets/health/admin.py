"""The heartbeat of the background work in the admin: to read."""

from __future__ import annotations

from django.contrib import admin

from budgets.health.models import Tick
from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant


@admin.register(Tick)
class TickAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """When each periodic job last ran to its end."""

    list_display = ("job", "last_ran")
    ordering = ("job",)
    fields = ("job", "last_ran")
    readonly_fields = fields

    @admin.display(description="last ran at (UTC)", ordering="ran_at")
    def last_ran(self, tick: Tick) -> str:
        """Write when it last ended."""
        return instant(tick.ran_at)
