"""What the admin's pages have in common: rows that are history, and rows that are never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest
from django.template.response import TemplateResponse

from budgets.http.cursor_list import CursorChangeList

CONFIRMED = "confirmed"


class ReadOnlyAdmin:
    """Mixed into an admin of rows that only operations write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: operations write these rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: these rows are history."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: these rows are history."""
        return False


class KeptAdmin:
    """Mixed into an admin of rows that others name for ever: switched off, never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the journal names these rows."""
        return False


class JournalAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Rows of a table that grows without end: newest first, searched by exact words."""

    change_list_template = "admin/journal_list.html"
    list_per_page = 50
    show_full_result_count = False
    # Counts beside each filter would read the whole table.
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CursorChangeList]:
        """Page by cursor."""
        return CursorChangeList

    def complete(self, rows: Sequence[Any]) -> None:
        """Add to the rows of a page what is read for all of them at once; nothing by itself."""


def save_changed(*, row: Model, form: BaseForm, but: Sequence[str] = ()) -> None:
    """Save only the fields that a form has changed, so that what others changed meanwhile stays.

    Those in ``but`` are left to the operations that own them.
    """
    fields = row._meta.concrete_fields  # noqa: SLF001  Django's documented name.
    changed = [f.name for f in fields if f.name in form.changed_data and f.name not in but]
    if changed:
        dated = [field.name for field in fields if getattr(field, "auto_now", False)]
        row.save(update_fields=[*changed, *dated])


def confirmation(
    *,
    request: HttpRequest,
    page: admin.ModelAdmin[Any],
    rows: QuerySet[Any],
    action: str,
    question: str,
) -> TemplateResponse | None:
    """Ask before an action is done on the chosen rows; give None once the answer was yes."""
    if CONFIRMED in request.POST:
        return None
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": question,
        "rows": rows,
        "action": action,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
        "confirmed": CONFIRMED,
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)


def form_page(  # noqa: PLR0913  what a page shows
    *,
    request: HttpRequest,
    page: Any,
    row: Model,
    form: BaseForm,
    title: str,
    verb: str,
    explanation: Sequence[str],
) -> TemplateResponse:
    """Show a form about one row, with the button that does it."""
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": title,
        "row": row,
        "form": form,
        "verb": verb,
        "explanation": explanation,
    }
    return TemplateResponse(request, "admin/form_page.html", context)
