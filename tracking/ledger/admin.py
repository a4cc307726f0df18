"""Cost records in the admin: to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from budgets.core.money import usd_text
from budgets.holds.admin import entries_of
from budgets.http.admin import JournalAdmin
from budgets.http.cells import instant, page_link, table, usd
from budgets.tenancy.search import OrganizationFilter, request_meant, tenant_meant
from tracking.ledger.models import CostRecord


@admin.register(CostRecord)
class CostRecordAdmin(JournalAdmin):
    """What every attempt at a provider was, and the lines that add up to its cost."""

    list_display = (
        "started",
        "organization",
        "model",
        "outcome",
        "input",
        "output",
        "cost",
        "took",
    )
    list_filter = (
        "outcome",
        "usage_source",
        "is_streamed",
        "is_fitted",
        "started_at",
        OrganizationFilter,
    )
    list_select_related = ("organization",)
    search_fields = ("request_id",)
    search_help_text = "Request id, organization or model."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "request_id",
                    "organization",
                    "model",
                    "outcome",
                    "started",
                    "price_version",
                    "charged_lines",
                    "cost",
                    "entries",
                    "attempts",
                )
            },
        ),
        (
            "Call",
            {
                "fields": (
                    "endpoint",
                    "asked_model",
                    "provider",
                    "status",
                    "error_code",
                    "finish_reason",
                    "streamed",
                    "took",
                    "first_byte",
                )
            },
        ),
        (
            "Tokens",
            {
                "fields": (
                    "usage_source",
                    "input_tokens",
                    "cached_input_tokens",
                    "cache_write_tokens",
                    "output_tokens",
                    "reasoning_tokens",
                    "output_cap",
                )
            },
        ),
        (
            "Attribution",
            {"fields": ("tag_list", "given", "end_user", "session", "provider_request_id")},
        ),
    )
    readonly_fields = (
        "started",
        "took",
        "first_byte",
        "streamed",
        "output_cap",
        "price_version",
        "charged_lines",
        "cost",
        "entries",
        "attempts",
        "tag_list",
        "given",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by one whole term; what it means is looked up in small tables first."""
        term = search_term.strip()
        if not term:
            return queryset, False
        is_model = Q(model=term) | Q(asked_model=term)
        return queryset.filter(
            request_meant(term=term) or tenant_meant(term=term) or is_model
        ), False

    @admin.display(description="started at (UTC)")
    def started(self, record: CostRecord) -> str:
        """Write when the attempt began."""
        return instant(record.started_at)

    @admin.display(description="in")
    def input(self, record: CostRecord) -> str:
        """Write the input tokens."""
        return f"{record.input_tokens:,}"

    @admin.display(description="out")
    def output(self, record: CostRecord) -> str:
        """Write the output tokens."""
        return f"{record.output_tokens:,}"

    @admin.display(description="cost")
    def cost(self, record: CostRecord) -> str:
        """Write the sum of the lines."""
        return usd(record.cost_usd)

    @admin.display(description="took")
    def took(self, record: CostRecord) -> str:
        """Write how long the attempt took."""
        return f"{record.duration_ms:,} ms"

    @admin.display(description="first byte after")
    def first_byte(self, record: CostRecord) -> str:
        """Write when output began, for streams."""
        return "-" if record.first_byte_ms is None else f"{record.first_byte_ms:,} ms"

    @admin.display(description="streamed")
    def streamed(self, record: CostRecord) -> str:
        """Say whether the answer was sent piece by piece."""
        return "yes" if record.is_streamed else "no"

    @admin.display(description="output cap")
    def output_cap(self, record: CostRecord) -> str:
        """Write the cap that was sent, and whether the budget had lowered it."""
        if record.output_cap_tokens is None:
            return "-"
        lowered = ", lowered to fit the budget" if record.is_fitted else ""
        return f"{record.output_cap_tokens:,} tokens{lowered}"

    @admin.display(description="price")
    def price_version(self, record: CostRecord) -> str:
        """Name the version of the price that it was charged at."""
        price = record.price
        valid = format_html("{} from {} UTC", price.get_source_display(), instant(price.valid_from))
        return format_html("{}, {}", page_link(price, price), valid)

    @admin.display(description="lines")
    def charged_lines(self, record: CostRecord) -> str:
        """Write units times rate for each kind, to the last place."""
        return table(
            head=("Kind", "Units", "USD per unit", "USD"),
            rows=[
                (line["dimension"], line["units"], line["rate_usd"], line["amount_usd"])
                for line in record.lines
            ]
            + ([("sum", "", "", usd_text(record.cost_usd))] if record.lines else []),
        )

    @admin.display(description="journal entries of the request")
    def entries(self, record: CostRecord) -> str:
        """List what was held and charged under the same request id."""
        return entries_of(record)

    @admin.display(description="attempts of the request")
    def attempts(self, record: CostRecord) -> str:
        """List all attempts under the same request id."""
        records = CostRecord.objects.for_organization(record.organization)
        return table(
            head=("Attempt", "Provider", "Model", "Outcome", "Status", "Cost"),
            rows=[
                (
                    page_link(each, each.attempt),
                    each.provider,
                    each.model,
                    each.get_outcome_display(),
                    each.status,
                    usd(each.cost_usd),
                )
                for each in records.filter(request_id=record.request_id).order_by("attempt")
            ],
        )

    @admin.display(description="tags")
    def tag_list(self, record: CostRecord) -> str:
        """List the tags."""
        return ", ".join(record.tags) or "-"

    @admin.display(description="metadata")
    def given(self, record: CostRecord) -> str:
        """Write the pairs that the caller gave."""
        return table(head=("Name", "Value"), rows=sorted(record.metadata.items()))
