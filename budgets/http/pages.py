"""Long lists, a page at a time, behind a cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.serializers import Serializer, URLField

from budgets.http.params import Params


class NewestFirst(CursorPagination):
    """Pages of rows whose ids grow with time: ``next``, ``previous`` and ``results``."""

    ordering = "-id"
    page_size = 50
    max_page_size = 200

    def get_page_size(self, request: Request) -> int:
        """Read how many rows a page has.

        :raises ParamInvalid: if that makes no sense
        """
        limit = {"limit": request.query_params.getlist("limit")}
        params = Params.read(limit, known=PAGING)
        return params.whole("limit", least=1, most=self.max_page_size) or self.page_size


PAGING = ("cursor", "limit")
"""The parameters of such a list."""


def paged(row: type[Serializer[Any]], *filters: str) -> Callable[[Any], Any]:
    """Describe a view's answer as a page of rows, narrowed down by these parameters."""
    fields: dict[str, Any] = {
        "next": URLField(allow_null=True),
        "previous": URLField(allow_null=True),
        "results": row(many=True),
    }
    name = f"{row.__name__.removesuffix('Serializer')}Page"
    return extend_schema(
        operation_id=f"v1_{name.removesuffix('Page').lower()}s_list",
        parameters=[
            OpenApiParameter("organization", description="By its name in addresses."),
            *(OpenApiParameter(name, description="Only those.") for name in filters),
            OpenApiParameter("cursor", description="As `next` and `previous` carry it."),
            OpenApiParameter("limit", OpenApiTypes.INT, description="Rows on a page, up to 200."),
        ],
        responses=inline_serializer(name, fields),
    )
