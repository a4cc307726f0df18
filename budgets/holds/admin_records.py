"""Seals and idempotent names in the admin: to read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from budgets.holds.models import IdempotencyKey, Seal
from budgets.http.admin import JournalAdmin
from budgets.http.cells import instant
from budgets.tenancy.search import OrganizationFilter


@admin.register(Seal)
class SealAdmin(JournalAdmin):
    """Which hours of the journal are sealed."""

    list_display = ("hour_sealed", "organization", "entries", "sealed")
    list_filter = (OrganizationFilter,)
    list_select_related = ("organization",)
    fields = ("organization", "hour_sealed", "entries", "sealed", "hash_before", "hash_now")
    readonly_fields = fields

    @admin.display(description="hour from (UTC)")
    def hour_sealed(self, seal: Seal) -> str:
        """Write when the hour began."""
        return instant(seal.hour)

    @admin.display(description="sealed at (UTC)")
    def sealed(self, seal: Seal) -> str:
        """Write when it was sealed."""
        return instant(seal.sealed_at)

    @admin.display(description="hash before")
    def hash_before(self, seal: Seal) -> str:
        """Write the hash that this one goes on from."""
        return bytes(seal.previous).hex() or "-"

    @admin.display(description="hash")
    def hash_now(self, seal: Seal) -> str:
        """Write the hash over the hour and the one before it."""
        return bytes(seal.digest).hex()


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(JournalAdmin):
    """Names that callers gave to requests today."""

    list_display = ("name", "api_key", "request_id", "claimed")
    list_select_related = ("api_key",)
    search_fields = ("name",)
    search_help_text = "The whole name, or a request id."
    fields = ("name", "api_key", "request_id", "claimed")
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by one whole term."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(_meant(term)), False

    @admin.display(description="claimed at (UTC)")
    def claimed(self, row: IdempotencyKey) -> str:
        """Write when it was first used."""
        return instant(row.claimed_at)


def _meant(term: str) -> Q:
    try:
        return Q(name=term) | Q(request_id=UUID(term))
    except ValueError:
        return Q(name=term)
