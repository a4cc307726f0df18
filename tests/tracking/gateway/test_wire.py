"""What only the pass-through door does: chunks as they came, bytes, forms, and judged addresses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from budgets.core.money import ZERO_USD
from tracking.gateway import failures, providers
from tracking.gateway.doors.call import Event, ProviderCall, Route
from tracking.gateway.endpoints.chat import ChatEvents
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest

OURS = "acme/model"
# By the port of a provider.
ANSWERS: dict[int | None, Any] = {}


@pytest.fixture
async def provider() -> AsyncIterator[TestServer]:
    """A provider that answers at any address, as the test says with ``answers()``."""

    async def answer(request: web.Request) -> web.StreamResponse:
        given: web.StreamResponse = await ANSWERS[server.port](request)
        return given

    app = web.Application()
    app.router.add_post("/v1/{endpoint:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    yield server
    await providers.close()
    await server.close()


def call_of(
    server: TestServer, *, endpoint: str = "chat.completions", **asked: Any
) -> ProviderCall:
    return ProviderCall(
        route=Route(
            "test", "openai_compatible", "hosted_vllm/m", str(server.make_url("/v1/")), "k"
        ),
        endpoint=endpoint,
        parameters=asked,
        timeout_s=30,
    )


def answers(server: TestServer, answer: Any) -> None:
    ANSWERS[server.port] = answer


async def test_sends_a_file_as_a_form_and_takes_text(provider: TestServer) -> None:
    seen: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        seen.update({name: form.getall(name) for name in form})
        seen["file"] = [(one.filename, one.file.read(), one.content_type) for one in seen["file"]]
        return web.Response(text="1\n00:00 --> 00:01\nHello", content_type="text/plain")

    answers(provider, answer)
    call = call_of(
        provider,
        endpoint="audio.transcriptions",
        file=("speech.wav", b"RIFF", "audio/wav"),
        response_format="srt",
        temperature=0.5,
        **{"timestamp_granularities[]": ["word", "segment"]},
    )

    reply = await providers.send(call)

    assert (reply.content_type, reply.content[:2]) == ("text/plain", b"1\n")
    assert seen == {
        "model": ["m"],
        "file": [("speech.wav", b"RIFF", "audio/wav")],
        "response_format": ["srt"],
        "temperature": ["0.5"],
        "timestamp_granularities[]": ["word", "segment"],
    }


async def test_takes_bytes_for_speech(provider: TestServer) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"\xff\xfb\x90", content_type="audio/mpeg")

    answers(provider, answer)

    reply = await providers.send(call_of(provider, endpoint="audio.speech", input="Hello"))

    assert (reply.content_type, reply.content) == ("audio/mpeg", b"\xff\xfb\x90")


async def test_follows_no_redirect_and_repeats_no_key(provider: TestServer) -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/v1/elsewhere"})

    answers(provider, answer)

    with pytest.raises(failures.ProviderError) as failed:
        await providers.send(call_of(provider))

    assert seen == ["/v1/chat/completions"]
    assert not failed.value.may_be_billed


async def test_tells_what_the_provider_said_without_the_key(provider: TestServer) -> None:
    async def answer(request: web.Request) -> web.Response:
        key = request.headers["Authorization"].removeprefix("Bearer ")
        body = {"error": {"message": f"not with {key}:tch"}}
        return web.json_response(body, status=400, headers={"Retry-After": "7"})

    answers(provider, answer)

    with pytest.raises(failures.ProviderRefused) as failed:
        await providers.send(call_of(provider))

    assert failed.value.message.endswith("test says: not with ***:tch")
    assert failed.value.details["retry_after_s"] == 7


def frame(**fields: Any) -> Event:
    """Write a chunk as providers do."""
    body = {"id": "c", "model": "theirs", **fields}
    raw = b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"
    return Event(body, raw)


SAYS = [{"index": 0, "delta": {"content": "one"}, "finish_reason": None}]
# A text that looks like what is looked for, and numbers that a reader and a writer would not keep.
TRICKY = [
    {
        "index": 0,
        "delta": {"content": '{"model":"theirs"},"usage":null'},
        "logprob": -0.1000000000000000055,
        "finish_reason": None,
    }
]


@pytest.mark.parametrize("tells_usage", [False, True])
@pytest.mark.parametrize("usage", [{}, {"usage": None}, {"usage": {"prompt_tokens": 3}}])
@pytest.mark.parametrize("choices", [SAYS, TRICKY, []])
def test_a_chunk_passed_on_as_it_came_says_what_a_written_one_would(
    choices: list[Any], usage: dict[str, Any], tells_usage: bool
) -> None:
    event = frame(choices=choices, **usage)
    as_it_came, written = events_of(tells_usage=tells_usage), events_of(tells_usage=tells_usage)

    passed, read = as_it_came.pass_on(event), written.read(event.body)

    assert _read(passed) == _read(read)
    for name in ("usage", "finish_reason", "provider_request_id", "has_begun", "texts"):
        assert getattr(as_it_came, name) == getattr(written, name)
    assert as_it_came.ended(cost_usd=ZERO_USD) == written.ended(cost_usd=ZERO_USD)


def test_a_chunk_keeps_its_bytes() -> None:
    raw = b'data: {"model":"theirs","x":12345678901234567890123,"choices":[{"delta":{"content":"1"}}]}\n\n'
    event = Event(json.loads(raw[6:]), raw)

    passed = events_of(tells_usage=True).pass_on(event)

    assert passed == raw.replace(b"theirs", OURS.encode()).replace(b"]}\n", b'],"usage":null}\n')


def events_of(*, tells_usage: bool) -> ChatEvents:
    """Make the reader of a stream that tells its usage, or does not."""
    asked = {
        "model": OURS,
        "messages": [{"role": "user", "content": "Count."}],
        "stream": True,
        "stream_options": {"include_usage": tells_usage},
    }
    return ChatEvents(request=ChatCompletionRequest.model_validate(asked), model=OURS)


def _read(passed: bytes) -> Any:
    return json.loads(passed.removeprefix(b"data: ")) if passed else None
