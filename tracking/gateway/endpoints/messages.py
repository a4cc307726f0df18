"""Anthropic's messages: ``POST /v1/messages``.

Called natively where the provider speaks this dialect, else as a chat (``messages_bridge``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.http.errors import answer_of, error_body
from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints import messages_bridge
from tracking.gateway.endpoints.endpoint import Endpoint, EventReader
from tracking.gateway.endpoints.events import as_object, named_event
from tracking.gateway.endpoints.messages_bound import bounds_of
from tracking.gateway.endpoints.messages_schemas import MessagesRequest
from tracking.gateway.endpoints.reported_usage import read_counts, usage_of
from tracking.gateway.endpoints.told import Message
from tracking.gateway.estimate import Estimate, OutputRules, capped
from tracking.pricing.book import PricedModel
from tracking.pricing.usage import Usage

# Anthropic's word for an error of a status.
_ERROR_TYPES = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        502: "api_error",
        503: "overloaded_error",
        504: "timeout_error",
    }
)
_LEAST_THINKING_TOKENS = 1_024
_LEAST_ANSWER_TOKENS = 64
_HELD = ("message_delta", "message_stop")
_DELTA_TEXTS = ("text", "thinking", "partial_json")


class Messages(Endpoint[MessagesRequest]):
    """Anthropic's messages, whole and streamed."""

    name = "messages"
    modes = frozenset({"chat"})
    told_as = Message
    shape = MessagesRequest

    def authorization(self, headers: Mapping[str, str]) -> str | None:
        """Find the key where Anthropic's clients put it, else where all others do."""
        return headers.get("x-api-key") or headers.get("Authorization")

    def estimate(
        self, *, request: MessagesRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by its bytes, what it shows, and its output cap."""
        bounds = bounds_of(request=request, model=model)
        return capped(model=model, rules=rules, bounds=bounds, asked_tokens=request.max_tokens)

    def sent_as(self, *, route: Route) -> str:
        """Chat, where the provider does not speak this dialect."""
        return self.name if is_native(route) else "chat.completions"

    def check(self, *, request: MessagesRequest, route: Route) -> None:
        """Refuse what a provider that only chats cannot be asked."""
        if not is_native(route):
            messages_bridge.check(request)

    def parameters(
        self, *, request: MessagesRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked, with the cap, in the dialect of the provider."""
        fitted = _with_room_to_think(request, cap)
        if is_native(route):
            return {**fitted.passed_on(), "max_tokens": cap}
        return messages_bridge.chat_parameters(fitted, cap=cap, thinks="claude" in route.model)

    def usage(self, *, request: MessagesRequest, reply: Reply) -> Usage | None:
        """Read the usage that the answer reports, in whichever dialect it came."""
        reported = reply.body.get("usage")
        return usage_of(reported) if _is_chat(reply.body) else usage_of_message(reported)

    def texts(self, *, reply: Reply) -> Sequence[str]:
        """Give all that the answer says, with the arguments of its calls."""
        body = _as_message(reply.body)
        return ["".join(_texts_of(block) for block in body.get("content") or ())]

    def finish_reason(self, *, reply: Reply) -> str:
        """Say why the answer ended."""
        return str(_as_message(reply.body).get("stop_reason") or "")

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Add ``usage.cost``: USD as text with 12 places."""
        body = _as_message(reply.body)
        usage = {**as_object(body.get("usage")), "cost": usd_text(cost_usd)}
        return replace(reply, body={**body, "model": model, "usage": usage})

    def events(self, *, request: MessagesRequest, model: str) -> EventReader:
        """Make the reader of a stream of events."""
        return MessageEvents(model=model)

    def error(self, error: DomainError, *, request_id: str | None) -> Mapping[str, Any]:
        """Write an error as Anthropic does, with our code and what the error knows beside its type."""
        return error_told(error, request_id=request_id)


class MessageEvents(EventReader):
    """Reads the events of one message, or the chunks of a chat as such."""

    def __init__(self, *, model: str) -> None:
        self._model = model
        self._chat: messages_bridge.ChatAsMessage | None = None
        self._reported: dict[str, Any] = {}
        self._delta: dict[str, Any] = {}
        self._texts: defaultdict[int, list[str]] = defaultdict(list)

    def read(self, event: dict[str, Any]) -> bytes:
        """Note an event, and pass it on unless it tells the end."""
        if not _is_chat(event):
            return self._pass_on([event])
        self._chat = self._chat or messages_bridge.ChatAsMessage()
        self.usage = usage_of(event.get("usage")) or self.usage
        for choice in event.get("choices") or ():
            if choice.get("finish_reason"):
                self.finish_reason = messages_bridge.stop_reason(choice["finish_reason"])
        return self._pass_on(self._chat.events(event))

    @property
    def texts(self) -> Sequence[str]:
        """What the message says, as one text."""
        return ["".join("".join(parts) for parts in self._texts.values())]

    def ended(self, *, cost_usd: Decimal | None) -> bytes:
        """Give usage with its cost, and the end."""
        if self._chat is not None:
            last = self._pass_on(self._chat.end())
        else:
            last = b""
        usage = {**self._reported, **as_object(self._delta.get("usage"))}
        if cost_usd is not None:
            usage["cost"] = usd_text(cost_usd)
        delta = {"delta": {}, **self._delta, "type": "message_delta", "usage": usage}
        return last + named_event(delta) + named_event({"type": "message_stop"})

    def failed(self, error: DomainError) -> bytes:
        """Write an error as an event."""
        return named_event(dict(error_told(error, request_id=None)))

    def _pass_on(self, events: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(map(self._told, events))

    def _told(self, event: Mapping[str, Any]) -> bytes:
        self._note(event)
        if event.get("type") in _HELD:
            return b""
        if event.get("type") == "message_start":
            return named_event({**event, "message": {**_start(event), "model": self._model}})
        return named_event(event)

    def _note(self, event: Mapping[str, Any]) -> None:
        """Keep what settling needs: usage, why it ended, and the text in case usage is missing."""
        kind = event.get("type")
        if kind == "message_start":
            self.provider_request_id = str(_start(event).get("id") or "")
            self._note_usage(_start(event).get("usage"), is_final=False)
        elif kind == "message_delta":
            self._delta = dict(event)
            self.finish_reason = str(as_object(event.get("delta")).get("stop_reason") or "")
            self._note_usage(event.get("usage"), is_final=True)
        elif kind in ("content_block_start", "content_block_delta"):
            self.has_begun = True
            content = as_object(event.get("delta") or event.get("content_block"))
            self._texts[event.get("index", 0)].append(_texts_of(content))

    def _note_usage(self, reported: Any, *, is_final: bool) -> None:
        """Put together the usage of both ends: the first tells the input, the last the output."""
        if not isinstance(reported, dict):
            return
        self._reported |= {name: value for name, value in reported.items() if value is not None}
        if is_final and self._chat is None and type(reported.get("output_tokens")) is int:
            self.usage = usage_of_message(self._reported)


def is_native(route: Route) -> bool:
    """Tell whether a provider speaks this dialect."""
    if route.kind == "openai_compatible":
        return False
    return route.kind == "anthropic_compatible" or route.provider == "anthropic"


def usage_of_message(reported: Any) -> Usage | None:
    """Read usage in Anthropic's shape, in which the input leaves out what a cache had to do with.

    Gives None where no token is named: zeros stand for a report that did not come.
    """
    if not isinstance(reported, dict):
        return None
    read, written = _given(reported, "cache_read_input_tokens"), _written(reported)
    parts = (_given(reported, "input_tokens"), read, *written)
    is_sound = all(type(part) is int for part in parts)
    searches, details = reported.get("server_tool_use"), reported.get("output_tokens_details")
    usage = read_counts(
        {
            # A part that makes no sense is refused there, and then read at its dearest.
            "input_tokens": sum(max(part, 0) for part in parts) if is_sound else parts[0],
            "output_tokens": _given(reported, "output_tokens"),
            "cached_input_tokens": read,
            "cache_write_tokens": written[0],
            "cache_write_1h_tokens": written[1],
            "reasoning_tokens": _within(details, "thinking_tokens"),
            "web_searches": _within(searches, "web_search_requests"),
        }
    )
    return usage if usage.input_tokens or usage.output_tokens else None


def error_told(error: DomainError, *, request_id: str | None) -> dict[str, Any]:
    """Write an error in Anthropic's shape."""
    written = error_body(error)["error"]
    kind = _ERROR_TYPES.get(answer_of(error).status, "invalid_request_error")
    told: dict[str, Any] = {"type": "error", "error": {**written, "type": kind}}
    return {**told, "request_id": request_id} if request_id else told


def _written(reported: Mapping[str, Any]) -> tuple[Any, Any]:
    """Give what was written to a cache, for five minutes and for an hour."""
    total = _given(reported, "cache_creation_input_tokens")
    split = reported.get("cache_creation")
    if not isinstance(split, dict):
        return total, 0
    hour = _given(split, "ephemeral_1h_input_tokens")
    minutes = _given(split, "ephemeral_5m_input_tokens")
    is_sound = type(hour) is int and type(total) is int and type(minutes) is int
    # Where the split says less than the total, the rest was written too.
    return (max(minutes, total - hour), hour) if is_sound else (total, hour)


def _given(reported: Mapping[str, Any], name: str) -> Any:
    return reported.get(name) or 0


def _within(details: Any, name: str) -> Any:
    return _given(details, name) if isinstance(details, dict) else 0


def _with_room_to_think(request: MessagesRequest, cap: int | None) -> MessagesRequest:
    """Lower the budget of thinking with the cap: what is left must do for an answer too."""
    thinking = request.thinking
    if thinking is None or thinking.budget_tokens is None or cap is None:
        return request
    if thinking.budget_tokens < cap or cap == request.max_tokens:
        return request
    room = cap - _LEAST_ANSWER_TOKENS
    if room < _LEAST_THINKING_TOKENS:
        return request.model_copy(update={"thinking": None})
    fitted = thinking.model_copy(update={"budget_tokens": room})
    return request.model_copy(update={"thinking": fitted})


def _is_chat(body: Mapping[str, Any]) -> bool:
    return "choices" in body


def _as_message(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return messages_bridge.message_body(body) if _is_chat(body) else body


def _start(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_object(event.get("message"))


def _texts_of(content: Mapping[str, Any]) -> str:
    said = [content[name] for name in _DELTA_TEXTS if isinstance(content.get(name), str)]
    if content.get("type") == "tool_use" and content.get("input"):
        said.append(str(content["input"]))
    return "".join(said)
