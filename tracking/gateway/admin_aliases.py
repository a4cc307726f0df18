"""Aliases and the health of routes in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from budgets.history.admin import HistoryAdmin
from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant
from tracking.gateway.admin import SiteFilter
from tracking.gateway.connections import check_targets, put_alias
from tracking.gateway.models import Alias, AliasTarget, RouteEdition, RouteHealth


class TargetFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]  # no generic when it runs
    """What an alias stands for; nothing is saved by it: the page hands all rows to an operation."""

    def clean(self) -> None:
        """Refuse targets that the alias's owner could not call."""
        super().clean()
        if not any(self.errors):
            check_targets(alias=self.instance, targets=self.rows())

    def rows(self) -> list[AliasTarget]:
        """Give the targets that stay or are new."""
        return [
            form.instance
            for form in self.forms
            if form.has_changed() or form.instance.pk
            if not form.cleaned_data.get("DELETE")
        ]


class TargetInline(admin.TabularInline):  # type: ignore[type-arg]  # no generic when it runs
    """The targets of the page's alias."""

    model = AliasTarget
    formset = TargetFormSet
    fields = ("position", "weight", "model", "provider", "name_at_provider")
    autocomplete_fields = ("model", "provider")
    ordering = ("position", "pk")
    extra = 0
    min_num = 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[AliasTarget]:
        """Read what names a target along."""
        rows: QuerySet[AliasTarget] = super().get_queryset(request)
        return rows.select_related("model", "provider")


@admin.register(Alias)
class AliasAdmin(HistoryAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Names that clients send, and the models that they stand for."""

    inlines = (TargetInline,)
    list_display = ("name", "owner", "stands_for", "on_failure", "on_budget", "active")
    list_filter = ("active", SiteFilter)
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name", "organization__slug", "targets__model__name")
    search_help_text = "Name, organization, or a model that it stands for."
    ordering = ("name", "pk")
    autocomplete_fields = ("organization",)
    fieldsets = (
        (None, {"fields": (("name", "organization"), "active")}),
        ("The next model is called", {"fields": ("falls_back_on_failure", "falls_back_on_budget")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alias]:
        """Read the targets along."""
        targets = AliasTarget.objects.select_related("model").order_by("position", "pk")
        rows: QuerySet[Alias] = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("targets", targets))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Alias | None = None
    ) -> tuple[str, ...]:
        """Keep the owner, whose keys the targets may name."""
        return ("organization",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Alias, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Leave it to save_related(): an alias is saved with what it stands for, or not at all."""

    def save_related(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        change: bool,  # noqa: FBT001  Django's signature
    ) -> None:
        """Save the alias with all its targets."""
        put_alias(alias=form.instance, targets=[row for part in formsets for row in part.rows()])
        for part in formsets:
            part.new_objects, part.changed_objects, part.deleted_objects = [], [], []

    @admin.display(description="of", ordering="organization__name")
    def owner(self, alias: Alias) -> str:
        """Name the organization, or the site."""
        return str(alias.organization or "the site")

    @admin.display(description="stands for")
    def stands_for(self, alias: Alias) -> str:
        """Name its models in their order."""
        return " > ".join(target.model.name for target in alias.targets.all())

    @admin.display(description="falls back on failure", boolean=True)
    def on_failure(self, alias: Alias) -> bool:
        """Tell whether a failure leads to the next model."""
        return alias.falls_back_on_failure

    @admin.display(description="on budget", boolean=True)
    def on_budget(self, alias: Alias) -> bool:
        """Tell whether a budget leads to the next model."""
        return alias.falls_back_on_budget


@admin.register(RouteHealth)
class RouteHealthAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Models that have failed with a key of late, and whether they are left alone for that."""

    list_display = ("model", "provider", "of", "failures", "code", "failed", "cools", "recovered")
    list_filter = ("code",)
    list_select_related = ("provider__organization",)
    search_fields = ("model", "provider__name", "provider__label")
    ordering = ("-failed_at", "-pk")
    sortable_by = ()

    @admin.display(description="of")
    def of(self, health: RouteHealth) -> str:
        """Name whose key it is."""
        return str(health.provider.organization or "the site")

    @admin.display(description="last failed (UTC)")
    def failed(self, health: RouteHealth) -> str:
        """Write when it failed last."""
        return instant(health.failed_at)

    @admin.display(description="left alone until (UTC)")
    def cools(self, health: RouteHealth) -> str:
        """Write how long it is left alone."""
        return instant(health.cools_until)

    @admin.display(description="worked again (UTC)")
    def recovered(self, health: RouteHealth) -> str:
        """Write when it was answered again."""
        return instant(health.recovered_at)


@admin.register(RouteEdition)
class RouteEditionAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """The number that tells processes to read providers and aliases anew."""

    list_display = ("number",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Keep it off the index: nobody needs it there."""
        return False
