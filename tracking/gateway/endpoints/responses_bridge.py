"""OpenAI's responses for a provider that only chats: asked as a chat, and its answer told back. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.messages_bridge import count, message_usage
from tracking.gateway.endpoints.responses_schemas import (
    FunctionCall,
    FunctionCallOutput,
    FunctionChoice,
    InputFile,
    InputImage,
    InputText,
    JsonSchemaFormat,
    Message,
    OutputText,
    Refusal,
    ResponsesRequest,
)

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_NOT_FOR_CHAT = "cannot be asked of this model's provider, which only chats. Leave it out."
_KINDS = ("audio_tokens", "image_tokens")
_ECHOED = (
    "instructions",
    "temperature",
    "top_p",
    "top_logprobs",
    "parallel_tool_calls",
    "tool_choice",
    "tools",
    "text",
    "reasoning",
    "truncation",
    "service_tier",
    "metadata",
    "user",
)


def check(request: ResponsesRequest) -> None:
    """Refuse what a chat has no word for.

    :raises UnsupportedParameter: naming the place
    """
    if request.top_logprobs or "message.output_text.logprobs" in (request.include or ()):
        raise UnsupportedParameter(f"top_logprobs {_NOT_FOR_CHAT}", param="top_logprobs")
    if request.truncation == "auto":
        raise UnsupportedParameter(f"truncation {_NOT_FOR_CHAT}", param="truncation")
    for place, part in request.parts():
        if isinstance(part, InputFile) and part.file_data is None:
            raise UnsupportedParameter(f"A file at an address {_NOT_FOR_CHAT}", param=place)
    for at, item in enumerate(request.items):
        if _is_models(item) and isinstance(item, Message) and any(map(_is_shown, item.parts)):
            raise UnsupportedParameter(
                "Of what the model said, a chat has words for text only.", param=f"input[{at}]"
            )


def chat_parameters(request: ResponsesRequest, *, cap: int | None) -> dict[str, Any]:
    """Ask for the same as a chat."""
    asked: dict[str, Any] = {
        "messages": list(_messages(request)),
        "max_tokens": cap,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "service_tier": request.service_tier,
        "reasoning_effort": request.reasoning and request.reasoning.effort,
        "verbosity": request.text and request.text.verbosity,
        "response_format": _response_format(request),
        **_tools(request),
    }
    return {name: value for name, value in asked.items() if value is not None}


def echoed(request: ResponsesRequest) -> dict[str, Any]:
    """Give what a response repeats of its request, with the defaults of what was left out."""
    asked = request.model_dump(include=set(_ECHOED), by_alias=True, exclude_none=True)
    return {
        **dict.fromkeys(_ECHOED),
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "metadata": {},
        "text": {"format": {"type": "text"}},
        **asked,
        "max_output_tokens": request.max_output_tokens,
        "previous_response_id": None,
        "background": False,
        "store": False,
    }


def response_body(reply: Mapping[str, Any], *, request: ResponsesRequest) -> dict[str, Any]:
    """Tell a chat's answer as a response; its first choice is the only one."""
    told = ChatAsResponse(request=request)
    choice: Mapping[str, Any] = next(iter(reply.get("choices") or ()), {})
    as_delta = {**choice, "delta": choice.get("message") or {}}
    *_, last = [*told.events({**reply, "choices": [as_delta]}), *told.end()]
    response: dict[str, Any] = last["response"]
    return response


def finish_reason(chunk: Mapping[str, Any]) -> str:
    """Say in a response's words why an answer ended; empty for a chunk that is not the last."""
    reasons = [choice.get("finish_reason") for choice in chunk.get("choices") or ()]
    return next((_INCOMPLETE.get(reason, "completed") for reason in reasons if reason), "")


def response_usage(reported: Any) -> dict[str, Any] | None:
    """Write a chat's usage as a response does, with a cache's writes and other kinds beside it.

    Counts that make no sense are told as zero.
    """
    if not isinstance(reported, dict):
        return None
    prompt, output = (
        details if isinstance(details, dict) else {}
        for details in map(reported.get, ("prompt_tokens_details", "completion_tokens_details"))
    )
    written = message_usage(reported)["cache_creation"]
    others = {
        "cache_write_tokens": written["ephemeral_5m_input_tokens"],
        "cache_write_1h_tokens": written["ephemeral_1h_input_tokens"],
    }
    return {
        "input_tokens": count(reported.get("prompt_tokens")),
        "input_tokens_details": {
            "cached_tokens": count(prompt.get("cached_tokens")),
            **_incurred(others),
            **_incurred({name: prompt.get(name) for name in _KINDS}),
        },
        "output_tokens": count(reported.get("completion_tokens")),
        "output_tokens_details": {
            "reasoning_tokens": count(output.get("reasoning_tokens")),
            **_incurred({name: output.get(name) for name in _KINDS}),
        },
        "total_tokens": count(reported.get("prompt_tokens"))
        + count(reported.get("completion_tokens")),
    }


def _incurred(counts: Mapping[str, Any]) -> dict[str, int]:
    return {name: count(value) for name, value in counts.items() if count(value)}


def _messages(request: ResponsesRequest) -> Iterator[dict[str, Any]]:
    """What the model said and the calls it made in one turn are one message of a chat."""
    if request.instructions:
        yield {"role": "system", "content": request.instructions}
    turn: dict[str, Any] = {}
    for item in request.items:
        if turn and not _goes_on(turn, item):
            yield turn
            turn = {}
        if _is_models(item):
            turn = turn or {"role": "assistant", "content": None}
            _add(turn, item)
        else:
            yield from _others(item)
    if turn:
        yield turn


def _others(item: Any) -> Iterator[dict[str, Any]]:
    """What came from elsewhere; what the model thought is nothing that a chat can be told."""
    if isinstance(item, FunctionCallOutput):
        yield from _given(item)
    elif isinstance(item, Message):
        yield {"role": item.role, "content": _content(item)}


def _is_models(item: Any) -> bool:
    is_said = isinstance(item, Message) and item.role == "assistant"
    return is_said or isinstance(item, FunctionCall)


def _goes_on(turn: Mapping[str, Any], item: Any) -> bool:
    """Tell whether an item belongs to the model's turn: calls come after what is said."""
    return (
        bool(turn)
        and _is_models(item)
        and ("tool_calls" not in turn or isinstance(item, FunctionCall))
    )


def _add(turn: dict[str, Any], item: Any) -> None:
    if isinstance(item, FunctionCall):
        turn.setdefault("tool_calls", []).append(_call(item))
    else:
        turn["content"] = f"{turn['content'] or ''}{_text(item.parts)}"


def _call(item: FunctionCall) -> dict[str, Any]:
    function = {"name": item.name, "arguments": item.arguments}
    return {"id": item.call_id, "type": "function", "function": function}


def _given(item: FunctionCallOutput) -> Iterator[dict[str, Any]]:
    """What a function gave is text; what is no text of it follows as the user's."""
    parts = item.output if isinstance(item.output, list) else []
    text = item.output if isinstance(item.output, str) else _text(parts)
    yield {"role": "tool", "tool_call_id": item.call_id, "content": text}
    shown = [_part(part) for part in parts if _is_shown(part)]
    if shown:
        yield {"role": "user", "content": shown}


def _is_shown(part: Any) -> bool:
    return isinstance(part, InputImage | InputFile)


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    parts = [_part(part) for part in message.content]
    is_plain = len(parts) == 1 and parts[0]["type"] == "text"
    return parts[0]["text"] if is_plain else parts


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, InputImage):
        image = {"url": part.image_url}
        if part.detail in ("auto", "low", "high"):
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}
    if isinstance(part, InputFile):
        name = part.filename or "document.pdf"
        return {"type": "file", "file": {"file_data": part.file_data, "filename": name}}
    return {"type": "text", "text": _text([part])}


def _text(parts: Sequence[Any]) -> str:
    return "".join(
        part.refusal if isinstance(part, Refusal) else part.text for part in _said(parts)
    )


def _said(parts: Sequence[Any]) -> Iterator[Any]:
    return (part for part in parts if isinstance(part, InputText | OutputText | Refusal))


def _tools(request: ResponsesRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    choice = request.tool_choice
    if isinstance(choice, FunctionChoice):
        chosen: Any = {"type": "function", "function": {"name": choice.name}}
    else:
        chosen = choice
    return {
        "tools": [
            {"type": "function", "function": tool.model_dump(exclude={"type"}, exclude_none=True)}
            for tool in request.tools
        ],
        "tool_choice": chosen,
        "parallel_tool_calls": request.parallel_tool_calls,
    }


def _response_format(request: ResponsesRequest) -> dict[str, Any] | None:
    form = request.text and request.text.format
    if isinstance(form, JsonSchemaFormat):
        schema = form.model_dump(exclude={"type"}, exclude_none=True, by_alias=True)
        return {"type": "json_schema", "json_schema": schema}
    return {"type": form.type} if form and form.type != "text" else None


class ChatAsResponse:
    """Tells the chunks of a chat as the typed events of one response."""

    def __init__(self, *, request: ResponsesRequest) -> None:
        self._request = request
        self._response: dict[str, Any] = {}
        self._sequence = 0
        self._calls: dict[int, int] = {}
        self._open: int | None = None
        self._finish_reason: Any = None

    def events(self, chunk: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Give the events that a chunk stands for."""
        if not self._response:
            self._response = self._started(chunk)
            for name in ("created", "in_progress"):
                yield self._event(name, response=dict(self._response, output=[]))
        if chunk.get("usage"):
            self._response["usage"] = response_usage(chunk["usage"])
        self._response["service_tier"] = chunk.get("service_tier") or self._response["service_tier"]
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._finish_reason = choice.get("finish_reason") or self._finish_reason
                yield from self._deltas(choice.get("delta") or {})

    def end(self) -> Iterator[dict[str, Any]]:
        """Give the events after the last chunk."""
        for at, item in enumerate(self._items):
            if item["status"] == "in_progress":
                yield from self._closed(at)
        reason = _INCOMPLETE.get(str(self._finish_reason))
        status = "incomplete" if reason else "completed"
        self._response["status"] = status
        self._response["incomplete_details"] = {"reason": reason} if reason else None
        yield self._event(status, response=self._response)

    @property
    def _items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._response["output"]
        return items

    def _started(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": str(chunk.get("id") or ""),
            "object": "response",
            "created_at": chunk.get("created") or 0,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            **echoed(self._request),
            "model": chunk.get("model"),
            "output": [],
            "usage": None,
        }

    def _deltas(self, delta: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if delta.get("reasoning_content"):
            yield from self._said("reasoning", delta["reasoning_content"])
        for name in ("content", "refusal"):
            if delta.get(name):
                yield from self._said("message", delta[name])
        for position, call in enumerate(delta.get("tool_calls") or ()):
            yield from self._called(call, call.get("index", position))

    def _said(self, kind: str, text: str) -> Iterator[dict[str, Any]]:
        at = self._open
        if at is None or self._items[at]["type"] != kind:
            at, events = self._opened(_ITEMS[kind](self._name(kind)))
            yield from events
            part = dict(_PARTS[kind])
            _parts_of(self._items[at]).append(part)
            yield self._of_part(at, _PART_EVENTS[kind][0], part=dict(part))
        _parts_of(self._items[at])[0]["text"] += text
        yield self._of_part(at, _PART_EVENTS[kind][1], delta=text)

    def _called(self, call: Mapping[str, Any], index: int) -> Iterator[dict[str, Any]]:
        function = call.get("function") or {}
        if index not in self._calls:
            item = {
                "type": "function_call",
                "id": self._name("function_call"),
                "call_id": call.get("id") or "",
                "name": function.get("name") or "",
                "arguments": "",
                "status": "in_progress",
            }
            self._calls[index], events = self._opened(item)
            yield from events
        at, arguments = self._calls[index], function.get("arguments") or ""
        if arguments:
            self._items[at]["arguments"] += arguments
            yield self._of_item(at, "function_call_arguments.delta", delta=arguments)

    def _name(self, kind: str) -> str:
        prefix = {"message": "msg", "reasoning": "rs", "function_call": "fc"}[kind]
        return f"{prefix}_{self._response['id']}_{len(self._items)}"

    def _opened(self, item: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        """Add an item to the output; what was being said is said, calls may still go on."""
        events: list[dict[str, Any]] = []
        if self._open is not None:
            events += self._closed(self._open)
        at = len(self._items)
        self._items.append(item)
        self._open = at if item["type"] != "function_call" else None
        added = {**item, "content": []} if item["type"] == "message" else dict(item)
        events.append(self._event("output_item.added", output_index=at, item=added))
        return at, events

    def _closed(self, at: int) -> Iterator[dict[str, Any]]:
        item = self._items[at]
        item["status"] = "completed"
        self._open = None if self._open == at else self._open
        if item["type"] == "function_call":
            whole = {"arguments": item["arguments"], "name": item["name"]}
            yield self._of_item(at, "function_call_arguments.done", **whole)
        else:
            _, _, text_done, part_done = _PART_EVENTS[item["type"]]
            part = _parts_of(item)[0]
            yield self._of_part(at, text_done, text=part["text"])
            yield self._of_part(at, part_done, part=dict(part))
        yield self._event("output_item.done", output_index=at, item=dict(item))

    def _of_part(self, at: int, event: str, /, **more: Any) -> dict[str, Any]:
        is_text = event.startswith("output_text")
        index = "summary_index" if self._items[at]["type"] == "reasoning" else "content_index"
        logprobs: dict[str, Any] = {"logprobs": []} if is_text else {}
        return self._of_item(at, event, **{index: 0}, **logprobs, **more)

    def _of_item(self, at: int, event: str, /, **more: Any) -> dict[str, Any]:
        return self._event(event, item_id=self._items[at]["id"], output_index=at, **more)

    def _event(self, event: str, /, **more: Any) -> dict[str, Any]:
        self._sequence += 1
        return {"type": f"response.{event}", "sequence_number": self._sequence - 1, **more}


# By the kind of item: what its one part is, and the events of a part: added, delta, done, part done.
_PARTS: dict[str, dict[str, Any]] = {
    "message": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
    "reasoning": {"type": "summary_text", "text": ""},
}
_PART_EVENTS = {
    "message": ("content_part.added", "output_text.delta", "output_text.done", "content_part.done"),
    "reasoning": (
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ),
}


def _message_item(name: str) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "message", "id": name, "status": "in_progress"}
    return {**item, "role": "assistant", "content": []}


def _reasoning_item(name: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": name, "status": "in_progress", "summary": []}


_ITEMS = {"message": _message_item, "reasoning": _reasoning_item}


def _parts_of(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = item["summary" if item["type"] == "reasoning" else "content"]
    return parts
