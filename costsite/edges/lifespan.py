"""What a web process does before its first request and after its last."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from costsite.edges.protocol import Receive, Send

logger = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]


def hooks() -> tuple[Sequence[Hook], Sequence[Hook]]:
    """Give what to await at the start, in order, and what at the end."""
    from tracking.gateway import runtime

    return (runtime.start_runtime,), (runtime.stop_runtime,)


async def live(receive: Receive, send: Send) -> None:
    """Follow the server's lifespan protocol; a start that fails makes the server exit.

    Every end hook runs, even when one before it has failed.
    """
    at_start, at_end = hooks()
    await receive()
    try:
        for hook in at_start:
            await hook()
    except Exception as error:
        logger.exception("the web process could not start")
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for hook in at_end:
        try:
            await hook()
        except Exception:
            logger.exception("the web process could not end cleanly")
    await send({"type": "lifespan.shutdown.complete"})
