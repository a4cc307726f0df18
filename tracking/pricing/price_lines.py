"""A price as lines that people read and write: ``input>200000 = 2.50``. Pure.

Tokens are stated in USD per million, everything else in USD per unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from budgets.core.errors import DomainError
from tracking.pricing.rates import (
    TOKEN_DIMENSIONS,
    dimension_of,
    per_million,
    per_token,
    rate_text,
)

_KEY = re.compile(r"[A-Za-z0-9_.]+(:[A-Za-z0-9_./]+)?(>\d+)?(@[a-z_]+)?")


class PriceLineUnreadable(DomainError):
    """A line of a price reads: input = 2.50, or input>200000 = 5, or output@flex = 1.25."""

    code = "price_line_unreadable"


def write_lines(per_unit: Mapping[str, Decimal]) -> str:
    """Write rates as lines, tokens first and in the order of their kinds."""
    ordered = sorted(per_unit, key=lambda key: (_rank(dimension_of(key)), key))
    return "\n".join(f"{key} = {shown_rate(key, per_unit[key])}" for key in ordered)


def read_lines(text: str) -> dict[str, Decimal]:
    """Read what write_lines() writes; blank lines do not count.

    :raises PriceLineUnreadable: naming the line
    """
    return dict(_read(line) for line in text.splitlines() if line.strip())


def changed_lines(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> list[str]:
    """Say line by line what a new price changes: ``output 10 -> 12``, ``reasoning 4 new``."""
    keys = sorted({*before, *after}, key=lambda key: (_rank(dimension_of(key)), key))
    return [_changed(key, before, after) for key in keys if before.get(key) != after.get(key)]


def shown_rate(key: str, rate: Decimal) -> str:
    """Write a rate as people read it: of tokens by the million, of all else by the unit."""
    return rate_text(_shown(key, rate))


def _changed(key: str, before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> str:
    if key not in before:
        return f"{key} {shown_rate(key, after[key])} new"
    was = shown_rate(key, before[key])
    return f"{key} {was} -> {shown_rate(key, after[key])}" if key in after else f"{key} {was} gone"


def _read(line: str) -> tuple[str, Decimal]:
    key, _, usd = (part.strip() for part in line.partition("="))
    try:
        stated = Decimal(usd)
    except InvalidOperation:
        raise PriceLineUnreadable(line=line) from None
    if not _KEY.fullmatch(key) or not stated.is_finite():
        raise PriceLineUnreadable(line=line)
    return key, per_token(stated) if _is_token(key) else stated


def _shown(key: str, rate: Decimal) -> Decimal:
    return per_million(rate) if _is_token(key) else rate


def _is_token(key: str) -> bool:
    return dimension_of(key) in TOKEN_DIMENSIONS


def _rank(dimension: str) -> int:
    return (
        TOKEN_DIMENSIONS.index(dimension)
        if dimension in TOKEN_DIMENSIONS
        else len(TOKEN_DIMENSIONS)
    )
