"""The provider's other dialects: OpenAI's responses and Anthropic's messages, by the same script.

``script.message`` is then the list of blocks or items that an answer is made of.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.fakes.upstream import Script, Upstream

RESPONSE_USAGE: dict[str, Any] = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 16,
}
MESSAGE_USAGE: dict[str, Any] = {"input_tokens": 11, "output_tokens": 5}
Events = Iterator[dict[str, Any]]


def handlers(
    upstream: Upstream,
) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
    """Give what answers at each address, for an upstream that keeps the script and the count."""

    async def responses(request: web.Request) -> web.StreamResponse:
        return await upstream.answer(request, of=(_response, _response_events))

    async def messages(request: web.Request) -> web.StreamResponse:
        return await upstream.answer(request, of=(_message, _message_events))

    return {"/v1/responses": responses, "/v1/messages": messages}


async def stream(
    request: web.Request, events: Events, script: Script, *, broken: Callable[[web.Request], Any]
) -> web.StreamResponse:
    """Send events; those that say something count as the script's words."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    said = 0
    for event in events:
        if "delta" in event and event["type"] != "message_delta":
            if script.breaks_after == said:
                broken(request)
                return response
            if script.gate and script.gate_before_word == said:
                await script.gate.passed(request)
            said += 1
            await asyncio.sleep(script.word_wait_s)
        written = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
        await response.write(written.encode())
    return response


def _response(asked: dict[str, Any], script: Script) -> dict[str, Any]:
    text = "".join(script.words)
    said = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
    return {
        "id": "resp_upstream",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": asked["model"],
        "output": script.message or [{**item, "content": [said]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": asked.get("tools", []),
        "usage": _usage(script, RESPONSE_USAGE),
        **(script.body or {}),
    }


def _response_events(asked: dict[str, Any], script: Script) -> Events:
    whole = _response(asked, script)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "sequence_number": 0, "response": begun}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {**whole["output"][0], "status": "in_progress", "content": []}
    number = 1
    yield {
        "type": "response.output_item.added",
        "sequence_number": number,
        "output_index": 0,
        "item": item,
    }
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield {"type": "response.content_part.added", "sequence_number": 2, **place, "part": part}
    for number, word in enumerate(script.words, start=3):
        yield {
            "type": "response.output_text.delta",
            "sequence_number": number,
            **place,
            "delta": word,
            "logprobs": [],
        }
    done = {**place, "text": "".join(script.words), "logprobs": []}
    yield {"type": "response.output_text.done", "sequence_number": number + 1, **done}
    name = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
    yield {"type": name, "sequence_number": number + 2, "response": whole}


def _message(asked: dict[str, Any], script: Script) -> dict[str, Any]:
    return {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": script.message or [{"type": "text", "text": "".join(script.words)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _usage(script, MESSAGE_USAGE),
        **(script.body or {}),
    }


def _message_events(asked: dict[str, Any], script: Script) -> Events:
    whole = _message(asked, script)
    usage = whole["usage"]
    begun = {**whole, "content": [], "stop_reason": None}
    if isinstance(usage, dict):
        begun["usage"] = {**usage, "output_tokens": 1}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(whole["content"]):
        yield from _block_events(index, block, script)
        if index == 0:
            yield {"type": "ping"}
    last: dict[str, Any] = {
        "type": "message_delta",
        "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
    }
    if isinstance(usage, dict):
        last["usage"] = {"output_tokens": usage.get("output_tokens")}
    yield last
    yield {"type": "message_stop"}


def _block_events(index: int, block: dict[str, Any], script: Script) -> Events:
    start = {"type": "content_block_start", "index": index}
    delta = {"type": "content_block_delta", "index": index}
    if block["type"] == "text":
        yield {**start, "content_block": {"type": "text", "text": ""}}
        for word in script.words:
            yield {**delta, "delta": {"type": "text_delta", "text": word}}
    else:
        yield {**start, "content_block": {**block, "input": {}}}
        written = json.dumps(block["input"])
        yield {**delta, "delta": {"type": "input_json_delta", "partial_json": written}}
    yield {"type": "content_block_stop", "index": index}


def _usage(script: Script, usual: dict[str, Any]) -> Any:
    """A script that says nothing of usage means the dialect's usual one."""
    is_untouched = isinstance(script.usage, dict) and "prompt_tokens" in script.usage
    return usual if is_untouched else script.usage
