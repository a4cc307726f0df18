"""The worst case of a call is never below what it can cost."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.pricing.strategies import patient
from tracking.gateway.demo import script_of
from tracking.gateway.endpoints.table import CHAT_COMPLETIONS
from tracking.gateway.estimate import (
    USABLE_OUTPUT_TOKENS,
    Estimate,
    MaxTokensExceeded,
    OutputRules,
)
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import cost
from tracking.pricing.rates import Rates
from tracking.pricing.usage import Usage

RATES = Rates(
    {
        "input": Decimal("0.000003"),
        "cached_input": Decimal("0.0000003"),
        "cache_write": Decimal("0.00000375"),
        "output": Decimal("0.000015"),
        "reasoning": Decimal("0.00002"),
        "input>200000": Decimal("0.000006"),
    }
)


def model(**fields: Any) -> PricedModel:
    """A model at those rates."""
    defaults = {
        "name": "m",
        "rates": RATES,
        "context_window": 500_000,
        "max_output_tokens": 8192,
        "capabilities": (),
    }
    return cast("PricedModel", SimpleNamespace(**(defaults | fields)))


def worst(body: dict[str, Any], **fields: Any) -> Estimate:
    """The estimate of a body, on a plan without limits unless told otherwise."""
    rules = OutputRules(
        default_tokens=1000,
        most_tokens=fields.pop("most_tokens", None),
        fits=fields.pop("fits", True),
    )
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]} | body
    request = CHAT_COMPLETIONS.read(body=orjson.dumps(asked), content_type="application/json")
    return CHAT_COMPLETIONS.estimate(request=request, model=model(**fields), rules=rules)


texts = st.text(st.characters(codec="utf-8"), max_size=300)


@patient
@given(
    messages=st.lists(texts, min_size=1, max_size=5),
    cap=st.integers(1, 9000),
    n=st.integers(1, 4),
    parts=st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)),
)
def test_holds_for_whatever_the_call_then_uses(
    messages: list[str], cap: int, n: int, parts: tuple[int, int, int]
) -> None:
    told = [{"role": "user", "content": text} for text in messages]
    bound = worst({"messages": told, "max_tokens": cap, "n": n})
    input_tokens = script_of(model="small", messages=told, cap=cap).input_tokens
    output_tokens = n * min(cap, 8192)
    cached, written, reasoned = parts

    used = Usage(
        input_tokens=input_tokens,
        cached_input_tokens=input_tokens * cached // 200,
        cache_write_tokens=input_tokens * written // 200,
        output_tokens=output_tokens,
        reasoning_tokens=output_tokens * reasoned // 100,
    )

    assert input_tokens <= bound.bounds.input_tokens
    assert cost(usage=used, rates=RATES).total_usd <= bound.usd


@patient
@given(cap=st.integers(65, 8192), n=st.integers(1, 4), share=st.integers(0, 1000))
def test_a_cap_that_was_lowered_to_fit_costs_no_more_than_was_held(
    cap: int, n: int, share: int
) -> None:
    bound = worst({"max_tokens": cap, "n": n})
    held = bound.least_usd + (bound.usd - bound.least_usd) * share / 1000

    fitted = bound.output_cap_within(held)

    most = Usage(input_tokens=bound.bounds.input_tokens, output_tokens=n * (fitted or 0))
    assert fitted is not None
    assert USABLE_OUTPUT_TOKENS <= fitted <= cap
    assert cost(usage=most, rates=RATES).total_usd <= held


def test_takes_the_newer_cap_the_plans_default_and_the_models_own_limit() -> None:
    assert worst({"max_tokens": 5, "max_completion_tokens": 7}).output_cap_tokens == 7
    assert worst({}).output_cap_tokens == 1000
    assert worst({"max_tokens": 100_000}).output_cap_tokens == 8192


def test_refuses_more_output_than_the_plan_allows() -> None:
    with pytest.raises(MaxTokensExceeded, match="at most 2000"):
        worst({"max_tokens": 2001}, most_tokens=2000)


def test_asks_for_all_or_nothing_where_the_plan_does_not_fit() -> None:
    bound = worst({"max_tokens": 4000}, fits=False)

    assert bound.least_usd == bound.usd


def test_counts_tools_and_schemas_as_input() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "x" * 1000}}

    assert worst({"tools": [tool]}).tokens > worst({}).tokens + 1000


def test_bounds_the_input_by_what_the_model_can_read() -> None:
    assert worst({}, context_window=10).bounds.input_tokens == 10
