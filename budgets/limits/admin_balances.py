"""Balances in the admin: to read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest

from budgets.http.admin import JournalAdmin
from budgets.http.cells import day, instant, share
from budgets.limits.models import Balance
from budgets.limits.words import amount, name_subjects
from budgets.tenancy.models import User
from budgets.tenancy.search import OrganizationFilter, tenant_meant


class UseFilter(admin.SimpleListFilter):
    """Finds balances that are nearly or wholly used up."""

    title = "use"
    parameter_name = "use"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer shares of the limit."""
        return [("0.5", "Half and more"), ("0.8", "80 % and more"), ("1", "Used up")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep balances of which at least the chosen share is spent or held."""
        least = self.value()
        if least not in ("0.5", "0.8", "1"):
            return queryset
        return queryset.filter(spent__gte=F("limit_amount") * Decimal(least) - F("held"))


@admin.register(Balance)
class BalanceAdmin(JournalAdmin):
    """What is spent and held of every budget, in every window."""

    list_display = (
        "day",
        "budget",
        "organization_and_subject",
        "limit",
        "spent_now",
        "held_now",
        "used",
    )
    list_display_links = ("day", "budget")
    list_filter = (
        UseFilter,
        ("budget__unit", admin.ChoicesFieldListFilter),
        ("budget__window", admin.ChoicesFieldListFilter),
        "window_start",
        OrganizationFilter,
    )
    list_select_related = ("organization", "budget")
    search_fields = ("organization",)
    search_help_text = "Name of an organization or a budget, or a user's e-mail address."
    fields = (
        "organization",
        "budget",
        "subject_name",
        "window",
        "limit",
        "spent_now",
        "held_now",
        "left",
        "excess_now",
        "opening_now",
        "used",
        "blocks",
    )
    readonly_fields = fields

    def complete(self, rows: Sequence[Any]) -> None:
        """Name the subjects of a page of balances."""
        name_subjects(rows)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by whole words that are looked up in small tables first."""
        term = search_term.strip()
        if not term:
            return queryset, False
        meant = tenant_meant(term=term) or self._user_meant(term) or Q(budget__name__icontains=term)
        return queryset.filter(meant), False

    @admin.display(description="window from (UTC)")
    def window(self, balance: Balance) -> str:
        """Write when the window began."""
        return instant(balance.window_start)

    @admin.display(description="window from")
    def day(self, balance: Balance) -> str:
        """Write the day on which the window began."""
        return day(balance.window_start)

    @admin.display(description="of")
    def organization_and_subject(self, balance: Any) -> str:
        """Name the organization, and whose balance it is in it."""
        return f"{balance.organization}: {self.subject_name(balance)}"

    @admin.display(description="of")
    def subject_name(self, balance: Any) -> str:
        """Name whose balance it is, where each has one."""
        if not hasattr(balance, "named"):
            name_subjects([balance])
        return str(balance.named)

    @admin.display(description="limit")
    def limit(self, balance: Balance) -> str:
        """Write the limit as of the last hold."""
        return amount(balance.limit_amount, balance.unit)

    @admin.display(description="spent")
    def spent_now(self, balance: Balance) -> str:
        """Write what is spent."""
        return amount(balance.spent, balance.unit)

    @admin.display(description="held")
    def held_now(self, balance: Balance) -> str:
        """Write what calls under way hold."""
        return amount(balance.held, balance.unit)

    @admin.display(description="left")
    def left(self, balance: Balance) -> str:
        """Write what a call could still hold."""
        return amount(
            max(balance.limit_amount - balance.spent - balance.held, Decimal(0)), balance.unit
        )

    @admin.display(description="over the limit")
    def excess_now(self, balance: Balance) -> str:
        """Write what went over the limit all the same."""
        return amount(balance.excess, balance.unit)

    @admin.display(description="counted in at the opening")
    def opening_now(self, balance: Balance) -> str:
        """Write what was spent before the balance was opened, in the same window."""
        return amount(balance.opening, balance.unit)

    @admin.display(description="used")
    def used(self, balance: Balance) -> str:
        """Draw the share that is spent or held."""
        return share(balance.spent + balance.held, balance.limit_amount)

    def _user_meant(self, term: str) -> Q | None:
        ids = User.objects.filter(email__iexact=term).values_list("pk", flat=True)
        return Q(budget__each="user", subject__in=[str(pk) for pk in ids]) if ids else None
