"""The admin's list of a table that grows without end: newest first, by cursor, never counted."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

BEFORE = "before"


class CursorChangeList(ChangeList):
    """Reads one page and one row more, from a primary key downwards.

    A page number would make the database walk over all earlier rows, and a total over all rows.
    """

    queryset: QuerySet[Any]
    model_admin: Any

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.before = request.GET.get(BEFORE)
        self.older: str | None = None
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Keep the cursor out of filters, and out of the links that change them."""
        self.params.pop(BEFORE, None)
        self.filter_params.pop(BEFORE, None)
        return super().get_filters_params(params)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Order by what the cursor counts in, whatever is asked for."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read the page behind the cursor, and whether there is more."""
        rows = list(self._behind_cursor()[: self.list_per_page + 1])
        self.result_list: Any = rows[: self.list_per_page]
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.multi_page = self.can_show_all = False
        self.show_admin_actions = True
        if len(rows) > self.list_per_page:
            self.older = self.get_query_string({BEFORE: self.result_list[-1].pk})
        self.model_admin.complete(self.result_list)

    @property
    def newest(self) -> str:
        """The address of the first page, with the same filters."""
        return self.get_query_string()

    def _behind_cursor(self) -> QuerySet[Any]:
        if self.before is None:
            return self.queryset
        try:
            return self.queryset.filter(pk__lt=self.lookup_opts.pk.to_python(self.before))
        except ValidationError as error:
            raise IncorrectLookupParameters from error
