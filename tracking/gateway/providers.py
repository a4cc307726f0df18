"""Sends attempts to providers, each through the door that its route calls for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

from tracking.gateway.doors import litellm_door, wire
from tracking.gateway.doors.call import Event, ProviderCall, Reply


async def send(call: ProviderCall) -> Reply:
    """Send a call and give its whole answer.

    :raises ProviderFailure: for whatever did not go well; the class says whether it may be billed
    """
    return await (wire.send(call) if wire.takes(call) else litellm_door.send(call))


def stream(call: ProviderCall) -> AsyncGenerator[Sequence[Event], None]:
    """Send a call and give the events of its answer as they come: all that came at once together.

    Close it when it is not read to its end, so that the provider's connection is given back.

    :raises ProviderFailure: before the first event or after any; ``may_be_billed`` holds for both
    """
    if wire.takes(call):
        return wire.stream(call)
    return _each_alone(call)


async def _each_alone(call: ProviderCall) -> AsyncGenerator[Sequence[Event], None]:
    async with contextlib.aclosing(litellm_door.stream(call)) as events:
        async for event in events:
            yield (Event(event),)


async def count_tokens(*, model: str, text: str) -> int:
    """Count a text's tokens with the tokenizer that is bundled for the model, or a near one."""
    return await litellm_door.count_tokens(model=model, text=text)


def load() -> None:
    """Load what takes seconds, once a process; do it before the first call."""
    litellm_door.load()


def unloaded_reason() -> str | None:
    """Say, for the readiness probe, what is still being loaded; None once calls go out at once."""
    return None if litellm_door.is_loaded() else "gateway: the provider library is being loaded"


async def close() -> None:
    """Close the connections that are kept open to providers for the next calls."""
    await wire.close()
    await litellm_door.close()
