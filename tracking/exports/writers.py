"""Writes rows as a file: one writer for each form, all alike to use. Pure but for the file.

Text is kept from running: a spreadsheet takes CSV text that begins with ``=`` for a formula, so it
gets an apostrophe; in XLSX every text is a cell of text, which is never run.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Protocol

from budgets.core.money import usd_text
from budgets.http.renderers import safe_cell
from tracking.exports.focus import COST_COLUMNS
from tracking.exports.terms import Cell, Form, Row

# What a sheet can hold: https://support.microsoft.com, "Excel specifications and limits".
MOST_SHEET_ROWS = 1_048_575
_USD_FORMAT = "0.00##########"
_RATIO_COLUMNS = frozenset({"share", "change"})


class Writer(Protocol):
    """Takes the rows of one file, one after the other."""

    def write(self, row: Row) -> None:
        """Write a row."""

    def close(self, about: Sequence[tuple[str, str]]) -> None:
        """End the file; ``about`` says what it is of, where the form has a place for it."""


def writer_of(*, form: Form, to: IO[bytes], columns: Sequence[str]) -> Writer:
    """Begin a file in a form."""
    return _WRITERS[form](to, columns)


def plain(name: str, value: Cell) -> str | int | None:
    """Write a cell for programs: amounts with twelve places, ratios with six, instants in UTC."""
    if isinstance(value, Decimal):
        return usd_text(value) if is_usd(name) else f"{value:.6f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value


def is_usd(name: str) -> bool:
    """Tell whether a column holds amounts in US dollars."""
    last = name.rpartition(".")[2]
    return last not in _RATIO_COLUMNS and (
        last.endswith("_usd") or "usd_per" in last or name in COST_COLUMNS
    )


class _CsvWriter:
    def __init__(self, to: IO[bytes], columns: Sequence[str]) -> None:
        self._text = io.TextIOWrapper(to, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.DictWriter(self._text, fieldnames=list(columns), lineterminator="\r\n")
        self._rows.writeheader()

    def write(self, row: Row) -> None:
        """Write a line; what a row does not know stays empty."""
        self._rows.writerow({name: safe_cell(plain(name, value)) for name, value in row.items()})

    def close(self, about: Sequence[tuple[str, str]]) -> None:
        """Write out what is left; a table of text has no place for more."""
        del about
        self._text.detach()


class _JsonLinesWriter:
    def __init__(self, to: IO[bytes], columns: Sequence[str]) -> None:
        self._to, self._columns = to, columns

    def write(self, row: Row) -> None:
        """Write an object on a line of its own, with all columns, amounts as text."""
        cells = {name: plain(name, row.get(name)) for name in self._columns}
        self._to.write(json.dumps(cells, ensure_ascii=False).encode() + b"\n")

    def close(self, about: Sequence[tuple[str, str]]) -> None:
        """Do nothing more: every line stands for itself."""
        del about


class _SheetWriter:
    """A sheet of rows and one that says what they are.

    A spreadsheet's numbers have 15 digits. So an amount stands there twice: as a number that can be
    added up, and under ``<name>_exact`` as text with all twelve places.
    """

    def __init__(self, to: IO[bytes], columns: Sequence[str]) -> None:
        import xlsxwriter  # Only a process that writes one needs it.

        # Rows leave memory as the next one comes; text becomes neither formula nor link.
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(to, options | {"strings_to_numbers": False})
        self._usd = self._book.add_format({"num_format": _USD_FORMAT})
        self._bold = self._book.add_format({"bold": True})
        self._sheet = self._book.add_worksheet("Rows")
        self._columns = [
            shown
            for name in columns
            for shown in ((name, f"{name}_exact") if is_usd(name) else (name,))
        ]
        self._next = 1
        self._sheet.freeze_panes(1, 0)
        for number, name in enumerate(self._columns):
            self._sheet.write_string(0, number, name, self._bold)

    def write(self, row: Row) -> None:
        """Write a row of cells."""
        for number, name in enumerate(self._columns):
            value = row.get(name.removesuffix("_exact"))
            if value is None:
                continue
            if isinstance(value, int):
                self._sheet.write_number(self._next, number, value)
            elif isinstance(value, Decimal) and not name.endswith("_exact"):
                self._sheet.write_number(self._next, number, value, self._usd)
            else:
                text = plain(name.removesuffix("_exact"), value)
                self._sheet.write_string(self._next, number, str(text))
        self._next += 1

    def close(self, about: Sequence[tuple[str, str]]) -> None:
        """Add the sheet that says what the rows are, and put the file together."""
        sheet = self._book.add_worksheet("About")
        for number, (name, text) in enumerate(about):
            sheet.write_string(number, 0, name, self._bold)
            sheet.write_string(number, 1, text)
        self._book.close()


_WRITERS: dict[Form, Callable[[IO[bytes], Sequence[str]], Writer]] = {
    Form.CSV: _CsvWriter,
    Form.FOCUS: _CsvWriter,
    Form.JSONL: _JsonLinesWriter,
    Form.XLSX: _SheetWriter,
}
