"""The catalogue and its prices in the admin. Prices are published, never edited."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from budgets.core.clock import now
from budgets.core.errors import DomainError
from budgets.http.admin import KeptAdmin, ReadOnlyAdmin
from budgets.tenancy.models import User
from tracking.pricing.forms import CatalogModelForm
from tracking.pricing.models import CatalogModel, Price, PriceBookEdition
from tracking.pricing.modes import free_rates
from tracking.pricing.operations import Publication, list_own_model, publish_price, set_callable
from tracking.pricing.queries import price_book
from tracking.pricing.rates import per_million, rate_text


def usd_per_million(rates: dict[str, Any] | None, kind: str) -> str:
    """Write one standard rate of a stored price as USD per million tokens; a dash if it has none."""
    text = rates["per_unit"].get(kind) if rates else None
    return "-" if text is None else f"${rate_text(per_million(Decimal(text)))}"


def _publisher(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


class PricedFilter(admin.SimpleListFilter):
    """Tells models that can be called from those that nobody has priced."""

    title = "price"
    parameter_name = "priced"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the two kinds."""
        return [("yes", "Priced"), ("no", "Not priced")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the models of the chosen kind, by whether the price now prices their mode's calls."""
        if self.value() is None:
            return queryset
        at = now()
        priced = [model.model_id for model in price_book(at=at).priced_at(at)]
        return (
            queryset.filter(pk__in=priced)
            if self.value() == "yes"
            else queryset.exclude(pk__in=priced)
        )


class PriceHistory(ReadOnlyAdmin, admin.TabularInline):  # type: ignore[type-arg]  # no generic when it runs
    """All versions of a model's price, the newest first."""

    model = Price
    ordering = ("-version",)
    fields = (
        "version",
        "input",
        "cached_input",
        "output",
        "valid_from",
        "valid_to",
        "source",
        "published_by",
        "note",
    )
    readonly_fields = fields
    verbose_name_plural = "price history, USD per million tokens"

    @admin.display(description="input")
    def input(self, price: Price) -> str:
        """Write the input rate."""
        return usd_per_million(price.rates, "input")

    @admin.display(description="cached input")
    def cached_input(self, price: Price) -> str:
        """Write the rate of input read from a cache."""
        return usd_per_million(price.rates, "cached_input")

    @admin.display(description="output")
    def output(self, price: Price) -> str:
        """Write the output rate."""
        return usd_per_million(price.rates, "output")


@admin.register(CatalogModel)
class CatalogModelAdmin(KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Models that calls can name, with their price now."""

    form = CatalogModelForm
    inlines = [PriceHistory]
    list_display = (
        "name",
        "provider",
        "mode",
        "input_price",
        "cached_input_price",
        "output_price",
        "price_source",
        "active",
    )
    list_filter = (PricedFilter, "active", "origin", "mode")
    search_fields = ("name", "provider")
    search_help_text = "Name or provider."
    ordering = ("name",)
    list_per_page = 50
    actions = ["state_free", "allow_calls", "stop_calls"]
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    ("provider", "mode"),
                    ("context_window", "max_output_tokens"),
                    "capabilities",
                    "active",
                    ("origin", "listed_at", "unlisted_at", "deprecated_on"),
                )
            },
        ),
        ("Price", {"fields": ("price", "valid_from", "note")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogModel]:
        """Read the price in force along with each model."""
        listed: QuerySet[CatalogModel] = super().get_queryset(request)
        price = Price.objects.in_force(now()).filter(model=OuterRef("pk"))
        return listed.annotate(
            rates_now=Subquery(price.values("rates")[:1]),
            source_now=Subquery(price.values("source")[:1]),
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: CatalogModel | None = None
    ) -> tuple[str, ...]:
        """Leave to the catalogue what it will correct again at its next import."""
        listed = ("origin", "listed_at", "unlisted_at", "deprecated_on")
        if obj is None or obj.origin == CatalogModel.Origin.OWN:
            return listed
        return (
            "name",
            "provider",
            "mode",
            "context_window",
            "max_output_tokens",
            "capabilities",
            *listed,
        )

    def save_model(self, request: HttpRequest, obj: CatalogModel, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Save the model, and publish its price if its lines were changed."""
        at = now()
        if change:
            super().save_model(request, obj, form, change)
        else:
            list_own_model(model=obj, now=at)
        rates = form.cleaned_data["price"]
        if rates is None or (form.last and rates == form.last):
            return
        publication = Publication(
            source=Price.Source.STATED,
            at=at,
            by=_publisher(request),
            note=form.cleaned_data["note"],
        )
        try:
            publish_price(
                model=obj,
                rates=rates,
                publication=publication,
                valid_from=form.cleaned_data["valid_from"],
            )
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)

    @admin.action(description="Allow at a stated price of zero")
    def state_free(self, request: HttpRequest, queryset: QuerySet[CatalogModel]) -> None:
        """Publish a price of zero for the chosen models: free because somebody says so."""
        publication = Publication(
            source=Price.Source.STATED, at=now(), by=_publisher(request), note="free of charge"
        )
        for model in queryset:
            publish_price(model=model, rates=free_rates(model.mode), publication=publication)

    @admin.action(description="Let calls name them")
    def allow_calls(self, request: HttpRequest, queryset: QuerySet[CatalogModel]) -> None:
        """Switch the chosen models on."""
        set_callable(models=queryset, active=True)

    @admin.action(description="Stop calls to them")
    def stop_calls(self, request: HttpRequest, queryset: QuerySet[CatalogModel]) -> None:
        """Switch the chosen models off."""
        set_callable(models=queryset, active=False)

    @admin.display(description="input $/M")
    def input_price(self, model: Any) -> str:
        """Write the input rate now."""
        return usd_per_million(model.rates_now, "input")

    @admin.display(description="cached $/M")
    def cached_input_price(self, model: Any) -> str:
        """Write the rate now of input read from a cache."""
        return usd_per_million(model.rates_now, "cached_input")

    @admin.display(description="output $/M")
    def output_price(self, model: Any) -> str:
        """Write the output rate now."""
        return usd_per_million(model.rates_now, "output")

    @admin.display(description="price", ordering="source_now")
    def price_source(self, model: Any) -> str:
        """Say where the price now comes from."""
        return Price.Source(model.source_now).label if model.source_now else "not priced"


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Every published version, of all models."""

    list_display = (
        "model",
        "version",
        "input",
        "output",
        "valid_from",
        "valid_to",
        "source",
        "published_by",
        "note",
    )
    list_filter = ("source", "valid_from")
    search_fields = ("model__name", "note")
    list_select_related = ("model", "published_by")
    date_hierarchy = "valid_from"
    ordering = ("-id",)

    @admin.display(description="input $/M")
    def input(self, price: Price) -> str:
        """Write the input rate."""
        return usd_per_million(price.rates, "input")

    @admin.display(description="output $/M")
    def output(self, price: Price) -> str:
        """Write the output rate."""
        return usd_per_million(price.rates, "output")


@admin.register(PriceBookEdition)
class PriceBookEditionAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """The number that tells processes to read prices anew."""

    list_display = ("number",)
