"""Two servers that do less than the gateway, and show what its work is measured against.

``relay`` passes a request on and the answer back: the least that any gateway in this language and
on this server costs. ``bare`` also holds and settles each call durably, at a price of two rates:
no validation, no receipts, no record, one key.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import django
import orjson

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

UPSTREAM = os.environ["BENCH_UPSTREAM"] + "/v1/chat/completions"
HEADERS = {"content-type": "application/json", "authorization": "Bearer sk-upstream"}
INPUT_USD, OUTPUT_USD = Decimal("0.00000015"), Decimal("0.0000006")


class Kept:
    """What is opened by the first request: the client, and the lane of the one that has it."""

    session: aiohttp.ClientSession | None = None
    lane: Any = None
    turn = asyncio.Lock()


async def relay(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Pass a call on, and its answer back as it comes."""
    if scope["type"] != "http":
        return
    session = await _session()
    asked = (await receive())["body"]
    async with session.post(UPSTREAM, data=asked, headers=HEADERS) as answer:
        await _begin(send, answer)
        async for part in answer.content.iter_any():
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def bare(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Hold, pass on, settle, and only then answer to the end."""
    if scope["type"] != "http":
        return
    from budgets.core import clock
    from budgets.core.ids import uuid7
    from budgets.holds.terms import HoldRequest, Settlement

    session, lane = await _session(), await _lane()
    asked = (await receive())["body"]
    headers = dict(scope["headers"])
    hashlib.sha256(headers[b"authorization"]).digest()
    read = orjson.loads(asked)
    request_id = uuid7(clock.now())
    worst = len(asked) * INPUT_USD + read["max_tokens"] * OUTPUT_USD
    organization, key = int(os.environ["BENCH_ORGANIZATION"]), int(os.environ["BENCH_KEY"])
    verdict = await lane.hold(
        HoldRequest(request_id, organization, key, read["model"], worst, worst, 1000, 600)
    )
    assert verdict.code == "admitted", verdict
    tail = b""
    async with session.post(UPSTREAM, data=asked, headers=HEADERS) as answer:
        await _begin(send, answer)
        async for part in answer.content.iter_any():
            tail = tail[-2000:] + part
            await send({"type": "http.response.body", "body": part, "more_body": True})
    at = tail.rindex(b'"usage":') + 8
    usage = orjson.loads(tail[at : tail.index(b"}", at) + 1])
    cost = usage["prompt_tokens"] * INPUT_USD + usage["completion_tokens"] * OUTPUT_USD
    await lane.settle(Settlement(request_id, organization, cost, usage["total_tokens"]))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _begin(send: Send, answer: aiohttp.ClientResponse) -> None:
    content_type = answer.headers["content-type"].encode()
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(b"content-type", content_type)],
        }
    )


async def _session() -> aiohttp.ClientSession:
    if Kept.session is None:
        connector = aiohttp.TCPConnector(limit=0)
        Kept.session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
    return Kept.session


async def _lane() -> Any:
    async with Kept.turn:
        if Kept.lane is None:
            django.setup()
            from budgets.holds.lane import Lane

            lane = Lane()
            await lane.start()
            Kept.lane = lane
    return Kept.lane
