"""A streamed call between a provider and its client, with both of them scripted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
from django.http import StreamingHttpResponse

from tests.tracking.gateway.calls import events
from tracking.gateway import operations, providers, stream
from tracking.gateway.doors.call import Event, Route
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest
from tracking.gateway.endpoints.table import CHAT_COMPLETIONS
from tracking.gateway.ends import End
from tracking.gateway.operations import Charged
from tracking.gateway.routes import Option
from tracking.gateway.stream import Relay
from tracking.pricing.usage import Usage

USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
COST = Decimal("0.000000000001")


def chunk(text: str = "", **fields: Any) -> dict[str, Any]:
    delta = {"content": text} if text else {}
    return {"id": "c", "choices": [{"index": 0, "delta": delta}], **fields}


class Provider:
    """Gives chunks, and waits before the last of them until it is let go on."""

    def __init__(self, *chunks: dict[str, Any]) -> None:
        self.chunks = chunks
        self.may_go_on = asyncio.Event()
        self.was_closed = False

    async def stream(self, _: Any) -> AsyncGenerator[Sequence[Event], None]:
        """Stand in for the door to providers."""
        *first, last = self.chunks
        try:
            for given in first:
                yield [Event(dict(given))]
            await self.may_go_on.wait()
            yield [Event(dict(last))]
        finally:
            self.was_closed = True


class Ledger:
    """Notes how calls ended, or refuses to."""

    def __init__(self) -> None:
        self.ends: list[End] = []
        self.failure: Exception | None = None

    async def settle(self, _: Any, *, call: Any, end: End, earlier: Any) -> Charged:
        """Stand in for the settling of a call."""
        if self.failure is not None:
            raise self.failure
        self.ends.append(end)
        return Charged(COST, None)


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    made = Provider(chunk("one "), chunk("two "), {**chunk(), "usage": USAGE})
    monkeypatch.setattr(providers, "stream", made.stream)
    return made


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    made = Ledger()
    monkeypatch.setattr(operations, "settle", made.settle)
    return made


def relay(*, tasks: set[asyncio.Task[Any]] | None = None) -> Relay:
    kept = tasks if tasks is not None else set()

    def run(work: Any) -> asyncio.Task[Any]:
        kept.add(task := asyncio.create_task(work))
        return task

    asked = {"model": "test/plain", "stream": True, "stream_options": {"include_usage": True}}
    request = ChatCompletionRequest.model_validate(
        asked | {"messages": [{"role": "user", "content": "Count."}]}
    )
    admitted: Any = SimpleNamespace(
        call=SimpleNamespace(
            request_id=UUID(int=1), organization_id=1, model=SimpleNamespace(name="test/plain")
        ),
        found=SimpleNamespace(
            endpoint=CHAT_COMPLETIONS,
            request=request,
        ),
        target=SimpleNamespace(options=(Option(1, Route("test", "openai_compatible", "plain")),)),
        provider_call=lambda option, left_s: SimpleNamespace(route=option.route, parameters={}),
        deadline=time.monotonic() + 60,
        is_named=False,
    )
    health = SimpleNamespace(
        cools_until=lambda _: 0, begin=lambda _: None, succeeded=lambda _: None
    )
    work: Any = SimpleNamespace(run=run, health=health)
    return Relay(work, admitted)


async def test_passes_each_chunk_on_at_once_and_ends_after_the_settling(
    provider: Provider, ledger: Ledger
) -> None:
    relayed = relay()
    await relayed.begin()
    taken = aiter(relayed)

    said = [await anext(taken)]
    assert not ledger.ends
    provider.may_go_on.set()
    said += [event async for event in taken]

    assert len(ledger.ends) == 1
    *chunks, usage, done = events(b"".join(said).decode())
    assert [one["choices"][0]["delta"]["content"] for one in chunks] == ["one ", "two "]
    assert usage["usage"] == USAGE | {"cost": "0.000000000001"}
    assert done == "[DONE]"


async def test_keeps_the_connection_alive_while_the_provider_is_silent(
    provider: Provider, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_PING_EVERY_S", 0.01)
    relayed = relay()
    await relayed.begin()
    taken = aiter(relayed)
    await anext(taken)

    # A comment, which every reader of event streams skips.
    assert [await anext(taken), await anext(taken)] == [b": ping\n\n"] * 2
    provider.may_go_on.set()
    rest = [event async for event in taken]

    assert rest[-1].endswith(b"data: [DONE]\n\n")
    assert len(ledger.ends) == 1


async def test_tells_the_client_when_the_call_could_not_be_settled(
    provider: Provider, ledger: Ledger
) -> None:
    ledger.failure = RuntimeError("a detail from inside")
    provider.may_go_on.set()
    relayed = relay()
    await relayed.begin()

    told = b"".join([event async for event in relayed]).decode()

    *_, error, done = events(told)
    assert (error["error"]["code"], done) == ("internal_error", "[DONE]")
    assert "detail" not in told


async def test_settles_when_the_client_leaves_before_it_took_a_single_event(
    provider: Provider, ledger: Ledger, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response is closed without ever having been read, as after a cancellation."""
    settings.COSTSITE_DRAIN_S = 0.01
    counted = Usage(input_tokens=9, output_tokens=2)
    monkeypatch.setattr(operations, "counted_usage", AsyncMock(return_value=counted))
    tasks: set[asyncio.Task[Any]] = set()
    relayed = relay(tasks=tasks)
    await relayed.begin()
    response = StreamingHttpResponse(relayed)

    for closer in response._resource_closers:  # type: ignore[attr-defined]  # as the site closes it
        closer()
    await asyncio.wait(tasks, timeout=10)

    (end,) = ledger.ends
    assert end.was_cancelled
    assert (end.usage, end.is_counted_here) == (counted, True)
    assert provider.was_closed


async def test_a_slow_client_slows_the_reading_and_loses_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 2000
    provider = Provider(*(chunk(f"{n} ") for n in range(many)), {**chunk(), "usage": USAGE})
    provider.may_go_on.set()
    monkeypatch.setattr(providers, "stream", provider.stream)
    relayed = relay()
    await relayed.begin()

    # Nobody takes anything yet: the reading stops at what is kept for the client.
    for _ in range(10_000):
        await asyncio.sleep(0)
    assert relayed._pipe.is_full
    assert not provider.was_closed
    said = events(b"".join([event async for event in relayed]).decode())

    assert len(said) == many + 2
    assert said[-1] == "[DONE]"


async def test_a_client_who_takes_nothing_for_long_is_taken_for_one_who_left(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_STALLED_AFTER_S", 0.01)
    provider = Provider(*(chunk(f"{n} ") for n in range(2000)), {**chunk(), "usage": USAGE})
    provider.may_go_on.set()
    monkeypatch.setattr(providers, "stream", provider.stream)
    tasks: set[asyncio.Task[Any]] = set()
    relayed = relay(tasks=tasks)
    await relayed.begin()

    await asyncio.wait(tasks, timeout=10)

    (end,) = ledger.ends
    assert end.was_cancelled
    assert (end.usage, end.is_counted_here) == (Usage(input_tokens=11, output_tokens=5), False)
