"""The Anthropic SDK, unchanged but for its address and key."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import pytest

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import DEMO, MODEL, Tenant

HELLO: Any = [{"role": "user", "content": "Count to five."}]
WEATHER: Any = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALLED = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


@pytest.fixture
def sdk(site: Site, alice: Tenant) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=site.url, api_key=alice.text) as client:
        yield client


def test_answers(sdk: anthropic.Anthropic, alice: Tenant, upstream: Upstream) -> None:
    answer = sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO, system="Be brief.")

    assert answer.content[0].type == "text"
    assert answer.content[0].text == "one two three four five "
    assert (answer.model, answer.stop_reason, answer.role) == (MODEL, "end_turn", "assistant")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 5)
    entry, record = alice.the_call()
    assert Decimal(answer.usage.cost) == entry.amount_usd  # type: ignore[attr-defined]  # ours
    assert (entry.kind, record.endpoint, record.finish_reason) == ("charge", "messages", "end_turn")
    asked = upstream.requests[0]
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, *HELLO]
    assert asked["max_tokens"] == 50


def test_streams(sdk: anthropic.Anthropic, alice: Tenant, upstream: Upstream) -> None:
    with sdk.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
        events = list(stream)
        message = stream.get_final_message()

    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1
    text = "".join(event.text for event in events if event.type == "text")
    assert text == "one two three four five "
    assert message.content[0].type == "text"
    assert message.content[0].text == text
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 5)
    entry, record = alice.the_call()
    (told,) = [event.usage.to_dict() for event in events if event.type == "message_delta"]
    assert Decimal(str(told["cost"])) == entry.amount_usd
    assert (record.is_streamed, record.outcome, record.usage_source) == (
        True,
        "completed",
        "provider",
    )


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_calls_tools(
    sdk: anthropic.Anthropic, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.message = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    asked: Any = {"model": MODEL, "max_tokens": 50, "messages": HELLO, "tools": [WEATHER]}
    asked["tool_choice"] = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}

    if is_streamed:
        with sdk.messages.stream(**asked) as stream:
            answer = stream.get_final_message()
    else:
        answer = sdk.messages.create(**asked)

    (block,) = answer.content
    assert block.type == "tool_use"
    assert (block.id, block.name, block.input) == ("call_1", "weather", {"city": "Oslo"})
    assert answer.stop_reason == "tool_use"
    sent = upstream.requests[0]
    assert sent["tools"][0]["function"]["parameters"] == WEATHER["input_schema"]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert sent["parallel_tool_calls"] is False
    assert alice.the_call()[0].kind == "charge"

    # The SDK's own blocks go back as they came.
    upstream.script.message = None
    result: Any = {"type": "tool_result", "tool_use_id": "call_1", "content": "Rain."}
    turns: Any = [
        *HELLO,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    sdk.messages.create(model=MODEL, max_tokens=50, messages=turns, tools=[WEATHER])
    _, called, given = upstream.requests[1]["messages"]
    assert called["tool_calls"] == [
        {**CALLED, "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
    ]
    assert given == {"role": "tool", "tool_call_id": "call_1", "content": "Rain."}


NOT_FOUND = (anthropic.NotFoundError, "not_found_error", "model_not_found")
UNSUPPORTED = (anthropic.BadRequestError, "invalid_request_error", "unsupported_parameter")
UNKNOWN = (anthropic.BadRequestError, "invalid_request_error", "unknown_parameter")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "no/such"}, NOT_FOUND),
        ({"extra_body": {"top_k": 5}}, UNSUPPORTED),
        ({"extra_body": {"mock_response": "free"}}, UNKNOWN),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, UNSUPPORTED),
    ],
)
def test_tells_errors_in_its_own_words(
    sdk: anthropic.Anthropic,
    alice: Tenant,
    upstream: Upstream,
    change: dict[str, Any],
    told: tuple[type[anthropic.APIStatusError], str, str],
) -> None:
    asked: Any = {"model": MODEL, "max_tokens": 50, "messages": HELLO} | change
    error, kind, code = told

    with pytest.raises(error) as raised:
        sdk.messages.create(**asked)

    body: Any = raised.value.body
    assert (body["type"], body["error"]["type"], body["error"]["code"]) == ("error", kind, code)
    assert not upstream.requests
    assert not alice.journal()


def test_knows_no_key_but_ours(site: Site, upstream: Upstream) -> None:
    with (
        anthropic.Anthropic(base_url=site.url, api_key="sk-ant-other") as client,
        pytest.raises(anthropic.AuthenticationError) as raised,
    ):
        client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)

    body: Any = raised.value.body
    assert body["error"]["type"] == "authentication_error"


def test_takes_a_bearer_token_too(site: Site, alice: Tenant, upstream: Upstream) -> None:
    with anthropic.Anthropic(base_url=site.url, auth_token=alice.text, api_key=None) as client:
        client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)

    assert alice.the_call()[0].kind == "charge"


def test_refuses_over_budget_without_being_asked_again(site: Site, upstream: Upstream) -> None:
    poor = tenants.tenant(limit="0.000001")
    with (
        anthropic.Anthropic(base_url=site.url, api_key=poor.text) as client,
        pytest.raises(anthropic.RateLimitError) as raised,
    ):
        client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)

    body: Any = raised.value.body
    assert body["error"]["type"] == "rate_limit_error"
    assert body["error"]["code"] == "request_exceeds_budget"
    assert "limit_usd" in body["error"]
    assert not upstream.requests


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
    ],
)
def test_tells_what_the_provider_answered(
    site: Site,
    alice: Tenant,
    upstream: Upstream,
    status: int,
    error: type[anthropic.APIStatusError],
) -> None:
    upstream.script.status = status
    with (
        anthropic.Anthropic(base_url=site.url, api_key=alice.text, max_retries=0) as client,
        pytest.raises(error) as raised,
    ):
        client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)

    body: Any = raised.value.body
    entry, record = alice.the_call()
    assert entry.kind == "release"
    assert entry.amount_usd == 0
    assert body["request_id"] == str(record.request_id)


def test_counts_no_tokens(sdk: anthropic.Anthropic) -> None:
    """No tokenizer that is here is the models' own, and a guess would pass for a count."""
    with pytest.raises(anthropic.NotFoundError) as raised:
        sdk.messages.count_tokens(model=MODEL, messages=HELLO)

    body: Any = raised.value.body
    assert body["error"]["type"] == "not_found_error"


def test_calls_the_demo(sdk: anthropic.Anthropic, alice: Tenant) -> None:
    answer = sdk.messages.create(model=DEMO, max_tokens=4, messages=HELLO)
    with sdk.messages.stream(model=DEMO, max_tokens=4, messages=HELLO) as stream:
        streamed = stream.get_final_message()

    assert answer.stop_reason == streamed.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == streamed.usage.output_tokens == 4
    assert [block.to_dict() for block in answer.content] == [
        block.to_dict() for block in streamed.content
    ]
    assert {entry.kind for entry in alice.journal()} == {"charge"}
