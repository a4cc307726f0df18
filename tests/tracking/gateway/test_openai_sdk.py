"""The OpenAI SDK, unchanged but for its address and key."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageFunctionToolCall

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import MODEL, Tenant

# The SDK takes plain dictionaries; its types want its own.
HELLO: Any = [{"role": "user", "content": "Count to five."}]


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


@pytest.fixture
def sdk(site: Site, alice: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=alice.text) as client:
        yield client


def test_answers(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    answer = sdk.chat.completions.create(model=MODEL, messages=HELLO)

    assert answer.choices[0].message.content == "one two three four five "
    assert answer.model == MODEL
    assert answer.usage is not None
    assert answer.usage.total_tokens == 16
    entry, _ = alice.the_call()
    assert Decimal(answer.usage.cost) == entry.amount_usd  # type: ignore[attr-defined]  # ours
    assert upstream.served == 1


def test_streams_with_usage_when_asked(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    chunks = list(
        sdk.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )

    *said, last = chunks
    text = "".join(chunk.choices[0].delta.content or "" for chunk in said)
    assert text == "one two three four five "
    assert all(chunk.usage is None for chunk in said)
    reasons = [chunk.to_dict()["choices"][0]["finish_reason"] for chunk in said]  # type: ignore[index]
    assert reasons == [None] * 5 + ["stop"]
    assert (last.choices, last.usage and last.usage.total_tokens) == ([], 16)
    entry, record = alice.the_call()
    assert Decimal(last.usage.cost) == entry.amount_usd  # type: ignore[union-attr]  # ours
    assert record.is_streamed
    assert record.outcome == "completed"


def test_streams_without_usage_but_charges_it(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    chunks = list(sdk.chat.completions.create(model=MODEL, messages=HELLO, stream=True))

    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)
    entry, _ = alice.the_call()
    assert (entry.kind, entry.tokens) == ("charge", 16)
    # The provider is asked all the same: what it does not report would have to be guessed.
    assert upstream.requests[0]["stream_options"] == {"include_usage": True}


def test_calls_tools(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    called = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    upstream.script.message = {"role": "assistant", "content": None, "tool_calls": [called]}
    tool: Any = {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }

    answer = sdk.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        tools=[tool],
        tool_choice="auto",
        parallel_tool_calls=False,
    )

    (call,) = answer.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert answer.choices[0].message.to_dict()["content"] is None
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Oslo"}')
    assert upstream.requests[0]["tools"] == [tool]
    assert alice.the_call()[0].kind == "charge"

    # The SDK's own message objects go back as they came.
    upstream.script.message = None
    answered: Any = [
        *HELLO,
        answer.choices[0].message,
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
    ]
    sdk.chat.completions.create(model=MODEL, messages=answered)
    assert upstream.requests[1]["messages"][1]["tool_calls"] == [called]


def test_asks_for_a_schema(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    upstream.script.words = ('{"city": "Oslo"}',)
    schema: Any = {
        "name": "place",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    }

    form: Any = {"type": "json_schema", "json_schema": schema}
    answer = sdk.chat.completions.create(model=MODEL, messages=HELLO, response_format=form)

    assert answer.choices[0].message.content == '{"city": "Oslo"}'
    assert upstream.requests[0]["response_format"] == {"type": "json_schema", "json_schema": schema}


def test_gives_several_choices(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    upstream.script.usage = {"prompt_tokens": 11, "completion_tokens": 10, "total_tokens": 21}

    answer = sdk.chat.completions.create(model=MODEL, messages=HELLO, n=2, max_tokens=100)

    assert [choice.index for choice in answer.choices] == [0, 1]
    entry, record = alice.the_call()
    assert record.output_tokens == 10
    # Each choice may use the whole cap, and that is what was held.
    assert entry.held_usd > 200 * Decimal(tenants.OUTPUT_USD)


def test_passes_on_what_the_sdk_can_ask(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    sdk.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": [{"type": "text", "text": "Count."}]}],
        max_completion_tokens=77,
        temperature=0.5,
        top_p=0.9,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        stop=["six"],
        seed=7,
        logit_bias={"50256": -100},
        user="dave",
        metadata={"tags": "search,beta", "session": "s-1", "team": "red"},
    )

    (asked,) = upstream.requests
    assert {
        name: asked[name]
        for name in ("max_tokens", "temperature", "top_p", "stop", "seed", "logit_bias")
    } == {
        "max_tokens": 77,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["six"],
        "seed": 7,
        "logit_bias": {"50256": -100},
    }
    # Who asks is our business, not the provider's.
    assert not {"user", "metadata", "safety_identifier"} & set(asked)
    _, record = alice.the_call()
    assert (record.tags, record.end_user, record.session) == (["beta", "search"], "dave", "s-1")
    assert record.metadata == {"team": "red"}


def test_lists_the_models_a_key_may_call(sdk: openai.OpenAI) -> None:
    listed = [model.id for model in sdk.models.list()]

    assert MODEL in listed
    assert not {tenants.UNPRICED, tenants.UNCONNECTED} & set(listed)
    assert sdk.models.retrieve(MODEL).owned_by == "test"


def test_sends_a_call_once_when_the_budget_is_used_up(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="0")
    sent: list[object] = []
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=alice.text) as sdk:
        sdk._client.event_hooks["request"] = [sent.append]
        with pytest.raises(openai.RateLimitError) as refused:
            sdk.chat.completions.create(model=MODEL, messages=HELLO)

    assert len(sent) == 1
    assert refused.value.code == "budget_exceeded"
    assert refused.value.type == "insufficient_quota"
    assert not upstream.requests


def test_tells_errors_apart(site: Site, alice: Tenant, upstream: Upstream) -> None:
    with (
        openai.OpenAI(base_url=f"{site.url}/v1", api_key="sk-unknown") as stranger,
        pytest.raises(openai.AuthenticationError, match="API key"),
    ):
        stranger.chat.completions.create(model=MODEL, messages=HELLO)

    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=alice.text) as sdk:
        with pytest.raises(openai.BadRequestError, match="api_base"):
            sdk.chat.completions.create(
                model=MODEL, messages=HELLO, extra_body={"api_base": "http://127.0.0.1:1"}
            )
        with pytest.raises(openai.NotFoundError, match="no/such"):
            sdk.chat.completions.create(model="no/such", messages=HELLO)
        with pytest.raises(openai.BadRequestError, match="is for chat"):
            sdk.embeddings.create(model=MODEL, input="x")
        with pytest.raises(openai.NotFoundError):
            sdk.images.edit(model=MODEL, image=b"x", prompt="x")

    assert not upstream.requests
    assert not alice.journal()
