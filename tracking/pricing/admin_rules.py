"""Price rules in the admin: added and ended, never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html_join

from budgets.core.clock import now
from budgets.core.errors import DomainError
from budgets.history.admin import HistoryAdmin
from budgets.http.admin import KeptAdmin, confirmation
from budgets.tenancy.search import OrganizationFilter
from tracking.pricing.models import PriceRule
from tracking.pricing.operations import add_rule, end_rule
from tracking.pricing.price_lines import write_lines
from tracking.pricing.rates import Rates
from tracking.pricing.rule_forms import PriceRuleForm


class RuleTimeFilter(admin.SimpleListFilter):
    """Tells rules that hold from those to come and those that have ended."""

    title = "time"
    parameter_name = "time"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the three."""
        return [("now", "In force"), ("later", "To come"), ("past", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rules of the chosen time."""
        at = now()
        is_open = Q(valid_to=None) | Q(valid_to__gt=at)
        times = {
            "now": is_open & Q(valid_from__lte=at),
            "later": is_open & Q(valid_from__gt=at),
            "past": Q(valid_to__lte=at),
        }
        return queryset.filter(times.get(self.value() or "", Q()))


@admin.register(PriceRule)
class PriceRuleAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Discounts, markups and rates of one's own: for the site, a plan or an organization."""

    form = PriceRuleForm
    list_display = ("owner", "models", "terms", "valid_from", "valid_to", "note")
    list_filter = (RuleTimeFilter, OrganizationFilter, "plan")
    list_select_related = ("organization", "plan")
    search_fields = ("organization__name", "plan__name", "model_pattern", "note")
    search_help_text = "Organization, plan, model or note."
    ordering = ("-pk",)
    actions = ["end_now"]
    autocomplete_fields = ("organization", "plan")
    add_fieldsets = (
        ("Whose", {"fields": (("organization", "plan"),), "description": "Neither: the site's."}),
        ("What", {"fields": ("model_pattern", "percent", "own_rates")}),
        ("When and why", {"fields": ("valid_from", "note")}),
    )
    fieldsets = (
        (None, {"fields": ("owner", "models", "terms", "rates_told", "valid_from", "valid_to")}),
        (None, {"fields": ("note", "created_at")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: PriceRule | None = None) -> Any:
        """Ask for a rule, or show one."""
        return self.fieldsets if obj else self.add_fieldsets

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> Any:
        """Ask with the form; show without it."""
        return super().get_form(request, obj, change, **(kwargs if obj is None else {"fields": ()}))

    def get_readonly_fields(
        self, request: HttpRequest, obj: PriceRule | None = None
    ) -> tuple[str, ...]:
        """Keep a rule as it is: receipts name it."""
        return (*self.fieldsets[0][1]["fields"], *self.fieldsets[1][1]["fields"]) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to change one rule; ending rules from the list needs the permission."""
        return obj is None and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: PriceRule, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Add the rule; it ends the one of the same owner and models that holds until then."""
        add_rule(rule=obj, now=now())

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Tell what the rule would break instead of failing."""
        try:
            return super().add_view(request, *args, **kwargs)
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)
            request.method = "GET"
            return super().add_view(request, *args, **kwargs)

    @admin.action(description="End them now", permissions=["change"])
    def end_now(
        self, request: HttpRequest, queryset: QuerySet[PriceRule]
    ) -> TemplateResponse | None:
        """End the chosen rules: calls from now on are charged by the next narrower or wider rule."""
        question = "End these price rules now?"
        asked = confirmation(
            request=request, page=self, rows=queryset, action="end_now", question=question
        )
        if asked is not None:
            return asked
        ended = [rule for rule in queryset if end_rule(rule=rule, at=now())]
        for rule in ended:
            self.log_change(request, rule, "Ended.")
        self.message_user(request, f"Ended: {len(ended)}.", messages.SUCCESS)
        return None

    @admin.display(description="for", ordering="organization__name")
    def owner(self, rule: PriceRule) -> str:
        """Name whose rule it is."""
        return rule.owner

    @admin.display(description="models", ordering="model_pattern")
    def models(self, rule: PriceRule) -> str:
        """Name the models."""
        return rule.model_pattern or "every model"

    @admin.display(description="change", ordering="factor")
    def terms(self, rule: PriceRule) -> str:
        """Write what it does to the list price."""
        return rule.terms

    @admin.display(description="own rates")
    def rates_told(self, rule: PriceRule) -> str:
        """Write the rates as they were stated."""
        if rule.rates is None:
            return "-"
        lines = write_lines(Rates.of_json(rule.rates).per_unit).splitlines()
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines))
