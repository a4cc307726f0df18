"""Changes of configuration in the admin: to read, as one list and behind each row's History."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from budgets.history.models import Change
from budgets.history.queries import DID, Told, changes, changes_of, tell
from budgets.http.admin import ReadOnlyAdmin
from budgets.http.cells import instant

PER_PAGE = 50


class HistoryAdmin:
    """Mixed into an admin of a tracked table: its rows' History tells every change of them."""

    def history_view(
        self: Any, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show who changed the row, when, and what it was before and after."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        page = Paginator(changes_of(row), PER_PAGE).get_page(request.GET.get("p"))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Change history: {row}",
            "opts": self.opts,
            "object": row,
            "module_name": str(capfirst(self.opts.verbose_name_plural)),
            "page": page,
            "told": [(instant(one.at), one.by, one.did, lines(one)) for one in tell(page)],
        } | (extra_context or {})
        return TemplateResponse(request, "admin/history_of_row.html", context)


class KindFilter(admin.SimpleListFilter):
    """Keeps the changes of one table."""

    title = "of"
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the tables that are tracked."""
        return sorted((model._meta.label, kind(model)) for model in tracked_models())  # noqa: SLF001  Django's documented name.

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the changes of the chosen table."""
        return queryset.filter(pgh_obj_model=self.value()) if self.value() else queryset


class DidFilter(admin.SimpleListFilter):
    """Keeps additions, changes or deletions."""

    title = "what was done"
    parameter_name = "did"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer what can be done with a row."""
        return [(label, capfirst(word)) for label, word in DID.items() if label != "begin"]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the chosen kind."""
        return queryset.filter(pgh_label=self.value()) if self.value() else queryset


class TellingList(ChangeList):
    """Puts a page of changes into words at once."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then all of its names."""
        super().get_results(request)
        _add_words(list(self.result_list))


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Every change of plans, budgets, tenants, keys and providers."""

    list_display = ("at", "by", "what", "did", "before_and_after")
    list_display_links = ("at",)
    list_filter = (KindFilter, DidFilter)
    list_per_page = PER_PAGE
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    fields = ("at", "by", "page", "what", "did", "before_and_after")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        """Read all tables of changes."""
        return changes()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """List changes in words."""
        return TellingList

    @admin.display(description="at (UTC)")
    def at(self, change: Any) -> str:
        """Write when it was made."""
        return instant(change.pgh_created_at)

    @admin.display(description="by")
    def by(self, change: Any) -> str:
        """Name who made it; a dash for a command or a task."""
        return _told(change).by

    @admin.display(description="on page")
    def page(self, change: Any) -> str:
        """Give the page it was made on."""
        return _told(change).page

    @admin.display(description="what")
    def what(self, change: Any) -> str:
        """Name the row, and lead to its page."""
        return link(_told(change))

    @admin.display(description="was")
    def did(self, change: Any) -> str:
        """Say what was done with it."""
        return _told(change).did

    @admin.display(description="before and after")
    def before_and_after(self, change: Any) -> str:
        """Write the values before and after."""
        return lines(_told(change))


def tracked_models() -> list[type[Model]]:
    """List the tables that keep a history."""
    return [model for model in apps.get_models() if hasattr(model, "pgh_event_models")]


def kind(model: type[Model]) -> str:
    """Name a table's rows."""
    return str(capfirst(model._meta.verbose_name))  # noqa: SLF001  Django's documented name.


def link(told: Told) -> SafeString:
    """Lead to the page of the row that was changed."""
    meta = told.model._meta  # noqa: SLF001  Django's documented name.
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=(told.row_id,))
    return format_html('<a href="{}">{} {}</a>', address, kind(told.model), told.name)


def lines(told: Told) -> SafeString:
    """Write a line for each field: its name, what it was, what it is."""
    return format_html_join(
        "",
        "<div>{}: <del>{}</del> → <ins>{}</ins></div>",
        ((name, before or "nothing", after or "nothing") for name, before, after in told.lines),
    )


def _add_words(rows: Sequence[Any]) -> None:
    for row, told in zip(rows, tell(rows), strict=True):
        row.told = told


def _told(change: Any) -> Told:
    if not hasattr(change, "told"):
        _add_words([change])
    told: Told = change.told
    return told
