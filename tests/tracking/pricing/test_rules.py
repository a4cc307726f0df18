"""Price rules: which one holds for a call, and what it makes of the list price. Pure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.pricing.strategies import patient, prices, usages
from tracking.pricing.book import ModelNotPriced, PriceBook
from tracking.pricing.cost import cost
from tracking.pricing.rates import Rates
from tracking.pricing.rules import Rules, multiplied_rates
from tracking.pricing.usage import Usage

T0 = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LISTED = '{"per_unit": {"input": "0.000001", "output": "0.000002"}}'
OWN = '{"per_unit": {"input": "0.000005", "output": "0.000006"}}'

OWNERS = [(None, None), (None, "pro"), (None, "free"), (7, None), (8, None)]
PATTERNS = ["", "*", "gpt-*", "*-mini", "gpt-4*", "gpt-4o-mini", "gpt-4o", "claude-*"]
MODELS = ["gpt-4o-mini", "gpt-4o", "claude-sonnet"]
FACTORS = st.integers(0, 3 * 10**6).map(lambda millionths: Decimal(millionths).scaleb(-6))


def row(rule_id: int, **fields: Any) -> tuple[Any, ...]:
    """A row as the statement of rules gives it."""
    shown = {
        "organization_id": None,
        "plan": None,
        "pattern": "",
        "factor": Decimal("0.8"),
        "rates": None,
        "valid_from": T0,
        "valid_to": None,
    }
    return (rule_id, *(shown | fields).values())


def book(*rules: tuple[Any, ...], mode: str = "chat") -> PriceBook:
    names = ("gpt-4o-mini", "gpt-4o", "claude-sonnet")
    rows: list[tuple[Any, ...]] = [
        (at, name, "openai", mode, 128_000, 16_384, [], at, 1, T0, None, LISTED)
        for at, name in enumerate(names, 1)
    ]
    return PriceBook.of_rows(edition=1, rows=rows, rules=rules)


@st.composite
def rule_rows(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    count = draw(st.integers(0, 12))
    rows = []
    for number in range(1, count + 1):
        organization_id, plan = draw(st.sampled_from(OWNERS))
        begin, length = draw(st.integers(-3, 3)), draw(st.integers(0, 4))
        rows.append(
            row(
                number,
                organization_id=organization_id,
                plan=plan,
                pattern=draw(st.sampled_from(PATTERNS)),
                valid_from=T0 + begin * HOUR,
                valid_to=draw(st.sampled_from([None, T0 + (begin + length) * HOUR])),
            )
        )
    return rows


def expected(
    rows: list[tuple[Any, ...]], model: str, at: datetime, organization_id: int, plan: str
) -> int | None:
    """The same by comparing every rule with every other, and patterns by regular expressions."""

    def fits(rule: tuple[Any, ...]) -> bool:
        _, owner, owner_plan, pattern, _, _, begin, end = rule
        mine = owner in (None, organization_id) and owner_plan in (None, plan)
        wanted = ".*" if pattern == "" else ".*".join(map(re.escape, pattern.split("*")))
        return (
            mine and begin <= at and (end is None or at < end) and bool(re.fullmatch(wanted, model))
        )

    def rank(rule: tuple[Any, ...]) -> tuple[int, int, int, int]:
        number, owner, owner_plan, pattern, *_ = rule
        whose = 2 if owner else 1 if owner_plan else 0
        return whose, int(pattern == model), len(pattern.replace("*", "")), number

    fitting = [rule for rule in rows if fits(rule)]
    return max(fitting, key=rank)[0] if fitting else None


@patient
@given(
    rows=rule_rows(),
    model=st.sampled_from(MODELS),
    hour=st.integers(-4, 6),
    organization_id=st.sampled_from([7, 8, 9]),
    plan=st.sampled_from(["pro", "free", "none"]),
)
def test_the_narrowest_rule_holds_alone(
    rows: list[tuple[Any, ...]], model: str, hour: int, organization_id: int, plan: str
) -> None:
    at = T0 + hour * HOUR
    found = Rules.of_rows(rows).narrowest(
        model=model, at=at, organization_id=organization_id, plan=plan
    )
    assert (found.id if found else None) == expected(rows, model, at, organization_id, plan)


@patient
@given(listed=prices(), factor=FACTORS)
def test_a_factor_is_exact_or_rounded_once_in_the_last_place(
    listed: Rates, factor: Decimal
) -> None:
    for key, rate in multiplied_rates(listed, factor).per_unit.items():
        exact = Fraction(listed.per_unit[key]) * Fraction(factor)
        assert type(rate) is Decimal
        assert abs(Fraction(rate) - exact) <= Fraction(1, 2 * 10**12)
        if (exact * 10**12).denominator == 1:
            assert Fraction(rate) == exact


@patient
@given(usage=usages(), listed=prices(), factor=FACTORS)
def test_a_charge_is_units_times_the_rates_of_the_rule(
    usage: Usage, listed: Rates, factor: Decimal
) -> None:
    charged = cost(usage=usage, rates=multiplied_rates(listed, factor))
    assert all(type(line.rate_usd) is Decimal for line in charged.lines)
    assert sum(
        Fraction(line.units) * Fraction(line.rate_usd) for line in charged.lines
    ) == Fraction(charged.total_usd)


def test_keeps_the_places_of_a_fine_rate() -> None:
    fine = Rates(per_unit={"output_per_pixel": Decimal("2.0345052083E-9")})
    (rate,) = multiplied_rates(fine, Decimal("0.9")).per_unit.values()
    assert rate == Decimal("1.83105468747E-9")


def test_gives_the_list_price_to_whom_no_rule_is_for() -> None:
    priced = book(row(1, organization_id=7)).price_at(name="gpt-4o", at=T0, organization_id=8)
    assert (priced.rates.per_unit["input"], priced.price_rule_id) == (Decimal("0.000001"), None)


def test_gives_the_price_of_the_rule_and_names_it() -> None:
    rules = [row(1), row(2, organization_id=7, factor=None, rates=OWN, pattern="gpt-4o")]
    priced = book(*rules).price_at(name="openai/gpt-4o", at=T0, organization_id=7, plan="pro")
    assert priced.rates == Rates.of_json(json.loads(OWN))
    assert (priced.price_id, priced.price_rule_id) == (2, 2)
    for others in ({}, {"organization_id": 8}):
        priced = book(*rules).price_at(name="gpt-4o", at=T0, **others)  # type: ignore[arg-type]  # whose
        assert (priced.rates.per_unit["input"], priced.price_rule_id) == (Decimal("0.0000008"), 1)


def test_lists_what_a_caller_can_call_at_their_own_prices() -> None:
    rules = [row(1, plan="pro", pattern="gpt-*", factor=Decimal("1.5"))]
    listed = book(*rules).priced_at(T0, organization_id=7, plan="pro")
    assert {model.name: model.rates.per_unit["output"] for model in listed} == {
        "gpt-4o-mini": Decimal("0.000003"),
        "gpt-4o": Decimal("0.000003"),
        "claude-sonnet": Decimal("0.000002"),
    }


def test_refuses_a_call_that_the_rates_of_its_rule_do_not_price() -> None:
    only_input = '{"per_unit": {"input": "0.000001"}}'
    rules = [row(1, organization_id=7, pattern="gpt-4o", factor=None, rates=only_input)]
    with pytest.raises(ModelNotPriced):
        book(*rules).price_at(name="gpt-4o", at=T0, organization_id=7)
    assert [m.name for m in book(*rules).priced_at(T0, organization_id=7)] == [
        "gpt-4o-mini",
        "claude-sonnet",
    ]
