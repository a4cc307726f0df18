"""How long a provider is waited for: to connect, to begin, to go on. At the door, for each way to it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from tests.fakes.upstream import Gate, Script, Upstream
from tracking.gateway import failures, providers
from tracking.gateway.doors.call import ProviderCall, Route

# The library builds some of its types at the first call, and one of them in a way that warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*' attribute:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await providers.close()


@pytest.fixture(
    params=[
        ("openai_compatible", "hosted_vllm/plain"),
        ("litellm", "openai/gpt-4o-mini"),
        ("litellm", "mistral/mistral-small-latest"),
    ],
    ids=["any address", "the OpenAI client", "a provider of its own dialect"],
)
def call(request: pytest.FixtureRequest, upstream: Upstream) -> ProviderCall:
    kind, model = request.param
    return ProviderCall(
        route=Route("test", kind, model, upstream.url, "sk-upstream-secret"),
        endpoint="chat.completions",
        parameters={"messages": [{"role": "user", "content": "Count."}], "max_tokens": 9},
        timeout_s=30,
    )


@contextmanager
def who_takes_no_connection() -> Iterator[str]:
    """Listen, and let nobody in: what comes after a full queue is dropped, as by a firewall."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


async def read(call: ProviderCall) -> None:
    async for _ in providers.stream(call):
        pass


async def test_who_drops_packets_was_never_reached(call: ProviderCall) -> None:
    with who_takes_no_connection() as url:
        dropped = replace(
            call, route=replace(call.route, base_url=url), connect_timeout_s=1, timeout_s=20
        )
        with pytest.raises(failures.ProviderUnavailable):
            await providers.send(dropped)
        with pytest.raises(failures.ProviderUnavailable):
            await read(dropped)


async def test_a_stream_that_does_not_begin_is_given_up(
    call: ProviderCall, upstream: Upstream
) -> None:
    upstream.script = Script(gate=(gate := Gate()))

    with pytest.raises(failures.ProviderTimeout):
        await read(replace(call, first_byte_timeout_s=1))

    gate.open()
    # An answer that comes whole has the whole time.
    upstream.script = Script(wait_s=1.5)
    assert (await providers.send(replace(call, first_byte_timeout_s=1))).body["choices"]


async def test_a_stream_that_pauses_is_given_up(call: ProviderCall, upstream: Upstream) -> None:
    upstream.script = Script(gate=(gate := Gate()), gate_before_word=2)

    with pytest.raises(failures.ProviderTimeout):
        await read(replace(call, idle_timeout_s=1))

    gate.open()


async def test_retry_after_is_told(call: ProviderCall, upstream: Upstream) -> None:
    upstream.script = Script(status=429, headers={"Retry-After": "7"})

    with pytest.raises(failures.ProviderRateLimited) as limited:
        await providers.send(call)

    assert limited.value.details["retry_after_s"] == 7
