"""Providers in the admin. A provider's key is written here, and cannot be read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import BooleanField, Case, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters

from budgets.core.clock import now
from budgets.history.admin import HistoryAdmin
from budgets.http.admin import confirmation
from budgets.http.cells import instant, table
from budgets.tenancy.search import OrganizationFilter
from tracking.gateway.connections import put_provider, set_provider_active, set_provider_key
from tracking.gateway.forms import ProviderForm
from tracking.gateway.models import Provider, RouteHealth
from tracking.gateway.trials import try_provider

_TIMEOUTS: tuple[str, Any] = (
    "Timeouts",
    {
        "classes": ("collapse",),
        "fields": (
            ("connect_timeout_s", "first_byte_timeout_s"),
            ("idle_timeout_s", "total_timeout_s"),
        ),
    },
)


class SiteFilter(OrganizationFilter):
    """Keeps the site's own providers, or one organization's."""

    title = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the site beside the organizations."""
        return [(":site", "The site"), *super().lookups(request, model_admin)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the providers of the chosen owner."""
        if self.value() == ":site":
            return queryset.filter(organization=None)
        return super().queryset(request, queryset)


@admin.register(Provider)
class ProviderAdmin(HistoryAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Where calls are sent, and whether there is a key to send them with."""

    form = ProviderForm
    list_display = (
        "name",
        "label",
        "owner",
        "kind",
        "base_url",
        "door",
        "stored_key",
        "weight",
        "health_told",
        "active",
    )
    list_filter = ("kind", "active", SiteFilter)
    list_select_related = ("organization",)
    search_fields = ("name", "label", "organization__name", "organization__slug", "base_url")
    ordering = ("name", "label", "pk")
    autocomplete_fields = ("organization",)
    actions = ["switch_on", "switch_off", "test"]
    fieldsets = (
        (
            None,
            {"fields": ("name", "label", "owner", "kind", "base_url", "door", "weight", "active")},
        ),
        ("API key", {"fields": ("stored_key", "key", "removes_key")}),
        ("Health", {"fields": ("failures",)}),
        _TIMEOUTS,
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "label",
                    "organization",
                    "kind",
                    "base_url",
                    "door",
                    "weight",
                    "active",
                )
            },
        ),
        ("API key", {"fields": ("key",)}),
        _TIMEOUTS,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        """Read whether there is a key, not the key."""
        rows: QuerySet[Provider] = super().get_queryset(request)
        has_key = Case(When(sealed_key=b"", then=False), default=True, output_field=BooleanField())
        return rows.defer("sealed_key").annotate(has_key=has_key).prefetch_related("health")

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        """Offer to remove a key only where there can be one."""
        return self.fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> tuple[str, ...]:
        """Keep the name and the owner: the stored key opens for these alone."""
        return ("name", "owner", "stored_key", "failures") if obj else ()

    @method_decorator(sensitive_post_parameters("key"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Keep the key out of error reports."""
        return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Connect the provider; its key changes only if the form says so."""
        put_provider(provider=obj, key=form.cleaned_data["key"])
        if form.cleaned_data.get("removes_key"):
            set_provider_key(provider=obj, key="")

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        """Send calls to the chosen providers."""
        self._switch(request, queryset, active=True)

    @admin.action(description="Switch off: send no calls there", permissions=["change"])
    def switch_off(
        self, request: HttpRequest, queryset: QuerySet[Provider]
    ) -> TemplateResponse | None:
        """Send no calls to the chosen providers, once it is confirmed."""
        question = "Send no more calls to these providers?"
        asked = confirmation(
            request=request, page=self, rows=queryset, action="switch_off", question=question
        )
        if asked is None:
            self._switch(request, queryset, active=False)
        return asked

    @admin.action(description="Test: list models, or make one small call", permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[Provider]) -> TemplateResponse | None:
        """Try the chosen providers with their keys, once it is confirmed, and tell what was seen."""
        question = "Try these providers now? Some bill a call of a few tokens for it."
        asked = confirmation(
            request=request, page=self, rows=queryset, action="test", question=question
        )
        if asked is None:
            for provider in queryset:
                trial = try_provider(provider=provider, now=now())
                level = messages.SUCCESS if trial.works else messages.ERROR
                self.message_user(request, f"{provider}: {trial.seen}", level)
                self.log_change(request, provider, f"Tested: {trial.seen}")
        return asked

    def _switch(self, request: HttpRequest, queryset: QuerySet[Provider], *, active: bool) -> None:
        done = "Switched on." if active else "Switched off."
        for provider in queryset:
            set_provider_active(provider=provider, active=active)
            self.log_change(request, provider, done)
        self.message_user(request, done, messages.SUCCESS)

    @admin.display(description="of", ordering="organization__name")
    def owner(self, provider: Provider) -> str:
        """Name the organization, or the site."""
        return str(provider.organization or "the site")

    @admin.display(description="health")
    def health_told(self, provider: Provider) -> str:
        """Tell how its models do: how many are left alone, or when one failed last."""
        failing = [row for row in provider.health.all() if row.recovered_at is None]
        cooling = [row for row in failing if row.cools_until and row.cools_until > now()]
        if cooling:
            return format_html(
                "{} left alone until {}", len(cooling), instant(max(map(_cools_until, cooling)))
            )
        if failing:
            last = max(failing, key=lambda row: row.failed_at)
            return format_html("failed {}: {}", instant(last.failed_at), last.code)
        return "well"

    @admin.display(description="models that failed")
    def failures(self, provider: Provider) -> str:
        """List the models that have failed with its key."""
        return table(
            head=("model", "in a row", "last failure", "at", "left alone until", "worked again"),
            rows=(
                (
                    row.model,
                    row.failures,
                    row.code,
                    instant(row.failed_at),
                    instant(row.cools_until),
                    instant(row.recovered_at),
                )
                for row in sorted(provider.health.all(), key=lambda row: row.model)
            ),
        )

    @admin.display(description="stored key", ordering="has_key")
    def stored_key(self, provider: Any) -> str:
        """Tell whether a key is stored."""
        return "set" if provider.has_key else "none"


def _cools_until(health: RouteHealth) -> datetime:
    assert health.cools_until is not None
    return health.cools_until
