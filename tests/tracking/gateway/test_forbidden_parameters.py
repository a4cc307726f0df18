"""The library behind the gateway obeys hundreds of parameters; callers reach none of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import Upstream, running_upstream
from tests.serving import Site
from tests.tracking.gateway.calls import PATH, body, told
from tracking.gateway.doors.call import ProviderCall, Route
from tracking.gateway.doors.library import arguments_of
from tracking.gateway.endpoints.bodies import UnknownParameter, read_json
from tracking.gateway.endpoints.chat_schemas import (
    ChatCompletionRequest,
    Function,
    JsonSchema,
    Message,
    ResponseFormat,
    StreamOptions,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
)
from tracking.gateway.endpoints.table import CHAT_COMPLETIONS

TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f"}}
CALLED: dict[str, Any] = {
    "id": "1",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}
# Every place in a request that takes an object of ours, and the request with a value in it.
PLACES: dict[str, tuple[type[Any], Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "": (ChatCompletionRequest, lambda more: more),
    "messages[0]": (
        Message,
        lambda more: {"messages": [{"role": "user", "content": "x", **more}]},
    ),
    "messages[0].content[0]": (
        TextPart,
        lambda more: {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "x", **more}]}]
        },
    ),
    "messages[0].tool_calls[0]": (
        ToolCall,
        lambda more: {"messages": [{"role": "assistant", "tool_calls": [{**CALLED, **more}]}]},
    ),
    "tools[0]": (Tool, lambda more: {"tools": [{**TOOL, **more}]}),
    "tools[0].function": (
        Function,
        lambda more: {"tools": [{"type": "function", "function": {"name": "f", **more}}]},
    ),
    "tool_choice": (ToolChoice, lambda more: {"tool_choice": {**TOOL, **more}}),
    "response_format": (
        ResponseFormat,
        lambda more: {"response_format": {"type": "json_object", **more}},
    ),
    "response_format.json_schema": (
        JsonSchema,
        lambda more: {
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", **more}}
        },
    ),
    "stream_options": (StreamOptions, lambda more: {"stream": True, "stream_options": more}),
}


def read(asked: dict[str, Any]) -> ChatCompletionRequest:
    return read_json(body=json.dumps(asked).encode(), shape=ChatCompletionRequest)


@pytest.fixture(scope="module")
def library_names() -> list[str]:
    from litellm.types.utils import all_litellm_params

    return [
        *all_litellm_params,
        "base_url",
        "callbacks",
        "success_callback",
        "extra_body",
        "timeout",
    ]


@pytest.mark.parametrize("place", PLACES)
def test_refuses_every_name_that_the_library_obeys(place: str, library_names: list[str]) -> None:
    shape, placed = PLACES[place]
    ours = {field.alias or name for name, field in shape.model_fields.items()}
    names = set(library_names) - ours
    assert len(names) > 300

    for name in names:
        asked = json.dumps(body() | placed({name: "http://127.0.0.1:1"})).encode()
        with pytest.raises(UnknownParameter) as refused:
            read_json(body=asked, shape=ChatCompletionRequest)
        assert refused.value.details["param"] == f"{place}.{name}".lstrip(".")


def test_keeps_the_names_that_it_shares_with_the_library_to_itself(
    library_names: list[str],
) -> None:
    """Metadata, for one, switches the library's guardrails, prompts and callbacks."""
    shared = set(ChatCompletionRequest.model_fields) & set(library_names)
    values: dict[str, Any] = {"metadata": {"guardrails": "x", "mock_response": "free"}}
    assert shared == set(values)

    passed = read(body() | values).passed_on()

    assert not shared & set(passed)


def test_gives_the_library_nothing_but_what_was_asked_and_what_the_site_decides() -> None:
    route = Route("test", "openai_compatible", "hosted_vllm/plain", "http://127.0.0.1:1", "k")
    asked = read(body(temperature=0.5, user="dave", n=2))
    parameters = CHAT_COMPLETIONS.parameters(request=asked, route=route, cap=5)
    call = ProviderCall(route, CHAT_COMPLETIONS.name, parameters, timeout_s=1)

    assert set(arguments_of(call, is_streamed=True)) == {
        *("model", "messages", "temperature", "n", "max_tokens"),
        *("api_base", "api_key", "timeout", "stream", "stream_options"),
        *("max_retries", "num_retries", "_skip_mcp_handler"),
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
