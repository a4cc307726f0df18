"""Long lists, a page at a time, behind a cursor."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Pages of rows whose ids grow with time: ``next``, ``previous`` and ``results``."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200


PAGING = ("cursor", "limit")
"""The parameters of such a list."""
