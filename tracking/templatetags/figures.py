"""How figures are written on pages: short to read, exact to the last place on request."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString

from budgets.core.money import USD_PLACES, format_usd, usd_text
from tracking.pricing.cost import Line
from tracking.pricing.rates import TOKEN_DIMENSIONS, rate_text

register = template.Library()

_UNKNOWN = "\N{EN DASH}"


@register.filter
def usd(amount: Decimal | None) -> SafeString | str:
    """Write an amount in USD for people; all twelve places stand in its title and value."""
    if amount is None:
        return _UNKNOWN
    exact = usd_text(amount)
    return format_html(
        '<data value="{}" title="{} USD">{}</data>', exact, exact, format_usd(amount)
    )


@register.filter
def usd_mean(amount: Decimal | None) -> SafeString | str:
    """Write a mean in USD: below a dollar with three digits, since cents would say too little."""
    if amount is None or not 0 < amount < 1:
        return usd(amount)
    shown = f"${amount:.{min(USD_PLACES, 2 - amount.adjusted())}f}"
    exact = usd_text(amount)
    return format_html('<data value="{}" title="{} USD">{}</data>', exact, exact, shown)


@register.filter
def usd_change(amount: Decimal | None) -> SafeString | str:
    """Write by how much an amount has risen, with its sign."""
    if amount is None:
        return _UNKNOWN
    exact = usd_text(amount)
    shown = f"{'+' if amount > 0 else ''}{format_usd(amount)}"
    return format_html('<data value="{}" title="{} USD">{}</data>', exact, exact, shown)


@register.filter
def usd_short(amount: Decimal) -> str:
    """Write an amount in USD for people where no markup can stand."""
    return format_usd(amount)


@register.filter
def usd_exact(amount: Decimal) -> str:
    """Write an amount in USD with all twelve places, for receipts."""
    return f"{'-' if amount < 0 else ''}${usd_text(abs(amount))}"


@register.filter
def count(number: int | Decimal | None) -> str:
    """Write a count with separators: ``1,234,567``; a dash for one that nobody counted."""
    return _UNKNOWN if number is None else f"{number:,.0f}"


@register.filter
def units(line: Line) -> str:
    """Write the units of a cost line: whole ones as a count, seconds with their places."""
    whole, _, places = (
        f"{line.units:,f}".partition(".")
        if isinstance(line.units, Decimal)
        else (f"{line.units:,}", "", "")
    )
    return f"{whole}.{places.rstrip('0')}".rstrip(".")


@register.filter
def short_count(number: int) -> str:
    """Write a count in three digits or so: ``1.24 M``."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if number >= size:
            scaled = Decimal(number) / (1000 if letter == "k" else size)
            return f"{scaled:,.{0 if scaled >= 100 else 1 if scaled >= 10 else 2}f} {letter}"
    return f"{number:,}"


@register.filter
def milliseconds(duration_ms: int | None) -> str:
    """Write a duration: ``840 ms``, ``12.3 s``; a dash for one that nobody measured."""
    if duration_ms is None:
        return _UNKNOWN
    return (
        f"{duration_ms:,} ms" if duration_ms < 10_000 else f"{Decimal(duration_ms) / 1000:,.1f} s"
    )


@register.filter
def rate(line: Line) -> str:
    """Write the rate of a cost line as prices are quoted: per million tokens, or per unit."""
    if line.dimension in TOKEN_DIMENSIONS:
        return f"{_rate_usd(line.rate_usd * 1_000_000)} / M"
    return _rate_usd(line.rate_usd)


def _rate_usd(amount: Decimal) -> str:
    """Write a rate with all of its places, and with cents."""
    whole, _, places = rate_text(amount).partition(".")
    return f"${int(whole):,}.{places:0<2}"


@register.filter
def words(name: str) -> str:
    """Write an identifier as words: ``cached_input`` becomes ``cached input``."""
    return name.replace("_", " ")


@register.simple_tag
def changed(state: QueryDict, name: str, value: str | int | None = None) -> str:
    """Write the parameters of an address with one of them set, or taken out."""
    params = state.copy()
    params.pop(name, None)
    if value is not None:
        params[name] = str(value)
    return params.urlencode()
