"""How the admin writes amounts, instants and small tables: values in, HTML out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from budgets.core.money import format_usd, usd_text

NOTHING = "-"


def usd(amount: Decimal | None) -> str:
    """Write an amount in USD as people read it; its title has all twelve places."""
    if amount is None:
        return NOTHING
    return format_html('<span title="${}">{}</span>', usd_text(amount), format_usd(amount))


def instant(at: datetime | None) -> str:
    """Write an instant in UTC to the second, in an order that sorts."""
    if at is None:
        return NOTHING
    text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return format_html(
        '<time datetime="{}Z" title="{} UTC">{}</time>', text.replace(" ", "T"), text, text
    )


def day(at: datetime | None) -> str:
    """Write the day of an instant in UTC; its title has the time."""
    if at is None:
        return NOTHING
    text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return format_html(
        '<time datetime="{}Z" title="{} UTC">{}</time>', text.replace(" ", "T"), text, text[:10]
    )


def share(part: Decimal, whole: Decimal) -> str:
    """Draw how much of a whole is used, with the percentage in words."""
    percent = min(part / whole, Decimal(9)) * 100 if whole else Decimal(100)
    text = f"{percent:.0f}"
    drawn = '<meter max="100" low="80" high="99" optimum="0" value="{}"></meter> {}\u00a0%'
    return format_html(drawn, text, text)


def page_link(row: Model, text: object) -> SafeString:
    """Link a text to the admin's page of a row."""
    meta = row._meta  # noqa: SLF001  Django's documented name.
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=(quote(row.pk),))
    return format_html('<a href="{}">{}</a>', address, text)


def list_link(model: type[Model], text: object, **query: Any) -> SafeString:
    """Link a text to the admin's list of a model, filtered."""
    meta = model._meta  # noqa: SLF001  Django's documented name.
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist", query=query)
    return format_html('<a href="{}">{}</a>', address, text)


def table(*, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a small table; a dash when it has no rows."""
    listed = [format_html_join("", "<td>{}</td>", ((cell,) for cell in row)) for row in rows]
    if not listed:
        return NOTHING
    return format_html(
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>",
        format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head)),
        format_html_join("", "<tr>{}</tr>", ((row,) for row in listed)),
    )
