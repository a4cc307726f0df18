"""Amounts: exact to twelve places, rounded in one place."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.core.money import PICO_USD, format_usd, quantize_usd, round_up_usd, usd_text

amounts = st.decimals(min_value=-(10**11), max_value=10**11, allow_nan=False, allow_infinity=False)


@given(amount=amounts)
def test_rounds_up_by_less_than_a_pico(amount: Decimal) -> None:
    error = Fraction(round_up_usd(amount)) - Fraction(amount)

    assert 0 <= error < Fraction(PICO_USD)


@given(amount=amounts)
def test_rounds_half_even_by_half_a_pico_at_most(amount: Decimal) -> None:
    assert abs(Fraction(quantize_usd(amount)) - Fraction(amount)) <= Fraction(PICO_USD) / 2


@given(amount=amounts)
def test_writes_text_that_reads_back_the_same(amount: Decimal) -> None:
    text = usd_text(amount)

    assert Decimal(text) == quantize_usd(amount)
    assert len(text.partition(".")[2]) == 12
    assert "E" not in text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.01", "$0.01"),
        ("1234.5", "$1,234.50"),
        ("-1234.5", "-$1,234.50"),
        ("0.0000505", "$0.000050"),
        ("0.009999", "$0.0100"),
        ("0.000000000001", "$0.000000000001"),
        ("-0.002", "-$0.0020"),
    ],
)
def test_shows_people_no_zero_for_what_was_spent(amount: str, text: str) -> None:
    assert format_usd(Decimal(amount)) == text
