"""US dollars as exact decimals with twelve places, and the only rounding in the project."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal

USD_PLACES = 12
PICO_USD = Decimal(1).scaleb(-USD_PLACES)
ZERO_USD = Decimal(0).quantize(PICO_USD)

# Wide enough for any product of a token count and a rate, so that only quantize() ever rounds.
_EXACT = Context(prec=60)


def quantize_usd(amount: Decimal) -> Decimal:
    """Round an amount in USD half-even to 12 places; exact when it has no more than 12."""
    return amount.quantize(PICO_USD, rounding=ROUND_HALF_EVEN, context=_EXACT)


def round_up_usd(amount: Decimal) -> Decimal:
    """Round an amount in USD up to 12 places: estimates must never be below the truth."""
    return amount.quantize(PICO_USD, rounding=ROUND_CEILING, context=_EXACT)


def usd_text(amount: Decimal) -> str:
    """Write an amount in USD for machines: plain digits, always 12 places (``0.000012300000``)."""
    return f"{quantize_usd(amount):f}"


def format_usd(amount: Decimal) -> str:
    """Write an amount in USD for people: ``$1,234.50``, or with as many places as a small one needs.

    Amounts of a cent and more show cents; below a cent the first two significant digits are
    kept, so that nothing that was spent reads as ``$0.00``.
    """
    if amount == 0 or abs(amount) >= Decimal("0.01"):
        return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"
    places = min(USD_PLACES, 1 - amount.adjusted())
    return f"{'-' if amount < 0 else ''}${abs(amount):.{places}f}"
