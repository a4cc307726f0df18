"""Whatever a body's shape allows is either refused by name or can be bounded and written for a provider."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from budgets.core.errors import DomainError
from tests.tracking.gateway.test_contract import ENDPOINT_AT, OPERATIONS, Operation
from tests.tracking.gateway.test_estimate import RATES, model
from tracking.gateway.doors.call import ProviderCall, Route
from tracking.gateway.doors.litellm_door import arguments_of
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.estimate import OutputRules
from tracking.pricing.rates import Rates

ANY_RATES = ("image_output", "input_per_character", "input_per_query", "output_per_image")
PRICED = model(rates=Rates({**RATES.per_unit, **dict.fromkeys(ANY_RATES, Decimal("0.01"))}))
RULES = OutputRules(default_tokens=1000, most_tokens=None, fits=True)
ROUTES = [
    Route("test", "openai_compatible", "hosted_vllm/plain", "http://127.0.0.1:1", "k"),
    Route("anthropic", "litellm", "anthropic/claude", key="k"),
    Route("openai", "litellm", "openai/gpt-4o", key="k"),
    Route("openai", "litellm", "openai/gpt-5", key="k", mode="responses"),
]
CALLS = [
    operation
    for operation in OPERATIONS
    if operation.path in ENDPOINT_AT and "transcriptions" not in operation.path
]


@settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
@pytest.mark.parametrize("operation", CALLS, ids=lambda operation: operation.path)
def test_can_be_bounded_and_sent_or_is_refused(operation: Operation, data: st.DataObject) -> None:
    endpoint: Endpoint[Any] = ENDPOINT_AT[operation.path]
    body = data.draw(operation.as_strategy()).body

    try:
        request = endpoint.read(body=json.dumps(body).encode(), content_type="application/json")
        endpoint.estimate(request=request, model=PRICED, rules=RULES)
    except DomainError:
        return
    for route in ROUTES:
        try:
            endpoint.check(request=request, route=route)
        except DomainError:
            continue
        parameters = endpoint.parameters(request=request, route=route, cap=100)
        assert "model" not in parameters
        sent_as = endpoint.sent_as(route=route)
        if sent_as not in ("messages", "responses"):
            arguments_of(ProviderCall(route, sent_as, parameters, 1), is_streamed=False)
