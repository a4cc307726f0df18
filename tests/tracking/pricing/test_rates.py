"""A price taken apart into rates."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given

from tests.tracking.pricing.strategies import patient, prices
from tracking.pricing.price_lines import PriceLineUnreadable, read_lines, write_lines
from tracking.pricing.rates import Rates, RatesInvalid


@patient
@given(rates=prices())
def test_reads_back_what_it_wrote_as_json(rates: Rates) -> None:
    assert Rates.of_json(json.loads(json.dumps(rates.as_json()))) == rates


@patient
@given(rates=prices())
def test_reads_back_what_it_wrote_for_people(rates: Rates) -> None:
    assert read_lines(write_lines(rates.per_unit)) == dict(rates.per_unit)


def test_writes_equal_prices_as_equal_json() -> None:
    one = Rates(per_unit={"input": Decimal("0.00000250"), "output": Decimal("1e-5")})
    other = Rates(per_unit={"output": Decimal("0.000010"), "input": Decimal("2.5E-6")})
    assert json.dumps(one.as_json()) == json.dumps(other.as_json())
    assert one.as_json() == {"per_unit": {"input": "0.0000025", "output": "0.00001"}}


@pytest.mark.parametrize("rate", ["-0.000001", "NaN", "Infinity", "0.0000000000001"])
def test_refuses_a_rate_that_would_cheat_or_need_rounding(rate: str) -> None:
    with pytest.raises(RatesInvalid):
        Rates(per_unit={"input": Decimal(rate)})


def test_keeps_the_places_of_rates_that_are_not_charged_by_the_token() -> None:
    pixel = {"input_per_pixel": Decimal("0.0000000020345052083")}
    assert Rates(per_unit=pixel).per_unit == pixel


def test_writes_tokens_by_the_million_and_all_else_by_the_unit() -> None:
    per_unit = {
        "search_low": Decimal("0.01"),
        "output": Decimal("0.00001"),
        "input>200000@flex": Decimal("5e-7"),
    }
    assert write_lines(per_unit) == "input>200000@flex = 0.5\noutput = 10\nsearch_low = 0.01"


@pytest.mark.parametrize(
    "line", ["input", "input = ", "input = 1,5", "in put = 1", "input>x = 1", "= 1", "input = NaN"]
)
def test_refuses_a_line_that_does_not_read_as_a_rate(line: str) -> None:
    with pytest.raises(PriceLineUnreadable) as refusal:
        read_lines(f"output = 1\n{line}")
    assert refusal.value.details["line"] == line
