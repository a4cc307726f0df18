"""Budgets in the admin. A budget is put, never just saved."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms import BaseModelFormSet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from budgets.history.admin import HistoryAdmin
from budgets.holds.operations import put_budget, retire_budget
from budgets.http.admin import KeptAdmin, confirmation
from budgets.http.cells import list_link, page_link
from budgets.limits.admin_raises import RaiseInline, make_raises
from budgets.limits.forms import AllowanceForm, BudgetForm
from budgets.limits.models import Balance, Budget
from budgets.limits.words import name_targets, rule, whose
from budgets.tenancy.search import OrganizationFilter


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
        "rolling_days",
        "each",
        "enforcement",
        "active",
    )
    verbose_name = "allowance"
    verbose_name_plural = "allowances"


class OrganizationBudgetInline(BudgetInline):
    """An organization's own budgets, beside what its plan allows."""

    form = BudgetForm
    fields = ("name", "limit_amount", "unit", "window", "rolling_days", "each", "whose", "active")
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


@admin.register(Budget)
class BudgetAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
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
    actions = ["retire"]
    readonly_fields = ("owner", "applies_to", "allows", "balances")
    fieldsets = (
        (None, {"fields": ("name", "owner", "applies_to", "allows", "balances")}),
        (
            "Limit",
            {
                "fields": ("limit_amount", ("enforcement", "thresholds"), "active"),
                "description": "A change takes effect at the next call. What is counted, in which "
                "windows and for whom stays: make another budget and switch this one off.",
            },
        ),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    ("organization", "plan"),
                    ("scope", "target"),
                    "each",
                    "model_pattern",
                ),
                "description": "A budget belongs to an organization, or to a plan and so to "
                "everyone on it.",
            },
        ),
        (
            "Limit",
            {
                "fields": (
                    ("limit_amount", "unit", "window", "rolling_days"),
                    ("enforcement", "thresholds"),
                    "active",
                )
            },
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """List budgets with the names of their targets."""
        return BudgetList

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        """Ask for what is counted only when a budget is made."""
        return self.fieldsets if obj else self.add_fieldsets

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Put the budget: its open windows count what was spent in them."""
        put_budget(budget=obj)

    def get_inlines(self, request: HttpRequest, obj: Budget | None = None) -> list[Any]:
        """Offer to raise the limit of a budget that there is."""
        return [RaiseInline] if obj else []

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Raise the limit for a while."""
        make_raises(formset, by=request.user)

    @admin.action(description="Retire: no call falls under it any more", permissions=["change"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Budget]) -> TemplateResponse | None:
        """Take the chosen budgets out of force, once it is confirmed."""
        question = "Retire these budgets? The next calls do not fall under them any more."
        asked = confirmation(
            request=request, page=self, rows=queryset, action="retire", question=question
        )
        if asked is None:
            for budget in queryset.filter(active=True):
                retire_budget(budget=budget)
                self.log_change(request, budget, "Retired.")
            self.message_user(request, "Retired. Their history stays.", messages.SUCCESS)
        return asked

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
        if not hasattr(budget, "target_name"):
            name_targets([budget])
        calls = whose(budget)
        return f"{calls}, {budget.model_pattern}" if budget.model_pattern else calls

    @admin.display(description="balances")
    def balances(self, budget: Budget) -> str:
        """Lead to what is spent and held of it."""
        return list_link(Balance, "show them", budget__id__exact=budget.pk)
