"""Providers that speak the dialect themselves: what was asked and what came is passed on, and charged."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import RESPONDING, WRITING, Tenant

BOTH_WAYS = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
TEXT = "one two three four five "
RATES = {
    name: Fraction(rate)
    for name, rate in {
        "input": tenants.INPUT_USD,
        "cached": tenants.CACHED_USD,
        "write": tenants.WRITE_USD,
        "write_1h": tenants.WRITE_1H_USD,
        "output": tenants.OUTPUT_USD,
        "reasoning": tenants.REASONING_USD,
    }.items()
}
PATHS = {WRITING: "/v1/messages", RESPONDING: "/v1/responses"}


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


def call(site: Site, tenant: Tenant, model: str, **asked: Any) -> tuple[int, Any]:
    """Make a call: the status, and the body or the events."""
    hello: Any = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 50}
    if model == RESPONDING:
        hello = {"input": "Count.", "max_output_tokens": 50}
    with site.client(tenant.text) as client:
        answer = client.post(PATHS[model], json={"model": model, **hello, **asked})
    if answer.headers["content-type"] != "text/event-stream":
        return answer.status_code, answer.json()
    return answer.status_code, [
        json.loads(frame.partition("\ndata: ")[2]) for frame in answer.text.split("\n\n") if frame
    ]


def charge(**units: int) -> Fraction:
    """Price units by fractions."""
    return sum((count * RATES[name] for name, count in units.items()), Fraction(0))


@BOTH_WAYS
def test_charges_what_a_message_used(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.usage = {
        "input_tokens": 1_000,
        "cache_read_input_tokens": 333,
        "cache_creation_input_tokens": 777,
        "cache_creation": {"ephemeral_5m_input_tokens": 700, "ephemeral_1h_input_tokens": 77},
        "output_tokens": 55,
    }
    cached = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    lasting = {**cached, "cache_control": {"type": "ephemeral", "ttl": "1h"}}

    status, told = call(
        site, alice, WRITING, stream=is_streamed, system=[cached, lasting], top_k=7,
        metadata={"user_id": "dave"}, thinking={"type": "enabled", "budget_tokens": 2_000},
    )  # fmt: skip

    assert status == 200
    expected = charge(input=1_000, cached=333, write=700, write_1h=77, output=55)
    entry, record = alice.the_call()
    assert (entry.kind, record.usage_source, record.endpoint) == ("charge", "provider", "messages")
    assert Fraction(entry.amount_usd) == expected
    assert (record.input_tokens, record.cache_write_tokens) == (2_110, 777)
    assert (record.end_user, record.provider_request_id) == ("dave", "msg_upstream")
    usage = told[-2]["usage"] if is_streamed else told["usage"]
    assert Fraction(usage["cost"]) == expected
    assert usage["cache_creation"] == upstream.script.usage["cache_creation"]
    asked, headers = upstream.requests[0], upstream.headers[0]
    assert asked["system"] == [cached, lasting]
    assert (asked["model"], asked["max_tokens"], asked["top_k"]) == ("plain", 50, 7)
    assert "metadata" not in asked
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-ant-secret", "2023-06-01")
    assert "Authorization" not in headers


@BOTH_WAYS
def test_charges_what_a_response_used(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.usage = {
        "input_tokens": 1_000,
        "input_tokens_details": {"cached_tokens": 333},
        "output_tokens": 77,
        "output_tokens_details": {"reasoning_tokens": 22},
        "total_tokens": 1_077,
    }

    status, told = call(
        site, alice, RESPONDING, stream=is_streamed, user="dave", metadata={"tags": "a"},
        reasoning={"effort": "low", "summary": "auto"}, include=["reasoning.encrypted_content"],
    )  # fmt: skip

    assert status == 200
    expected = charge(input=667, cached=333, output=55, reasoning=22)
    entry, record = alice.the_call()
    assert (entry.kind, record.usage_source, record.endpoint) == ("charge", "provider", "responses")
    assert Fraction(entry.amount_usd) == expected
    assert (record.reasoning_tokens, record.end_user, record.tags) == (22, "dave", ["a"])
    assert (record.finish_reason, record.provider_request_id) == ("completed", "resp_upstream")
    whole = told[-1]["response"] if is_streamed else told
    assert Fraction(whole["usage"]["cost"]) == expected
    assert whole["model"] == RESPONDING
    asked = upstream.requests[0]
    assert (asked["input"], asked["max_output_tokens"], asked["store"]) == ("Count.", 50, False)
    assert asked["reasoning"] == {"effort": "low", "summary": "auto"}
    assert not {"user", "metadata"} & set(asked)


@pytest.mark.parametrize("model", PATHS)
def test_passes_events_on_as_they_came(
    site: Site, alice: Tenant, upstream: Upstream, model: str
) -> None:
    _, events = call(site, alice, model, stream=True)

    kinds = [event["type"] for event in events]
    if model == WRITING:
        assert kinds[0] == "message_start"
        assert kinds[-2:] == ["message_delta", "message_stop"]
        assert events[0]["message"]["model"] == WRITING
        assert "ping" in kinds
        said = [event["delta"]["text"] for event in events if event["type"].endswith("block_delta")]
    else:
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.completed"
        said = [event["delta"] for event in events if event["type"].endswith("text.delta")]
    assert "".join(said) == TEXT
    assert alice.the_call()[1].is_streamed


@BOTH_WAYS
@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0, "output_tokens": 0}, "none"])
@pytest.mark.parametrize("model", PATHS)
def test_counts_when_usage_is_missing(
    site: Site, alice: Tenant, upstream: Upstream, model: str, usage: Any, is_streamed: bool
) -> None:
    upstream.script.usage = usage

    status, told = call(site, alice, model, stream=is_streamed)

    assert status == 200
    entry, record = alice.the_call()
    assert (entry.kind, record.usage_source) == ("estimate", "counted")
    assert 4 <= record.output_tokens <= 8
    assert 0 < entry.amount_usd < entry.held_usd
    assert "cost" in json.dumps(told)


@pytest.mark.parametrize("model", PATHS)
def test_tells_of_a_stream_that_broke_off(
    site: Site, alice: Tenant, upstream: Upstream, model: str
) -> None:
    upstream.script.breaks_after = 3

    status, events = call(site, alice, model, stream=True)

    assert status == 200
    assert events[-1]["type"] == "error"
    error = events[-1]["error"] if model == WRITING else events[-1]
    assert error["code"] == "provider_error"
    entry, record = alice.the_call()
    assert (entry.kind, record.outcome, record.usage_source) == (
        "estimate",
        "interrupted",
        "counted",
    )


@pytest.mark.parametrize("model", PATHS)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"data: [DONE]\n\n",
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
        b'data: {"type": "error", "code": "server_error", "message": "no"}\n\n',
        b'data: {"type": "response.created", "response": {}}\n\n',
    ],
)
def test_charges_the_hold_when_a_stream_is_none(
    site: Site, alice: Tenant, upstream: Upstream, model: str, raw: bytes
) -> None:
    upstream.script.raw = raw
    upstream.script.content_type = "text/event-stream"

    status, told = call(site, alice, model, stream=True)

    assert (status, told["error"]["code"]) == (502, "provider_error")
    entry, record = alice.the_call()
    assert (entry.kind, entry.amount_usd, record.usage_source) == (
        "estimate",
        entry.held_usd,
        "assumed",
    )


@BOTH_WAYS
@pytest.mark.parametrize("model", PATHS)
@pytest.mark.parametrize(
    "answered", [(400, 400), (401, 502), (404, 400), (429, 429), (500, 502), (529, 502)]
)
def test_is_free_when_the_provider_refuses(
    site: Site,
    alice: Tenant,
    upstream: Upstream,
    model: str,
    answered: tuple[int, int],
    is_streamed: bool,
) -> None:
    upstream.script.status, told = answered
    upstream.script.body = {
        "type": "error",
        "error": {"type": "x", "message": "No, sk-ant-secret, sk-upstream-secret."},
    }

    found, body = call(site, alice, model, stream=is_streamed)

    assert found == told
    key = "sk-ant-secret" if model == WRITING else "sk-upstream-secret"
    assert key not in json.dumps(body)
    entry, _ = alice.the_call()
    assert entry.kind == "release"
    assert entry.amount_usd == 0


def test_chats_with_what_speaks_in_messages(site: Site, alice: Tenant, upstream: Upstream) -> None:
    hello = {"model": WRITING, "messages": [{"role": "user", "content": "Count."}]}
    with site.client(alice.text) as client:
        answer = client.post("/v1/chat/completions", json=hello)

    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    entry, _ = alice.the_call()
    assert Fraction(entry.amount_usd) == charge(input=11, output=5)


def test_lowers_thinking_with_the_cap(site: Site, upstream: Upstream) -> None:
    """What the budget left pays for must do for thinking and for an answer."""
    poor = tenants.tenant(limit="0.002")

    status, _ = call(
        site, poor, WRITING, max_tokens=16_000, thinking={"type": "enabled", "budget_tokens": 8_000}
    )

    assert status == 200
    asked = upstream.requests[0]
    assert asked["max_tokens"] < 8_000
    assert "thinking" not in asked or asked["thinking"]["budget_tokens"] < asked["max_tokens"]
