"""Holds and the journal in the admin: to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from budgets.core.clock import now
from budgets.holds.admin_adjust import AdjustingAdmin
from budgets.holds.models import Hold, JournalEntry
from budgets.http.admin import JournalAdmin
from budgets.http.cells import instant, page_link, table, usd
from budgets.limits.models import Balance
from budgets.limits.words import amount, name_subjects
from budgets.tenancy.search import OrganizationFilter, caller_meant, request_meant, tenant_meant


class CallAdmin(JournalAdmin):
    """What holds and journal entries have in common: a caller, a model, balances."""

    list_select_related = ("organization", "project", "user", "api_key")
    search_fields = ("request_id",)
    search_help_text = (
        "Request id, organization, user's e-mail address, name of an API key or id in it, or model."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by one whole term; what it means is looked up in small tables first."""
        term = search_term.strip()
        if not term:
            return queryset, False
        meant = (
            request_meant(term=term)
            or tenant_meant(term=term)
            or caller_meant(term=term)
            or Q(model=term)
        )
        return queryset.filter(meant), False

    @admin.display(description="admitted at (UTC)")
    def admitted(self, row: Any) -> str:
        """Write when the call was admitted."""
        return instant(row.admitted_at)

    @admin.display(description="amount")
    def amount(self, row: Any) -> str:
        """Write the amount."""
        return usd(row.amount_usd)

    @admin.display(description="project")
    def project_name(self, row: Any) -> str:
        """Name the project without its organization, which stands beside it."""
        return str(row.project.name)

    @admin.display(description="API key")
    def key_name(self, row: Any) -> str:
        """Name the key."""
        return str(row.api_key.name)

    @admin.display(description="tags")
    def tag_list(self, row: Any) -> str:
        """List the tags."""
        return ", ".join(row.tags) or "-"

    @admin.display(description="balances")
    def balances(self, row: Any) -> str:
        """List the balances that it counts in."""
        rows = (
            Balance.objects.for_organization(row.organization)
            .filter(pk__in=row.balance_ids)
            .select_related("budget", "organization")
            .order_by("rank", "unit", "pk")
        )
        balances: list[Any] = list(rows)
        name_subjects(balances)
        return table(
            head=("Budget", "Of", "Window from (UTC)", "Limit", "Spent", "Held"),
            rows=[
                (
                    page_link(balance, balance.budget),
                    balance.named,
                    instant(balance.window_start),
                    amount(balance.limit_amount, balance.unit),
                    amount(balance.spent, balance.unit),
                    amount(balance.held, balance.unit),
                )
                for balance in balances
            ],
        )


@admin.register(Hold)
class HoldAdmin(CallAdmin):
    """Calls that are under way, and what is held for them."""

    list_display = (
        "admitted",
        "organization",
        "user",
        "model",
        "amount",
        "expires",
        "is_overdue",
    )
    list_filter = (OrganizationFilter,)
    fields = (
        "request_id",
        "organization",
        "project_name",
        "user",
        "key_name",
        "model",
        "amount",
        "tokens",
        "admitted",
        "expires",
        "is_overdue",
        "tag_list",
        "balances",
    )
    readonly_fields = (
        "project_name",
        "key_name",
        "amount",
        "admitted",
        "expires",
        "is_overdue",
        "tag_list",
        "balances",
    )

    @admin.display(description="expires at (UTC)")
    def expires(self, row: Hold) -> str:
        """Write when it is charged as an estimate, unless the call has ended by then."""
        return instant(row.expires_at)

    @admin.display(description="overdue", boolean=True)
    def is_overdue(self, row: Hold) -> bool:
        """Tell whether the sweeper should have taken it already."""
        return row.expires_at <= now()


class ConfirmationFilter(admin.SimpleListFilter):
    """Finds estimates that nothing has confirmed yet."""

    title = "estimates"
    parameter_name = "estimate"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the estimates that stand and those that were corrected."""
        return [("unconfirmed", "Unconfirmed"), ("corrected", "Corrected since")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the estimates of the chosen kind."""
        if self.value() not in ("unconfirmed", "corrected"):
            return queryset
        later = JournalEntry.objects.filter(
            organization=OuterRef("organization"),
            request_id=OuterRef("request_id"),
            seq__gt=OuterRef("seq"),
        )
        corrected = Exists(later)
        estimates = queryset.filter(kind=JournalEntry.Kind.ESTIMATE)
        return estimates.filter(corrected if self.value() == "corrected" else ~corrected)


@admin.register(JournalEntry)
class JournalEntryAdmin(AdjustingAdmin, CallAdmin):
    """Every amount that was ever booked."""

    list_display = (
        "admitted",
        "organization",
        "user",
        "model",
        "kind",
        "amount",
        "held",
    )
    list_filter = (ConfirmationFilter, "kind", "admitted_at", OrganizationFilter)
    fields = (
        "request_id",
        "kind",
        "amount",
        "held",
        "tokens",
        "organization",
        "project_name",
        "user",
        "key_name",
        "model",
        "tag_list",
        "admitted",
        "booked",
        "reason",
        "actor",
        "entries",
        "balances",
    )
    readonly_fields = (
        "project_name",
        "key_name",
        "amount",
        "held",
        "admitted",
        "booked",
        "tag_list",
        "entries",
        "balances",
    )

    @admin.display(description="held")
    def held(self, row: JournalEntry) -> str:
        """Write what was held for the call."""
        return usd(row.held_usd)

    @admin.display(description="booked at (UTC)")
    def booked(self, row: JournalEntry) -> str:
        """Write when it was booked."""
        return instant(row.booked_at)

    @admin.display(description="all entries of the request")
    def entries(self, row: JournalEntry) -> str:
        """List what was booked under the same request id."""
        return entries_of(row)


def entries_of(row: Any) -> str:
    """Write the journal entries under a row's request id as a table."""
    entries = JournalEntry.objects.for_organization(row.organization).filter(
        request_id=row.request_id
    )
    return table(
        head=("Entry", "Kind", "Held", "Amount", "Tokens", "Booked at (UTC)", "By", "Reason"),
        rows=[
            (
                page_link(entry, entry.seq),
                entry.get_kind_display(),
                usd(entry.held_usd),
                usd(entry.amount_usd),
                f"{entry.tokens:,}",
                instant(entry.booked_at),
                entry.actor or "-",
                entry.reason or "-",
            )
            for entry in entries.select_related("actor").order_by("seq")
        ],
    )
