"""The library behind the gateway obeys hundreds of parameters; callers reach none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests import tenants
from tests.fakes.upstream import Upstream, running_upstream
from tests.serving import Site
from tests.tracking.gateway.calls import PATH, body, told
from tests.tracking.gateway.shapes import free_fields, names_of, shapes_within
from tracking.gateway.doors.call import ProviderCall, Route
from tracking.gateway.doors.litellm_door import arguments_of
from tracking.gateway.endpoints.bodies import Body, read_json
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.table import CHAT_COMPLETIONS, ENDPOINTS

SHAPES = sorted(
    {shape for endpoint in ENDPOINTS for shape in shapes_within(endpoint.shape)},
    key=lambda shape: shape.__name__,
)
# Schemas of JSON, and what a model wrote earlier: passed on as they are, and obeyed by nobody.
FREE = {
    *("Function.parameters", "OldFunction.parameters", "JsonSchema.schema_"),
    *("FunctionTool.parameters", "JsonSchemaFormat.schema_", "Tool.input_schema"),
    *("JsonFormat.schema_", "ToolUseBlock.input", "TextBlock.citations"),
    *("OutputText.annotations", "OutputText.logprobs", "OutputText.parsed"),
    "FunctionCall.parsed_arguments",
}
# The only name that callers share with what the library obeys, and that is kept from it.
SHARED = {"metadata"}


def read(asked: dict[str, Any]) -> ChatCompletionRequest:
    return read_json(body=json.dumps(asked).encode(), shape=ChatCompletionRequest)


@pytest.fixture(scope="module")
def library_names() -> set[str]:
    from litellm.types.utils import all_litellm_params

    own = {"base_url", "callbacks", "success_callback", "extra_body", "timeout"}
    return {*all_litellm_params, *own, "extra_headers", "drop_params", "allowed_openai_params"}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_refuses_every_name_that_the_library_obeys(
    shape: type[Body], library_names: set[str]
) -> None:
    names = library_names - names_of(shape)
    assert len(names) > 300

    with pytest.raises(ValidationError) as refused:
        shape.model_validate(dict.fromkeys(names, "http://127.0.0.1:1"))

    problems = refused.value.errors()
    assert {p["loc"][-1] for p in problems if p["type"] == "extra_forbidden"} == names


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_keeps_the_names_that_it_shares_with_the_library_to_itself(
    endpoint: Endpoint[Any], library_names: set[str]
) -> None:
    """Metadata, for one, switches the library's guardrails, prompts and callbacks."""
    assert names_of(endpoint.shape) & library_names <= SHARED
    passed = {"metadata": {"guardrails": "x", "mock_response": "free"}}
    assert not SHARED & set(read(body() | passed).passed_on())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_takes_values_of_any_kind_nowhere_but_in_schemas(endpoint: Endpoint[Any]) -> None:
    assert free_fields(endpoint.shape) <= FREE


def test_gives_the_library_nothing_but_what_was_asked_and_what_the_site_decides() -> None:
    route = Route("test", "openai_compatible", "hosted_vllm/plain", "http://127.0.0.1:1", "k")
    asked = read(body(temperature=0.5, user="dave", n=2))
    parameters = CHAT_COMPLETIONS.parameters(request=asked, route=route, cap=5)
    call = ProviderCall(route, CHAT_COMPLETIONS.name, parameters, timeout_s=1)

    assert set(arguments_of(call, is_streamed=True)) == {
        *("model", "messages", "temperature", "n", "max_tokens"),
        *("api_base", "api_key", "timeout", "stream", "stream_options"),
        *("max_retries", "num_retries", "_skip_mcp_handler", "allowed_openai_params"),
    }


def test_sends_nothing_elsewhere_whatever_the_body_says(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant()
    with running_upstream() as elsewhere, site.client(alice.text) as client:
        evil: dict[str, Any] = {
            "api_base": elsewhere.url,
            "base_url": elsewhere.url,
            "api_key": "sk-evil",
            "custom_llm_provider": "openai",
            "mock_response": "free",
            "mock_tool_calls": [],
            "input_cost_per_token": 0,
            "output_cost_per_token": 0,
            "extra_body": {"max_tokens": 100_000},
            "extra_headers": {"X-Evil": "1"},
            "headers": {"X-Evil": "1"},
            "fallbacks": [{"model": "openai/x", "api_base": elsewhere.url}],
            "model_list": [],
            "num_retries": 5,
            "litellm_params": {"api_base": elsewhere.url},
            "callbacks": ["otel"],
            "no-log": True,
        }
        for name, value in evil.items():
            answer = told(client.post(PATH, json=body() | {name: value}))
            assert (answer.status, answer.code) == (400, "unknown_parameter")
        assert not elsewhere.requests
    assert not upstream.requests
    assert not alice.journal()


def test_ignores_what_the_address_and_the_headers_say(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant()
    with running_upstream() as elsewhere, site.client(alice.text) as client:
        said = {"api_base": elsewhere.url, "mock_response": "free", "model": "demo/small"}
        headers = {
            "api-base": elsewhere.url,
            "api-key": "sk-evil",
            "x-api-key": "sk-evil",
            "x-litellm-api-key": "sk-evil",
            "x-litellm-num-retries": "5",
            "x-litellm-timeout": "1",
            "x-litellm-tags": "fine",
            "OpenAI-Organization": "org-evil",
            "X-Forwarded-For": "10.0.0.1",
        }
        answer = told(client.post(PATH, params=said, json=body(), headers=headers))
        assert not elsewhere.requests

    assert (answer.status, answer.text) == (200, "one two three four five ")
    assert upstream.headers[0]["Authorization"] == "Bearer sk-upstream-secret"
    carried = {name.lower() for name in upstream.headers[0]}
    assert not carried & {name.lower() for name in headers}
    entry, record = alice.the_call()
    assert entry.amount_usd > 0
    assert record.tags == ["fine"]


def test_no_name_that_the_library_obeys_does_anything_in_address_headers_or_metadata(
    site: Site, upstream: Upstream, library_names: set[str]
) -> None:
    alice = tenants.tenant()
    names = sorted(library_names)
    with running_upstream() as elsewhere, site.client(alice.text) as client:
        said = dict.fromkeys(names, elsewhere.url)
        # A call takes sixteen labels.
        for at in range(0, len(names), 16):
            some = names[at : at + 16]
            bare = [name.replace("_", "-") for name in some]
            named = [f"{start}{name}" for start in ("", "x-litellm-") for name in bare]
            headers = dict.fromkeys(named, elsewhere.url)
            metadata = dict.fromkeys(some, elsewhere.url)
            answer = client.post(PATH, params=said, json=body(metadata=metadata), headers=headers)
            assert told(answer).text == "one two three four five ", answer.text
        assert not elsewhere.requests

    for asked in upstream.requests:
        assert set(asked) == {"model", "messages", "max_tokens"}
    written = json.dumps([upstream.requests, upstream.headers])
    assert elsewhere.url not in written
    assert {record.cost_usd > 0 for record in alice.records()} == {True}
    assert not alice.differences()
