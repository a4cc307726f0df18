"""Answers as tables of text, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

# A spreadsheet takes text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class CsvRenderer(BaseRenderer):
    """Writes the rows under ``results``, or an answer without any as one row.

    What lies within is named by its path: ``previous.cost_usd``.
    """

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        """Write a header and a line for each row; all rows have the same columns."""
        rows = [dict(_flat(row)) for row in data.get("results", [data])]
        names = dict.fromkeys(name for row in rows for name in row)
        written = io.StringIO()
        table = csv.DictWriter(written, fieldnames=list(names), lineterminator="\r\n")
        table.writeheader()
        table.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
        return written.getvalue().encode()


def safe_cell(value: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    Amounts, which are text too, stay as they are: a minus and digits are no formula.
    """
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    whole, _, places = text.removeprefix("-").partition(".")
    return whole.isascii() and whole.isdigit() and (not places or places.isdigit())


def _flat(row: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        elif not isinstance(value, list):
            yield f"{path}{name}", value
