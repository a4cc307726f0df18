"""Whatever JSON a provider answers with is read, or is taken for no answer; it never breaks the reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.http.errors import InternalError
from budgets.http.wire import json_bytes
from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tracking.gateway.test_any_request import PRICED
from tests.tracking.pricing.strategies import patient
from tracking.gateway.doors import wire
from tracking.gateway.doors.call import ESSENTIAL, Event, ProviderCall, Route
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.table import ENDPOINTS
from tracking.gateway.failures import NONSENSE, ProviderFailure

ROUTE = Route("test", "openai_compatible", "hosted_vllm/plain", "http://127.0.0.1:1", "k")
NATIVE_ROUTES = {
    "messages": replace(ROUTE, kind="anthropic_compatible"),
    "responses": replace(ROUTE, mode="responses"),
}
NAMES = st.sampled_from(
    [
        "choices",
        "message",
        "delta",
        "content",
        "finish_reason",
        "text",
        "index",
        "logprobs",
        "tool_calls",
        "function",
        "arguments",
        "audio",
        "refusal",
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "input_tokens_details",
        "output_tokens_details",
        "cache_creation",
        "cost",
        "data",
        "embedding",
        "b64_json",
        "url",
        "results",
        "categories",
        "category_scores",
        "relevance_score",
        "document",
        "meta",
        "billed_units",
        "search_units",
        "tokens",
        "output",
        "type",
        "summary",
        "id",
        "model",
        "service_tier",
        "response",
        "message_start",
        "content_block",
        "stop_reason",
        "role",
        "segments",
        "start",
        "end",
        "duration",
        "seconds",
        "size",
        "quality",
        "name",
        "input",
        "status",
        "incomplete_details",
        "reason",
        "item",
        "part",
    ]
)
KINDS = st.sampled_from(
    [
        "message",
        "text",
        "tool_use",
        "thinking",
        "output_text",
        "function_call",
        "reasoning",
        "refusal",
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "response.created",
        "response.completed",
        "response.failed",
        "response.incomplete",
        "response.output_text.delta",
        "response.output_item.done",
        "ping",
        "error",
        "tokens",
        "duration",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**66), max_value=2**66)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=6)
ANSWERS = st.lists(BODIES, max_size=3) | st.text(max_size=5) | VALUES
# What makes something an answer of these endpoints: without it, it is none, and is not read at all.
PARTS: Mapping[str, st.SearchStrategy[Any]] = {
    "chat.completions": st.fixed_dictionaries({"message": BODIES}),
    "embeddings": st.fixed_dictionaries({"embedding": st.lists(st.floats(width=32), max_size=3)}),
}
ASKED: Mapping[str, dict[str, Any]] = {
    "chat.completions": {"messages": [{"role": "user", "content": "a"}]},
    "responses": {"input": "a"},
    "messages": {"messages": [{"role": "user", "content": "a"}], "max_tokens": 5},
    "completions": {"prompt": "a"},
    "embeddings": {"input": "a", "encoding_format": "base64"},
    "moderations": {"input": "a"},
    "rerank": {"query": "a", "documents": ["b"]},
    "images.generations": {"prompt": "a"},
    "audio.speech": {"input": "a", "voice": "b"},
}
JSON_ENDPOINTS = [e for e in ENDPOINTS if e.told_as is not None]
STREAMED = [e for e in ENDPOINTS if "stream" in e.shape.model_fields]


def asked_of(endpoint: Endpoint[Any]) -> Any:
    if endpoint.name == "audio.transcriptions":
        file = {"name": "a.mp3", "content": b"a"}
        return endpoint.shape(model="m", file=file, response_format="srt")
    return endpoint.shape(model="m", **ASKED[endpoint.name])


def ways_of(endpoint: Endpoint[Any]) -> list[Route]:
    """As a chat, or what else the endpoint is, and in its own dialect."""
    return [ROUTE, *(route for name, route in NATIVE_ROUTES.items() if name == endpoint.name)]


@pytest.mark.parametrize(
    ("endpoint", "route"),
    [
        pytest.param(endpoint, route, id=f"{endpoint.name} as {endpoint.sent_as(route=route)}")
        for endpoint in JSON_ENDPOINTS
        for route in ways_of(endpoint)
    ],
)
def test_reads_any_whole_answer(endpoint: Endpoint[Any], route: Route) -> None:
    call = ProviderCall(route, endpoint.sent_as(route=route), {}, 1)
    parts = st.builds(dict.__or__, BODIES, PARTS.get(call.endpoint, st.just({})))
    read = 0

    @settings(patient, max_examples=60)
    @given(body=BODIES, answer=st.lists(parts, max_size=3) | ANSWERS)
    def check(body: Any, answer: Any) -> None:
        nonlocal read
        read += is_read(endpoint, call, {**body, ESSENTIAL[call.endpoint]: answer})

    check()
    assert read


def is_read(endpoint: Endpoint[Any], call: ProviderCall, body: dict[str, Any]) -> bool:
    """Read all that is read of an answer; False if it is taken for none."""
    request = asked_of(endpoint)
    try:
        reply = wire.read_reply(call, "application/json", json.dumps(body).encode())
        reply = endpoint.translated(request=request, reply=reply)
        endpoint.usage(request=request, reply=reply)
        endpoint.measured(request=request, reply=reply, model=PRICED)
        texts = endpoint.texts(reply=reply)
        names = (
            endpoint.service_tier(request=request, reply=reply),
            endpoint.finish_reason(reply=reply),
            endpoint.provider_request_id(reply=reply),
        )
    except (ProviderFailure, *NONSENSE):
        return False
    assert texts is None or all(isinstance(text, str) for text in texts)
    assert all(isinstance(name, str) for name in names)
    # It is charged by now: that it is told must not fail.
    json_bytes(endpoint.told(reply=reply, model="m", cost_usd=Decimal(1)).body)
    return True


@settings(patient, max_examples=60)
@given(bodies=st.lists(BODIES, max_size=6))
@pytest.mark.parametrize("endpoint", STREAMED, ids=lambda endpoint: endpoint.name)
def test_reads_any_events(endpoint: Endpoint[Any], bodies: list[Any]) -> None:
    reader = endpoint.events(request=asked_of(endpoint), model="m")
    told, is_broken = b"", False

    for body in bodies:
        try:
            told += reader.pass_on(Event(body, b"data: " + json.dumps(body).encode() + b"\n\n"))
        except NONSENSE:
            is_broken = True
            break
    texts = reader.texts
    assert texts is None or all(isinstance(text, str) for text in texts)
    assert isinstance(reader.is_whole, bool)
    told += reader.failed(InternalError()) if is_broken else reader.ended(cost_usd=Decimal(1))

    assert told.endswith(b"\n\n") or not told
    for line in told.split(b"\n"):
        assert line.startswith((b"data: ", b"event: ")) or not line


SENSELESS = b'{"choices": [1], "data": [2], "results": {}, "output": 3, "content": "a", "text": {}}'
CALLED = {
    "chat.completions": tenants.MODEL,
    "responses": tenants.RESPONDING,
    "messages": tenants.WRITING,
    "completions": "test/completion",
    "embeddings": "test/embedding",
    "moderations": "test/moderation",
    "images.generations": "test/image",
    "audio.speech": "test/tts",
}


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize(
    ("content", "content_type"),
    [(SENSELESS, "application/json"), (b"<script>alert(1)</script>", "text/html")],
)
def test_takes_what_makes_no_sense_for_no_answer(
    site: Site, upstream: Upstream, name: str, content: bytes, content_type: str
) -> None:
    """Nothing of it reaches the client, and since the provider may bill it, the hold is charged."""
    alice = tenants.tenant()
    upstream.script.raw, upstream.script.content_type = content, content_type

    with site.client(alice.text) as client:
        answer = client.post(
            f"/v1/{name.replace('.', '/')}", json={"model": CALLED[name], **ASKED[name]}
        )

    assert answer.status_code == 502, answer.text
    assert answer.json()["error"]["code"] == "provider_error"
    entry, record = alice.the_call()
    assert (record.outcome, record.usage_source, entry.kind) == ("unknown", "assumed", "estimate")
    assert entry.amount_usd > 0 or name == "moderations"


@pytest.mark.parametrize(("name", "essential"), [("responses", "output"), ("messages", "content")])
def test_takes_an_answer_in_two_dialects_for_none(
    site: Site, upstream: Upstream, name: str, essential: str
) -> None:
    alice = tenants.tenant()
    upstream.script.raw = json.dumps({essential: [], "choices": 1}).encode()
    upstream.script.content_type = "application/json"

    with site.client(alice.text) as client:
        answer = client.post(f"/v1/{name}", json={"model": CALLED[name], **ASKED[name]})

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_error")
    entry, record = alice.the_call()
    assert (record.outcome, entry.kind, entry.amount_usd) == ("unknown", "estimate", entry.held_usd)


CUT = b'data: {"id": "c", "choices": [{"index": 0, "%b}]}\n\n'
HALF = {
    "chat.completions": (tenants.MODEL, CUT % b'delta": {"content": "one "}'),
    "responses": (tenants.MODEL, CUT % b'delta": {"content": "one "}'),
    "messages": (tenants.MODEL, CUT % b'delta": {"content": "one "}'),
    "completions": ("test/completion", CUT % b'text": "one "'),
}


@pytest.mark.parametrize("name", HALF)
def test_tells_of_a_stream_that_ends_without_saying_why(
    site: Site, upstream: Upstream, name: str
) -> None:
    """A connection that breaks where no length was told looks like one that ends."""
    alice = tenants.tenant()
    model, upstream.script.raw = HALF[name]
    upstream.script.content_type = "text/event-stream"

    with site.client(alice.text) as client:
        answer = client.post(
            f"/v1/{name.replace('.', '/')}", json={**ASKED[name], "model": model, "stream": True}
        )

    assert (answer.status_code, "one " in answer.text) == (200, True)
    assert "provider_error" in answer.text
    entry, record = alice.the_call()
    assert (entry.kind, record.outcome, record.usage_source) == (
        "estimate",
        "interrupted",
        "counted",
    )
