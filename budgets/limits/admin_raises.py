"""Limits raised for a while, in the admin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.forms import BaseModelFormSet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from budgets.core.clock import now
from budgets.history.admin import HistoryAdmin
from budgets.holds.operations import end_raise, raise_limit
from budgets.http.admin import ReadOnlyAdmin, confirmation
from budgets.http.cells import instant
from budgets.limits.forms import RaiseForm
from budgets.limits.models import LimitRaise
from budgets.limits.targets import names_of
from budgets.limits.words import amount
from budgets.tenancy.models import User
from budgets.tenancy.search import OrganizationFilter


def make_raises(formset: BaseModelFormSet[LimitRaise, Any], *, by: User) -> None:
    """Raise the limits that a page's new rows ask for."""
    for wanted in formset.save(commit=False):
        wanted.made_by, wanted.made_at = by, now()
        raise_limit(limit_raise=wanted)


class RaiseInline(admin.TabularInline):  # type: ignore[type-arg]  # no generic when it runs
    """Raises of the page's budget: made here, never changed. The page makes them."""

    model = LimitRaise
    form = RaiseForm
    fields = ("amount", "starts_at", "ends_at", "reason", "organization", "subject", "made_by")
    readonly_fields = ("made_by",)
    autocomplete_fields = ("organization",)
    ordering = ("-pk",)
    extra = 1
    verbose_name = "raise for a while"
    verbose_name_plural = "raises for a while"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LimitRaise]:
        """Show what holds or is to come; the list of raises has them all."""
        raises: QuerySet[LimitRaise] = super().get_queryset(request)
        in_time = raises.filter(ends_at__gt=now())
        return in_time.select_related("budget", "organization", "made_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a raise is ended, and another one made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a raise is ended."""
        return False


class TimeFilter(admin.SimpleListFilter):
    """Tells raises that hold from those to come and those that have ended."""

    title = "time"
    parameter_name = "time"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the three."""
        return [("now", "In force"), ("later", "To come"), ("past", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the raises of the chosen time."""
        at = now()
        times = {
            "now": Q(starts_at__lte=at, ends_at__gt=at),
            "later": Q(starts_at__gt=at),
            "past": Q(ends_at__lte=at),
        }
        return queryset.filter(times.get(self.value() or "", Q()))


class RaiseList(ChangeList):
    """The list of raises, with the names of their subjects."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then all of its names at once."""
        super().get_results(request)
        _name_subjects(self.result_list)


@admin.register(LimitRaise)
class LimitRaiseAdmin(HistoryAdmin, ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Every raise that was made: for whom, from when, until when, why, by whom."""

    list_display = ("budget", "added", "whom", "starts", "ends", "reason", "made_by")
    list_filter = (TimeFilter, OrganizationFilter)
    list_select_related = ("budget", "organization", "made_by")
    list_per_page = 50
    search_fields = ("budget__name", "reason", "organization__name", "organization__slug")
    ordering = ("-pk",)
    actions = ["end"]
    fields = ("budget", "added", "whom", "starts", "ends", "reason", "made_by", "made")
    readonly_fields = fields

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """List raises with the names of their subjects."""
        return RaiseList

    def has_end_permission(self, request: Any) -> bool:
        """Let those end a raise who may change one."""
        return bool(request.user.has_perm("budgets.change_limitraise"))

    @admin.action(description="End now", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[LimitRaise]) -> TemplateResponse | None:
        """End the chosen raises, once it is confirmed; those to come are taken back."""
        question = "End these raises now? The limits are as before from the next call on."
        asked = confirmation(
            request=request, page=self, rows=queryset, action="end", question=question
        )
        if asked is None:
            for one in queryset:
                end_raise(limit_raise=one, now=now())
            self.message_user(request, "Ended.", messages.SUCCESS)
        return asked

    @admin.display(description="raised by", ordering="amount")
    def added(self, row: LimitRaise) -> str:
        """Write what is added, in the budget's unit."""
        return amount(row.amount, row.budget.unit)

    @admin.display(description="for")
    def whom(self, row: Any) -> str:
        """Say for whom; everyone under the budget unless somebody was named."""
        if not hasattr(row, "named"):
            _name_subjects([row])
        parts = [str(part) for part in (row.organization, row.named) if part]
        return ", ".join(parts) or "everyone under it"

    @admin.display(description="from (UTC)", ordering="starts_at")
    def starts(self, row: LimitRaise) -> str:
        """Write when it begins."""
        return instant(row.starts_at)

    @admin.display(description="until (UTC)", ordering="ends_at")
    def ends(self, row: LimitRaise) -> str:
        """Write when it ends."""
        return instant(row.ends_at)

    @admin.display(description="made at (UTC)")
    def made(self, row: LimitRaise) -> str:
        """Write when it was made."""
        return instant(row.made_at)


def _name_subjects(rows: Sequence[Any]) -> None:
    names = names_of(subjects=[(row.budget.each, row.subject) for row in rows])
    for row in rows:
        row.named = names[row.budget.each, row.subject]
