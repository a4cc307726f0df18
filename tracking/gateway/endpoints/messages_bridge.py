"""Anthropic's messages for a provider that only chats: asked as a chat, and its answer told back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.messages_schemas import (
    Base64Pdf,
    DocumentBlock,
    ImageBlock,
    Message,
    MessagesRequest,
    PlainText,
    TextBlock,
    ToolResultBlock,
    UrlSource,
)

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
# From how many tokens of thinking on an effort is called by the next name.
_EFFORTS = ((2_048, "low"), (8_192, "medium"))
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
# What each side of a chat has words for.
_SAID_BY = {
    "user": frozenset({"text", "image", "document", "tool_result"}),
    "assistant": frozenset({"text", "tool_use", "thinking", "redacted_thinking"}),
    "system": frozenset({"text"}),
}
_NOT_FOR_CHAT = "cannot be asked of this model's provider, which only chats. Leave it out."


def check(request: MessagesRequest) -> None:
    """Refuse what a chat has no word for.

    :raises UnsupportedParameter: naming the place
    """
    if request.top_k is not None:
        raise UnsupportedParameter(f"top_k {_NOT_FOR_CHAT}", param="top_k")
    for at, message in enumerate(request.messages):
        _check_said(message, place=f"messages[{at}]")
    for place, block in request.blocks():
        if isinstance(block, DocumentBlock) and isinstance(block.source, UrlSource):
            raise UnsupportedParameter(
                f"A document at an address {_NOT_FOR_CHAT}", param=f"{place}.source"
            )


def _check_said(message: Message, *, place: str) -> None:
    for position, block in enumerate(message.blocks):
        if block.type not in _SAID_BY[message.role]:
            raise UnsupportedParameter(
                f"{place}.content[{position}]: {block.type} is nothing that the {message.role} of a"
                " chat says.",
                param=f"{place}.content[{position}].type",
            )


def chat_parameters(request: MessagesRequest, *, cap: int | None, thinks: bool) -> dict[str, Any]:
    """Ask for the same as a chat; ``thinks`` if the provider takes thinking as Anthropic does."""
    asked: dict[str, Any] = {
        "messages": [*_system(request), *_messages(request.messages, thinks=thinks)],
        "max_tokens": cap,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop_sequences or None,
        **_tools(request),
        **_thinking(request, thinks=thinks),
    }
    form = request.output_config and request.output_config.format
    if form:
        schema = {"name": "answer", "schema": form.schema_, "strict": True}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {name: value for name, value in asked.items() if value is not None}


def message_body(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Tell a chat's answer as a message; its first choice is the only one."""
    choice: Mapping[str, Any] = next(iter(reply.get("choices") or ()), {})
    return {
        "id": str(reply.get("id") or ""),
        "type": "message",
        "role": "assistant",
        "model": reply.get("model"),
        "content": list(_blocks(choice.get("message") or {})),
        "stop_reason": stop_reason(choice.get("finish_reason")),
        "stop_sequence": None,
        "usage": message_usage(reply.get("usage")),
    }


def stop_reason(finish_reason: Any) -> str:
    """Say in Anthropic's words why an answer ended."""
    return STOP_REASONS.get(str(finish_reason), "end_turn")


def message_usage(reported: Any) -> dict[str, Any]:
    """Write a chat's usage as Anthropic does: the input without what a cache had to do with.

    Counts that make no sense are told as zero; what is charged is read elsewhere.
    """
    reported = reported if isinstance(reported, dict) else {}
    details = reported.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    written = reported.get("cache_creation_input_tokens") or details.get("cache_creation_tokens")
    lasting = details.get("cache_creation_token_details")
    lasting = lasting if isinstance(lasting, dict) else {}
    cached, writes = count(details.get("cached_tokens")), count(written)
    hour = min(count(lasting.get("ephemeral_1h_input_tokens")), writes)
    return {
        "input_tokens": max(count(reported.get("prompt_tokens")) - cached - writes, 0),
        "cache_creation_input_tokens": writes,
        "cache_read_input_tokens": cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": writes - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": count(reported.get("completion_tokens")),
    }


def count(value: Any) -> int:
    """Read a count; what makes no sense is zero."""
    return value if type(value) is int and value > 0 else 0


def _system(request: MessagesRequest) -> Iterator[dict[str, Any]]:
    if isinstance(request.system, list):
        yield {"role": "system", "content": [_text_part(block) for block in request.system]}
    elif request.system:
        yield {"role": "system", "content": request.system}


def _messages(messages: Iterable[Message], *, thinks: bool) -> Iterator[dict[str, Any]]:
    for message in messages:
        if message.role == "assistant":
            yield _assistant(message.blocks, thinks=thinks)
        elif message.role == "system":
            yield {"role": "system", "content": _plainest([_part(part) for part in message.blocks])}
        else:
            yield from _user(message.blocks)


def _user(blocks: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """What tools gave is a message of its own for each; what is no text of it follows as the user's."""
    parts: list[dict[str, Any]] = []
    for block in blocks:
        if not isinstance(block, ToolResultBlock):
            parts.append(_part(block))
            continue
        given = block.content if isinstance(block.content, list) else []
        text = block.content if isinstance(block.content, str) else ""
        text += "\n".join(part.text for part in given if isinstance(part, TextBlock))
        yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": text}
        parts += [_part(part) for part in given if not isinstance(part, TextBlock)]
    if parts:
        yield {"role": "user", "content": _plainest(parts)}


def _assistant(blocks: Sequence[Any], *, thinks: bool) -> dict[str, Any]:
    texts = [block.text for block in blocks if block.type == "text"]
    calls = [
        {
            "id": block.id,
            "type": "function",
            "function": {"name": block.name, "arguments": orjson.dumps(block.input).decode()},
        }
        for block in blocks
        if block.type == "tool_use"
    ]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
    thoughts = [block.model_dump() for block in blocks if block.type.endswith("thinking")]
    if calls:
        message["tool_calls"] = calls
    if thinks and thoughts:
        message["thinking_blocks"] = thoughts
    return message


def _part(block: Any) -> dict[str, Any]:
    if isinstance(block, ImageBlock):
        return {"type": "image_url", "image_url": {"url": _image_address(block)}}
    if isinstance(block, DocumentBlock):
        return _document(block)
    return _text_part(block)


def _image_address(block: ImageBlock) -> str:
    source = block.source
    if isinstance(source, UrlSource):
        return source.url
    return f"data:{source.media_type};base64,{source.data}"


def _document(block: DocumentBlock) -> dict[str, Any]:
    if isinstance(block.source, Base64Pdf):
        data = f"data:application/pdf;base64,{block.source.data}"
        name = block.title or "document.pdf"
        return {"type": "file", "file": {"file_data": data, "filename": name}}
    text = block.source.data if isinstance(block.source, PlainText) else ""
    return {"type": "text", "text": "\n".join(filter(None, (block.title, block.context, text)))}


def _text_part(block: TextBlock) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "text", "text": block.text}
    if block.cache_control:
        part["cache_control"] = block.cache_control.model_dump(exclude_none=True)
    return part


def _plainest(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Some providers take text only as text."""
    is_plain = len(parts) == 1 and set(parts[0]) == {"type", "text"}
    return parts[0]["text"] if is_plain else parts


def _tools(request: MessagesRequest) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if request.tools:
        asked["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    **({"description": tool.description} if tool.description else {}),
                    "parameters": tool.input_schema,
                },
            }
            for tool in request.tools
        ]
    choice = request.tool_choice
    if choice is None or not request.tools:
        return asked
    named = {"type": "function", "function": {"name": choice.name or ""}}
    asked["tool_choice"] = _CHOICES.get(choice.type, named)
    if choice.disable_parallel_tool_use is not None:
        asked["parallel_tool_calls"] = not choice.disable_parallel_tool_use
    return asked


def _thinking(request: MessagesRequest, *, thinks: bool) -> dict[str, Any]:
    effort = request.output_config.effort if request.output_config else None
    thinking = request.thinking
    if thinks and thinking:
        return {"thinking": thinking.model_dump(exclude_none=True)}
    if effort or not thinking or thinking.type != "enabled":
        return {"reasoning_effort": effort} if effort else {}
    budget = thinking.budget_tokens or 0
    named = next((name for most, name in _EFFORTS if budget <= most), "high")
    return {"reasoning_effort": named}


def _blocks(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    thoughts = message.get("thinking_blocks")
    if thoughts:
        yield from thoughts
    elif message.get("reasoning_content"):
        yield {"type": "thinking", "thinking": message["reasoning_content"], "signature": ""}
    for name in ("content", "refusal"):
        if message.get(name):
            yield {"type": "text", "text": message[name]}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield {
            "type": "tool_use",
            "id": call.get("id") or "",
            "name": function.get("name") or "",
            "input": _arguments(function.get("arguments")),
        }


def _arguments(text: Any) -> dict[str, Any]:
    """Read a call's arguments; a model may write what is no JSON object, and that is not hidden."""
    try:
        read = orjson.loads(text or "{}")
    except (orjson.JSONDecodeError, TypeError):
        read = None
    return read if isinstance(read, dict) else {"invalid_json": str(text)}


class ChatAsMessage:
    """Tells the chunks of a chat as the events of one message, in Anthropic's order."""

    def __init__(self) -> None:
        self._is_started = False
        self._open: str = ""
        self._at = -1
        self._tools: dict[int, int] = {}
        self._finish_reason: Any = None
        self._usage: Any = None

    def events(self, chunk: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Give the events that a chunk stands for."""
        if not self._is_started:
            self._is_started = True
            yield _started(chunk)
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._finish_reason = choice.get("finish_reason") or self._finish_reason
                yield from self._deltas(choice.get("delta") or {})

    def end(self) -> Iterator[dict[str, Any]]:
        """Give the events after the last chunk."""
        yield from self._close()
        reason = {"stop_reason": stop_reason(self._finish_reason), "stop_sequence": None}
        yield {"type": "message_delta", "delta": reason, "usage": message_usage(self._usage)}
        yield {"type": "message_stop"}

    def _deltas(self, delta: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if delta.get("reasoning_content"):
            block = {"type": "thinking", "thinking": "", "signature": ""}
            yield from self._opened("thinking", block)
            yield self._delta({"type": "thinking_delta", "thinking": delta["reasoning_content"]})
        for thought in delta.get("thinking_blocks") or ():
            if thought.get("signature") and self._open == "thinking":
                yield self._delta({"type": "signature_delta", "signature": thought["signature"]})
        for name in ("content", "refusal"):
            if delta.get(name):
                yield from self._opened("text", {"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": delta[name]})
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)

    def _call(self, call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        index, function = call.get("index", 0), call.get("function") or {}
        if index not in self._tools:
            name = {"id": call.get("id") or "", "name": function.get("name") or ""}
            yield from self._opened(f"tool {index}", {"type": "tool_use", **name, "input": {}})
            self._tools[index] = self._at
        if function.get("arguments"):
            delta = {"type": "input_json_delta", "partial_json": function["arguments"]}
            yield self._delta(delta, at=self._tools[index])

    def _opened(self, kind: str, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if kind != self._open:
            yield from self._close()
            self._open, self._at = kind, self._at + 1
            yield {"type": "content_block_start", "index": self._at, "content_block": block}

    def _delta(self, delta: dict[str, Any], *, at: int | None = None) -> dict[str, Any]:
        index = self._at if at is None else at
        return {"type": "content_block_delta", "index": index, "delta": delta}

    def _close(self) -> Iterator[dict[str, Any]]:
        if self._open:
            self._open = ""
            yield {"type": "content_block_stop", "index": self._at}


def _started(chunk: Mapping[str, Any]) -> dict[str, Any]:
    message = message_body({"id": chunk.get("id"), "model": chunk.get("model")})
    return {"type": "message_start", "message": {**message, "stop_reason": None}}
