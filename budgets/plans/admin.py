"""Plans in the admin, with what they allow."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html_join

from budgets.history.admin import HistoryAdmin
from budgets.http.admin import KeptAdmin, save_changed
from budgets.http.cells import list_link
from budgets.limits.admin import AllowanceInline, put_budgets
from budgets.limits.models import Budget
from budgets.limits.words import rule
from budgets.plans.forms import PlanForm
from budgets.plans.models import Plan
from budgets.tenancy.models import Membership, Organization


@admin.register(Plan)
class PlanAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Tiers: their rules, and their allowances as rows below."""

    form = PlanForm
    list_display = (
        "name",
        "code",
        "allowances",
        "models",
        "output_caps",
        "organizations",
        "members",
    )
    search_fields = ("name", "code", "description")
    ordering = ("pk",)
    inlines = [AllowanceInline]
    prepopulated_fields = {"code": ("name",)}
    fieldsets = (
        (None, {"fields": (("name", "code"), "description")}),
        (
            "Calls",
            {
                "fields": (
                    "allowed_models",
                    ("default_output_tokens", "max_output_tokens"),
                    "fits_output",
                    "wait_for_room_ms",
                    "cache_ttl_s",
                    "features",
                ),
                "description": "A change of the allowances below takes effect at the next call "
                "of everyone on the plan; a change of these rules within a second.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        """Read the allowances and the number of those on each plan along."""
        plans: QuerySet[Plan] = super().get_queryset(request)
        active = Budget.objects.filter(active=True).order_by("pk")
        return plans.prefetch_related(
            Prefetch("budgets", queryset=active, to_attr="allowed")
        ).annotate(on_it=_number_of(Organization), own=_number_of(Membership))

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Plan | None = None
    ) -> dict[str, Any]:
        """Propose a code for a new plan; one that the API knows stays."""
        return {} if obj else dict(self.prepopulated_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        """Keep the code: the API knows the plan by it."""
        return ("code",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Save what was changed of the plan's own rules."""
        if change:
            save_changed(row=obj, form=form)
        else:
            obj.save()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Put the allowances."""
        put_budgets(formset)

    @admin.display(description="allowances")
    def allowances(self, plan: Any) -> str:
        """Say each active allowance in a line."""
        lines = ((rule(budget),) for budget in plan.allowed)
        return format_html_join("", "<div>{}</div>", lines) or "unlimited"

    @admin.display(description="models")
    def models(self, plan: Plan) -> str:
        """List the patterns of models that it lets through."""
        return ", ".join(plan.allowed_models) or "all"

    @admin.display(description="output cap")
    def output_caps(self, plan: Plan) -> str:
        """Say the default and the highest output cap, in tokens."""
        highest = plan.max_output_tokens
        most = "the model's own" if highest is None else f"{highest:,}"
        return f"{plan.default_output_tokens:,}, at most {most}"

    @admin.display(description="organizations", ordering="on_it")
    def organizations(self, plan: Any) -> str:
        """Count the organizations on it, and lead to them."""
        return list_link(Organization, plan.on_it, plan__id__exact=plan.pk)

    @admin.display(description="members of its own", ordering="own")
    def members(self, plan: Any) -> str:
        """Count the members who are on it by themselves, and lead to them."""
        return list_link(Membership, plan.own, plan__id__exact=plan.pk)


def _number_of(model: Any) -> Any:
    rows = model.objects.filter(plan=OuterRef("pk")).order_by().values("plan")
    return Coalesce(Subquery(rows.annotate(number=Count("pk")).values("number")), 0)
