"""How figures are written on pages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tracking.pricing.cost import Line
from tracking.templatetags.figures import (
    count,
    milliseconds,
    rate,
    short_count,
    units,
    usd,
    usd_exact,
    usd_mean,
)


def test_keeps_all_twelve_places_behind_a_short_amount() -> None:
    assert usd(Decimal("412.600000000001")) == (
        '<data value="412.600000000001" title="412.600000000001 USD">$412.60</data>'
    )
    assert usd(Decimal("0.0000123")) == (
        '<data value="0.000012300000" title="0.000012300000 USD">$0.000012</data>'
    )
    assert usd(None) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("mean", "text"),
    [
        ("0.012186", ">$0.0122<"),
        ("0.2", ">$0.200<"),
        ("0.000000000012", ">$0.000000000012<"),
        ("12.345", ">$12.34<"),
        ("0", ">$0.00<"),
    ],
)
def test_writes_means_with_three_digits(mean: str, text: str) -> None:
    assert text in usd_mean(Decimal(mean))


def test_writes_exact_amounts_with_their_sign_first() -> None:
    assert usd_exact(Decimal("-0.009")) == "-$0.009000000000"
    assert usd_exact(Decimal(1234)) == "$1234.000000000000"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (65_168, "65.2 k"),
        (8_777_440, "8.78 M"),
        (34_478_847, "34.5 M"),
        (123_456_789, "123 M"),
        (5_000_000_000, "5.00 G"),
    ],
)
def test_shortens_large_counts(number: int, text: str) -> None:
    assert short_count(number) == text


def test_writes_counts_and_durations() -> None:
    assert count(1_234_567) == "1,234,567"
    assert count(None) == "\N{EN DASH}"
    assert milliseconds(840) == "840 ms"
    assert milliseconds(12_345) == "12.3 s"
    assert milliseconds(None) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("dimension", "rate_usd", "text"),
    [
        ("input", "0.0000006", "$0.60 / M"),
        ("cached_input", "0.000000075", "$0.075 / M"),
        ("output", "0.0012345", "$1,234.50 / M"),
        ("request", "0.01", "$0.01"),
    ],
)
def test_quotes_rates_as_price_lists_do(dimension: str, rate_usd: str, text: str) -> None:
    line = Line(dimension, 1, Decimal(rate_usd), Decimal(rate_usd))

    assert rate(line) == text


@pytest.mark.parametrize(
    ("counted", "written"),
    [(1234567, "1,234,567"), (Decimal("12.340"), "12.34"), (Decimal(60), "60")],
)
def test_writes_units_with_the_places_they_have(counted: Decimal | int, written: str) -> None:
    line = Line("input_per_second", counted, Decimal("0.0001"), Decimal("0.001"))
    assert units(line) == written
