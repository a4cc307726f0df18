"""LangChain's ChatOpenAI, unchanged but for its address and key."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import MODEL, Tenant

TEXT = "one two three four five "
CALLED = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
HELLO = [HumanMessage("Count to five.")]


class Numbers(BaseModel):
    """The form of an answer."""

    numbers: list[int]


@tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"Rain in {city}."


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def chat(site: Site, alice: Tenant, request: pytest.FixtureRequest) -> ChatOpenAI:
    options: dict[str, Any] = {
        "base_url": f"{site.url}/v1",
        "api_key": alice.text,
        "max_retries": 0,
    }
    return ChatOpenAI(model=MODEL, use_responses_api=request.param, stream_usage=True, **options)


def test_answers_with_usage(chat: ChatOpenAI, alice: Tenant, upstream: Upstream) -> None:
    answer = chat.invoke(HELLO)

    assert answer.text == TEXT
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] == 11
    assert answer.usage_metadata["output_tokens"] == 5
    assert alice.the_call()[0].tokens == 16


def test_streams_with_usage(chat: ChatOpenAI, alice: Tenant, upstream: Upstream) -> None:
    whole: Any = None
    for chunk in chat.stream(HELLO):
        whole = chunk if whole is None else whole + chunk

    assert isinstance(whole, AIMessageChunk)
    assert whole.text == TEXT
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 16
    assert alice.the_call()[1].is_streamed


def test_binds_tools(chat: ChatOpenAI, alice: Tenant, upstream: Upstream) -> None:
    upstream.script.message = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    bound = chat.bind_tools([weather])

    answer = bound.invoke(HELLO)

    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
    upstream.script.message = None
    given = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    assert bound.invoke([*HELLO, answer, given]).text == TEXT
    told = upstream.requests[1]["messages"][-1]
    assert (told["role"], told["tool_call_id"]) == ("tool", "call_1")
    assert {entry.kind for entry in alice.journal()} == {"charge"}


def test_follows_a_schema(chat: ChatOpenAI, alice: Tenant, upstream: Upstream) -> None:
    upstream.script.words = ('{"numbers": ', "[1, 2, 3]}")

    assert chat.with_structured_output(Numbers).invoke(HELLO) == Numbers(numbers=[1, 2, 3])

    assert upstream.requests[0]["response_format"]["type"] == "json_schema"
    assert alice.the_call()[0].kind == "charge"
