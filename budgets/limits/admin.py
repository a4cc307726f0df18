"""Budgets and balances in the admin. A budget is put, never just saved; balances are read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, Q, QuerySet
from django.forms import BaseModelFormSet
from django.http import HttpRequest

from budgets.core.money import format_usd
from budgets.holds.operations import put_budget
from budgets.http.admin import JournalAdmin, KeptAdmin
from budgets.http.cells import day, instant, page_link, share, usd
from budgets.limits.forms import AllowanceForm, BudgetForm
from budgets.limits.models import Balance, Budget
from budgets.limits.targets import names_of
from budgets.tenancy.models import User
from budgets.tenancy.search import OrganizationFilter, tenant_meant


def amount(value: Decimal, unit: str) -> str:
    """Write an amount in a budget's unit: dollars with all places in the title, or a count."""
    return usd(value) if unit == Budget.Unit.USD else f"{value.normalize():,f}"


def rule(budget: Budget) -> str:
    """Say what a budget allows: "$10.00 a month, each user"."""
    if budget.unit == Budget.Unit.USD:
        what = format_usd(budget.limit_amount)
    else:
        what = f"{budget.limit_amount.normalize():,f} {budget.get_unit_display()}"
    when = "" if budget.window == Budget.Window.TOTAL else f" a {budget.window}"
    total = " in total" if budget.window == "total" and budget.unit != Budget.Unit.IN_FLIGHT else ""
    each = f", {budget.get_each_display()}" if budget.each else ""
    return f"{what}{when}{total}{each}"


def whose(budget: Any) -> str:
    """Say whose calls count in a budget that name_targets() has been at."""
    kind: str = budget.get_scope_display()
    return f"{kind.removeprefix('one ')} {budget.target_name}" if budget.target else kind


def put_budgets(formset: BaseModelFormSet[Budget, Any]) -> None:
    """Put the budgets that a page's rows have made or changed."""
    for budget in formset.save(commit=False):
        put_budget(budget=budget)


class BudgetInline(KeptAdmin, admin.TabularInline):  # type: ignore[type-arg]  # no generic when it runs
    """The budgets of the page's plan or organization. The page puts them with put_budgets()."""

    model = Budget
    ordering = ("pk",)
    show_change_link = True

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        """Offer an empty row where there are none yet."""
        return 0 if obj is not None and obj.budgets.exists() else 1


class AllowanceInline(BudgetInline):
    """What a plan allows, to everyone on it."""

    form = AllowanceForm
    fields = (
        "name",
        "limit_amount",
        "unit",
        "window",
        "each",
        "model_pattern",
        "enforcement",
        "active",
    )
    verbose_name = "allowance"
    verbose_name_plural = "allowances"


class OrganizationBudgetInline(BudgetInline):
    """An organization's own budgets, beside what its plan allows."""

    form = BudgetForm
    fields = ("name", "limit_amount", "unit", "window", "each", "whose", "enforcement", "active")
    readonly_fields = ("whose",)
    verbose_name = "own budget"
    verbose_name_plural = "own budgets"

    @admin.display(description="for")
    def whose(self, budget: Any) -> str:
        """Say whose calls count; those of one member, project or key are chosen on its own page."""
        if not hasattr(budget, "target_name"):
            name_targets([budget])
        return whose(budget)


class OwnerFilter(admin.SimpleListFilter):
    """Tells the allowances of plans from the budgets of organizations."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the two."""
        return [("plan", "Allowances of plans"), ("organization", "Budgets of organizations")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the chosen kind."""
        owner = self.value()
        return queryset.filter(**{f"{owner}__isnull": False}) if owner else queryset


class BudgetList(ChangeList):
    """The list of budgets, with the names of those they are for."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then all of its names at once."""
        super().get_results(request)
        name_targets(self.result_list)


def name_targets(budgets: Sequence[Any]) -> None:
    """Add to budgets the names of their targets, as ``target_name``."""
    names = names_of(subjects=[(budget.scope, budget.target) for budget in budgets])
    for budget in budgets:
        budget.target_name = names[budget.scope, budget.target]


@admin.register(Budget)
class BudgetAdmin(KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Every limit, of plans and of organizations."""

    form = BudgetForm
    list_display = ("name", "owner", "allows", "applies_to", "enforcement", "active")
    list_filter = (OwnerFilter, "unit", "window", "enforcement", "active", OrganizationFilter)
    list_select_related = ("organization", "plan")
    list_per_page = 50
    search_fields = ("name", "organization__name", "organization__slug", "plan__name", "target")
    search_help_text = "Name of the budget, its organization or its plan."
    ordering = ("-pk",)
    autocomplete_fields = ("organization", "plan")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    ("organization", "plan"),
                    ("scope", "target"),
                    "each",
                    "model_pattern",
                )
            },
        ),
        (
            "Limit",
            {
                "fields": (
                    ("limit_amount", "unit", "window"),
                    ("enforcement", "thresholds"),
                    "active",
                ),
                "description": "A change takes effect at the next call. "
                "Unit, window and whom it is for stay as they were made.",
            },
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """List budgets with the names of their targets."""
        return BudgetList

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Put the budget: its open windows count what was spent in them."""
        put_budget(budget=obj)

    @admin.display(description="of", ordering="organization__name")
    def owner(self, budget: Budget) -> str:
        """Name the organization or plan."""
        owner = budget.organization or budget.plan
        return page_link(owner, owner) if owner else "-"

    @admin.display(description="allows", ordering="limit_amount")
    def allows(self, budget: Budget) -> str:
        """Say the limit, its unit and its window."""
        return rule(budget)

    @admin.display(description="for")
    def applies_to(self, budget: Any) -> str:
        """Say whose calls count, and of which models."""
        calls = whose(budget)
        return f"{calls}, {budget.model_pattern}" if budget.model_pattern else calls


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


def name_subjects(balances: Sequence[Any]) -> None:
    """Add to balances the names of their subjects, as ``named``; "all" where they share one."""
    names = names_of(subjects=[(row.budget.each, row.subject) for row in balances])
    for row in balances:
        row.named = names[row.budget.each, row.subject] or "all"


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
