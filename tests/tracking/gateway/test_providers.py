"""The door to providers, without the site before it: what comes out of it, and what an error means.

Whether a failed call may be billed decides whether its caller is charged, so the same ends are
checked for each door, and for each of the library's ways to a provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from budgets.http import outbound
from tests.fakes.upstream import Gate, Script, Upstream
from tests.serving import eventually
from tracking.gateway import failures, providers
from tracking.gateway.doors import sessions
from tracking.gateway.doors.call import ProviderCall, Route

WAYS = {
    "the wire": ("openai_compatible", "hosted_vllm/plain", "wire"),
    "the library": ("openai_compatible", "hosted_vllm/plain", "library"),
    "the library's OpenAI client": ("litellm", "openai/gpt-4o-mini", "library"),
}
UNBILLED = {
    400: failures.ProviderRefused,
    401: failures.ProviderAuthFailed,
    403: failures.ProviderAuthFailed,
    404: failures.ProviderRefused,
    408: failures.ProviderError,
    429: failures.ProviderRateLimited,
    500: failures.ProviderError,
    502: failures.ProviderError,
    503: failures.ProviderError,
    529: failures.ProviderError,
}

# The library builds some of its types at the first call, and one of them in a way that warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*' attribute:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await providers.close()


@pytest.fixture(params=WAYS)
def call(request: pytest.FixtureRequest, upstream: Upstream) -> ProviderCall:
    kind, model, door = WAYS[request.param]
    return ProviderCall(
        route=Route("test", kind, model, upstream.url, "sk-upstream-secret", door=door),
        endpoint="chat.completions",
        parameters=asked("Count."),
        timeout_s=30,
    )


@pytest.fixture(params=["whole", "streamed"])
def send(request: pytest.FixtureRequest) -> Callable[[ProviderCall], Awaitable[list[Any]]]:
    """Send a call one way or the other, and give what came of it."""

    async def whole(call: ProviderCall) -> list[Any]:
        return [(await providers.send(call)).body]

    async def streamed(call: ProviderCall) -> list[Any]:
        return [event.body async for block in providers.stream(call) for event in block]

    return whole if request.param == "whole" else streamed


Send = Callable[[ProviderCall], Awaitable[list[Any]]]


async def test_answers_with_the_providers_usage(call: ProviderCall, send: Send) -> None:
    answers = await send(call)

    assert answers[-1]["usage"]["prompt_tokens"] == 11
    assert answers[-1]["usage"]["completion_tokens"] == 5


async def test_reports_no_usage_that_the_provider_did_not(
    call: ProviderCall, send: Send, upstream: Upstream
) -> None:
    upstream.script.usage = None

    answers = await send(call)

    counted = [answer.get("usage") or {} for answer in answers]
    assert not any(usage.get("completion_tokens") for usage in counted)


@pytest.mark.parametrize("status", UNBILLED)
async def test_an_answer_with_an_error_is_not_billed(
    call: ProviderCall, send: Send, upstream: Upstream, status: int
) -> None:
    upstream.script.status = status

    with pytest.raises(failures.ProviderFailure) as failed:
        await send(call)

    assert type(failed.value) is UNBILLED[status]
    assert not failed.value.may_be_billed
    assert failed.value.details["provider"] == "test"
    assert len(upstream.requests) == 1  # Never tried again behind our back.


async def test_a_provider_that_was_never_reached_does_not_bill(
    call: ProviderCall, send: Send
) -> None:
    nowhere = replace(call, route=replace(call.route, base_url="http://127.0.0.1:9/v1"))

    with pytest.raises(failures.ProviderUnavailable) as failed:
        await send(nowhere)

    assert not failed.value.may_be_billed


@pytest.mark.parametrize(
    "script",
    [
        Script(breaks=True),
        Script(raw=b"<html>Bad gateway</html>", content_type="text/html"),
        Script(raw=b'{"choices": ['),
    ],
    ids=["broken off", "HTML", "half a JSON"],
)
async def test_an_answer_that_makes_no_sense_may_be_billed(
    call: ProviderCall, send: Send, upstream: Upstream, script: Script
) -> None:
    upstream.script = script

    try:
        answers = await send(call)
    except failures.ProviderFailure as failure:
        assert failure.may_be_billed  # noqa: PT017  either this, or what stands below
    else:
        # The library ends a stream of nothing as if it had been whole: nothing is said, and no
        # usage reported, which the caller takes for what it is.
        assert not any(
            choice.get("delta") or answer.get("usage")
            for answer in answers
            for choice in answer["choices"]
        )


async def test_a_provider_that_does_not_answer_in_time_may_bill(
    call: ProviderCall, send: Send, upstream: Upstream
) -> None:
    gate = upstream.script.gate = Gate()
    # The first call of a loop opens its connections, which a busy machine may take its time for.
    with pytest.raises(failures.ProviderTimeout) as failed:
        await send(replace(call, timeout_s=1))
    gate.open()

    assert failed.value.may_be_billed


async def test_a_stream_that_breaks_off_before_its_first_chunk_may_be_billed(
    call: ProviderCall, upstream: Upstream
) -> None:
    upstream.script.breaks_after = 0

    with pytest.raises(failures.ProviderInterrupted) as failed:
        await anext(providers.stream(call))

    assert failed.value.may_be_billed


async def test_a_stream_that_breaks_off_gives_what_came_before(
    call: ProviderCall, upstream: Upstream
) -> None:
    upstream.script.breaks_after = 3
    said = ""

    async def read() -> None:
        nonlocal said
        async for block in providers.stream(call):
            for event in block:
                said += event.body["choices"][0]["delta"].get("content", "")

    with pytest.raises(failures.ProviderInterrupted) as failed:
        await read()

    assert said == "one two three "
    assert failed.value.may_be_billed


async def test_a_deadline_ends_the_stream_and_not_whoever_reads_it(
    call: ProviderCall, upstream: Upstream
) -> None:
    """A slow client keeps the reader elsewhere while the deadline passes."""
    upstream.script.words = tuple(f"{n} " for n in range(2000))
    upstream.script.word_wait_s = 0.01

    async def read_slowly() -> None:
        async for _ in providers.stream(replace(call, timeout_s=1)):
            await asyncio.sleep(1.2)

    with pytest.raises(failures.ProviderTimeout):
        await read_slowly()


async def test_a_stream_that_is_closed_lets_go_of_the_provider(
    call: ProviderCall, upstream: Upstream
) -> None:
    upstream.script.gate = Gate()
    upstream.script.gate_before_word = 1

    async with aclosing(providers.stream(call)) as chunks:
        await anext(chunks)

    await asyncio.to_thread(eventually, lambda: upstream.aborted == 1)


@pytest.mark.parametrize(
    ("model", "prompt", "text", "usage"),
    [
        ("small", "[[tokens=3]] Hi", "This is the", (12, 3)),
        ("large", "[[tokens=3]] Hi", "This is the", (12, 3)),
        ("small", "Hi " * 10, None, (14, 32)),
    ],
)
async def test_the_demo_counts_true_tokens(
    send: Send, model: str, prompt: str, text: str | None, usage: tuple[int, int]
) -> None:
    answers = await send(demo(model, prompt))

    said = "".join(
        (choice.get("message") or choice.get("delta") or {}).get("content") or ""
        for answer in answers
        for choice in answer["choices"]
    )
    if text is not None:
        assert said.strip() == text
    told = answers[-1]["usage"]
    assert (told["prompt_tokens"], told["completion_tokens"]) == usage


async def test_the_demo_stops_at_its_cap(send: Send) -> None:
    answers = await send(demo("small", "[[tokens=500]]", cap=7))

    assert answers[-1]["usage"]["completion_tokens"] == 7
    reasons = {
        choice.get("finish_reason") for answer in answers for choice in answer.get("choices", ())
    }
    assert "length" in reasons


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_the_demo_fails_when_told(send: Send, status: int) -> None:
    with pytest.raises(UNBILLED[status]):
        await send(demo("small", f"[[fail={status}]]"))


def asked(prompt: str, *, cap: int = 50) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}], "max_tokens": cap}


def demo(model: str, prompt: str, *, cap: int = 50) -> ProviderCall:
    return ProviderCall(
        route=Route("demo", "demo", f"demo/{model}"),
        endpoint="chat.completions",
        parameters=asked(prompt, cap=cap),
        timeout_s=30,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "rebound.example"])
async def test_calls_no_address_of_our_own_network_unless_it_is_listed(
    call: ProviderCall,
    send: Callable[[ProviderCall], Awaitable[list[Any]]],
    upstream: Upstream,
    host: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the name stood for when it was saved: what it stands for at the call is judged."""
    settings.COSTSITE_PROVIDER_NETWORKS = []

    def rebound(*, host: str, port: int) -> list[str]:
        return (
            ["10.0.0.7"]
            if host == "rebound.example"
            else outbound.addresses_of(host=host, port=port)
        )

    monkeypatch.setattr(sessions, "addresses_of", rebound)
    address = upstream.url.replace("127.0.0.1", host)
    if host == "rebound.example":
        address = "https://rebound.example/v1"

    with pytest.raises(failures.ProviderUnavailable) as failed:
        await send(replace(call, route=replace(call.route, base_url=address)))

    assert not failed.value.may_be_billed
    assert not upstream.requests
