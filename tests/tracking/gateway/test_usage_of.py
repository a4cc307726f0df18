"""Usage as providers report it, read into what is charged."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tracking.gateway.endpoints.chat import searches_by_itself
from tracking.gateway.endpoints.reported_usage import usage_of
from tracking.pricing.book import PricedModel
from tracking.pricing.rates import Rates


def test_charges_writes_to_an_hour_long_cache_apart() -> None:
    reported = {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "cache_creation_input_tokens": 80,
        "prompt_tokens_details": {
            "cached_tokens": 10,
            "cache_creation_token_details": {"ephemeral_1h_input_tokens": 30},
        },
    }

    usage = usage_of(reported)

    assert usage is not None
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (50, 30)
    assert usage.units()["input"] == 10


@pytest.mark.parametrize(
    ("name", "rates", "told"),
    [
        ("gpt-4o-search-preview", {"input": "1", "output": "1", "search_medium": "0.03"}, True),
        ("gpt-4o", {"input": "1", "output": "1", "search_medium": "0.03"}, False),
        ("own/search-preview", {"input": "1", "output": "1"}, False),
    ],
)
def test_knows_models_that_search_without_being_asked(
    name: str, rates: dict[str, Any], told: bool
) -> None:
    priced = Rates({key: Decimal(rate) for key, rate in rates.items()})
    model = cast("PricedModel", SimpleNamespace(name=name, rates=priced))

    assert searches_by_itself(model) is told
