"""The OpenAI SDK's responses, unchanged but for its address and key."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import DEMO, MODEL, Tenant

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
CALLED = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}


class Numbers(BaseModel):
    """The form of an answer."""

    numbers: list[int]


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


@pytest.fixture
def sdk(site: Site, alice: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=alice.text) as client:
        yield client


def test_answers(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    answer = sdk.responses.create(
        model=MODEL, input="Count to five.", instructions="Be brief.", max_output_tokens=50
    )

    assert answer.output_text == "one two three four five "
    assert (answer.model, answer.status, answer.instructions) == (MODEL, "completed", "Be brief.")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 5)
    entry, record = alice.the_call()
    assert Decimal(answer.usage.cost) == entry.amount_usd  # type: ignore[attr-defined]  # ours
    assert (entry.kind, record.endpoint) == ("charge", "responses")
    assert record.provider_request_id == "chatcmpl-upstream"
    asked = upstream.requests[0]
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Count to five."},
    ]
    assert asked["max_tokens"] == 50
    assert "store" not in asked


def test_streams(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    with sdk.responses.stream(model=MODEL, input="Count to five.") as stream:
        events = list(stream)
        answer = stream.get_final_response()

    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-1] == "response.completed"
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(said) == answer.output_text == "one two three four five "
    numbers = [event.sequence_number for event in events]
    assert numbers == list(range(len(events)))
    assert answer.usage is not None
    entry, record = alice.the_call()
    assert Decimal(answer.usage.cost) == entry.amount_usd  # type: ignore[attr-defined]  # ours
    assert (record.is_streamed, record.outcome, record.usage_source) == (
        True,
        "completed",
        "provider",
    )


def test_parses_what_follows_a_schema(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    upstream.script.words = ('{"numbers": ', "[1, 2, 3]}")

    answer = sdk.responses.parse(model=MODEL, input="Count.", text_format=Numbers)

    assert answer.output_parsed == Numbers(numbers=[1, 2, 3])
    sent = upstream.requests[0]["response_format"]
    assert (sent["type"], sent["json_schema"]["name"]) == ("json_schema", "Numbers")
    assert alice.the_call()[0].kind == "charge"
    # What was parsed goes back as it came.
    sdk.responses.parse(model=MODEL, input=[*_again(answer)], text_format=Numbers)
    assert upstream.requests[1]["messages"][0]["content"] == '{"numbers": [1, 2, 3]}'


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_calls_functions(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.message = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    asked: Any = {"model": MODEL, "input": "Weather?", "tools": [WEATHER]}
    asked["tool_choice"] = {"type": "function", "name": "weather"}

    if is_streamed:
        with sdk.responses.stream(**asked) as stream:
            stream.until_done()
            answer: Any = stream.get_final_response()
    else:
        answer = sdk.responses.create(**asked)

    (call,) = answer.output
    assert (call.type, call.call_id, call.name) == ("function_call", "call_1", "weather")
    assert call.arguments == '{"city": "Oslo"}'
    sent = upstream.requests[0]
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert alice.the_call()[0].kind == "charge"

    # The SDK's own items go back as they came.
    upstream.script.message = None
    given = {"type": "function_call_output", "call_id": "call_1", "output": "Rain."}
    turns: Any = [{"role": "user", "content": "Weather?"}, *_again(answer), given]
    sdk.responses.create(model=MODEL, input=turns, tools=[WEATHER])
    _, called, told = upstream.requests[1]["messages"]
    assert called["tool_calls"] == [CALLED]
    assert told == {"role": "tool", "tool_call_id": "call_1", "content": "Rain."}


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"previous_response_id": "resp_1"}, "unsupported_parameter", "previous_response_id"),
        ({"background": True}, "unsupported_parameter", "background"),
        ({"conversation": "conv_1"}, "unsupported_parameter", "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "unsupported_parameter", "prompt"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools[0].type"),
        (
            {"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]},
            "unsupported_parameter",
            "tools[0].type",
        ),
        (
            {"tools": [{"type": "mcp", "server_label": "x", "server_url": "http://127.0.0.1"}]},
            "unsupported_parameter",
            "tools[0].type",
        ),
        (
            {"input": [{"type": "item_reference", "id": "x"}]},
            "unsupported_parameter",
            "input[0].type",
        ),
        ({"extra_body": {"api_base": "http://127.0.0.1"}}, "unknown_parameter", "api_base"),
        ({"truncation": "auto"}, "unsupported_parameter", "truncation"),
    ],
)
def test_refuses_what_cannot_be_bounded(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream, change: Any, code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.responses.create(**({"model": MODEL, "input": "x"} | change))

    assert (refused.value.code, refused.value.param) == (code, param)
    assert not upstream.requests
    assert not alice.journal()


def test_takes_what_asks_for_nothing(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    sdk.responses.create(
        model=MODEL, input="x", store=True, background=False, previous_response_id=None
    )

    assert alice.the_call()[0].kind == "charge"


def test_tells_why_an_answer_is_not_whole(sdk: openai.OpenAI, alice: Tenant) -> None:
    answer = sdk.responses.create(model=DEMO, input="Hello.", max_output_tokens=4)

    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 4
    with sdk.responses.stream(model=DEMO, input="Hello.", max_output_tokens=4) as stream:
        streamed = list(stream)[-1]
    assert streamed.type == "response.incomplete"
    assert streamed.response.output_text == answer.output_text
    assert {record.finish_reason for record in alice.records()} == {"max_output_tokens"}


def _again(answer: Any) -> list[Any]:
    """What an SDK's users do to go on: they send the output back."""
    return [item.model_dump(exclude_none=True, warnings=False) for item in answer.output]
