"""Chat completions: ``POST /v1/chat/completions``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.http.errors import error_body
from budgets.http.wire import json_bytes
from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints.bodies import UnsupportedParameter, read_json
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest, Message
from tracking.gateway.endpoints.endpoint import Endpoint, EventReader
from tracking.gateway.endpoints.reported_usage import usage_of
from tracking.gateway.estimate import Estimate, OutputRules, capped
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.rates import SEARCH_DIMENSIONS
from tracking.pricing.usage import Usage

# Formats wrap each message and each request in a few tokens of their own.
_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_REQUEST = 64
# Providers explain the use of tools to the model in words of their own, in up to 350 tokens.
_TOKENS_FOR_TOOL_USE = 512
_TOKENS_PER_TOOL = 32
# Names of models that search without being asked to.
_SEARCHING = ("search-preview", "sonar", "deep-research")
# Text goes in, and text comes out or, from some models, images: the rest cannot be incurred.
_NOT_TEXT = frozenset(
    {
        "audio_input",
        "cached_audio_input",
        "image_input",
        "video_input",
        "audio_output",
        "video_output",
    }
)
_TEXTS = ("content", "reasoning_content", "refusal")
DONE = b"data: [DONE]\n\n"


class ChatCompletions(Endpoint[ChatCompletionRequest]):
    """OpenAI's chat completions, whole and streamed."""

    name = "chat.completions"
    modes = frozenset({"chat"})

    def read(self, *, body: bytes, content_type: str) -> ChatCompletionRequest:
        """Read a request's body."""
        return read_json(body=body, shape=ChatCompletionRequest)

    def estimate(
        self, *, request: ChatCompletionRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by the bytes of its messages and its output cap."""
        if searches_by_itself(model):
            raise UnsupportedParameter(
                f"{model.name} searches the web on its own, for a fee that cannot be bounded before"
                " the call. Use a model that answers from the prompt.",
                param="model",
            )
        bounds = Bounds(
            input_tokens=_input_bound(request),
            output_tokens=0,
            choices=request.choices,
            excluded=_NOT_TEXT,
        )
        asked = request.asked_output_tokens
        return capped(model=model, rules=rules, bounds=bounds, asked_tokens=asked)

    def parameters(
        self, *, request: ChatCompletionRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked, with the cap under the name that the provider knows."""
        name = "max_completion_tokens" if route.provider == "openai" else "max_tokens"
        return {**request.passed_on(), name: cap}

    def usage(self, *, request: ChatCompletionRequest, reply: Reply) -> Usage | None:
        """Read the usage that the answer reports."""
        return usage_of(reply.body.get("usage"))

    def texts(self, *, reply: Reply) -> Sequence[str]:
        """Give what each choice says."""
        messages = [choice.get("message") or {} for choice in _choices(reply)]
        return [str(message.get("content") or "") for message in messages]

    def finish_reason(self, *, reply: Reply) -> str:
        """Say why the first choice ended."""
        return next((choice.get("finish_reason") or "" for choice in _choices(reply)), "")

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Add ``usage.cost``: USD as text with 12 places."""
        usage = {**reply.body.get("usage", {}), "cost": usd_text(cost_usd)}
        return replace(reply, body={**reply.body, "model": model, "usage": usage})

    def events(self, *, request: ChatCompletionRequest, model: str) -> EventReader:
        """Make the reader of a stream of chunks."""
        options = request.stream_options
        return ChatEvents(model=model, tells_usage=bool(options and options.include_usage))


class ChatEvents(EventReader):
    """Reads the chunks of a chat completion; usage is told at the very end, with its cost."""

    def __init__(self, *, model: str, tells_usage: bool) -> None:
        self._model = model
        self._tells_usage = tells_usage
        self._reported: dict[str, Any] | None = None
        self._frame: dict[str, Any] = {}
        self._texts: defaultdict[int, list[str]] = defaultdict(list)

    def read(self, event: dict[str, Any]) -> bytes:
        """Note a chunk, and pass it on if it says anything."""
        chunk = {**event, "model": self._model}
        self._note(chunk)
        chunk.pop("usage", None)
        if not _says_anything(chunk):
            return b""
        self.has_begun = self.has_begun or _has_delta(chunk)
        return sse({**chunk, "usage": None} if self._tells_usage else chunk)

    @property
    def texts(self) -> Sequence[str]:
        """The texts of each choice, with the arguments of its tool calls."""
        return ["".join(parts) for parts in self._texts.values()]

    def ended(self, *, cost_usd: Decimal | None) -> bytes:
        """Give usage with its cost, if it was asked for, and the end."""
        if not self._tells_usage or cost_usd is None:
            return DONE
        usage = {**(self._reported or {}), "cost": usd_text(cost_usd)}
        return sse({**self._frame, "choices": [], "usage": usage}) + DONE

    def failed(self, error: DomainError) -> bytes:
        """Write an error as an event."""
        return sse(error_body(error)) + DONE

    def _note(self, chunk: dict[str, Any]) -> None:
        """Keep what settling needs: usage, why it ended, and the text in case usage is missing."""
        if chunk.get("usage"):
            self._reported = chunk["usage"]
            self.usage = usage_of(self._reported)
        if not self._frame:
            self._frame = {k: v for k, v in chunk.items() if k not in ("choices", "usage")}
            self.provider_request_id = str(chunk.get("id") or "")
        for choice in chunk.get("choices") or ():
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            delta = choice.get("delta") or {}
            for text in (delta.get(name) for name in _TEXTS):
                if text:
                    self._texts[choice.get("index", 0)].append(text)
            for call in delta.get("tool_calls") or ():
                arguments = (call.get("function") or {}).get("arguments")
                self._texts[choice.get("index", 0)].append(arguments or "")


def searches_by_itself(model: PricedModel) -> bool:
    """Tell whether a model searches the web whenever it likes, and charges for each search."""
    prices_searches = any(name in model.rates.per_unit for name in SEARCH_DIMENSIONS)
    return prices_searches and any(mark in model.name for mark in _SEARCHING)


def sse(body: dict[str, Any]) -> bytes:
    """Write a server-sent event without a name."""
    return b"data: " + json_bytes(body) + b"\n\n"


def _choices(reply: Reply) -> Iterable[dict[str, Any]]:
    choices: Iterable[dict[str, Any]] = reply.body.get("choices") or ()
    return choices


def _has_delta(chunk: dict[str, Any]) -> bool:
    return any(choice.get("delta") for choice in chunk.get("choices", ()))


def _says_anything(chunk: dict[str, Any]) -> bool:
    return _has_delta(chunk) or any(
        choice.get("finish_reason") for choice in chunk.get("choices", ())
    )


def _input_bound(request: ChatCompletionRequest) -> int:
    tokens = sum(len(text.encode()) for text in _texts(request.messages))
    tokens += _TOKENS_PER_MESSAGE * len(request.messages) + _TOKENS_PER_REQUEST
    if request.tools or request.response_format:
        described = request.model_dump_json(
            include={"tools", "tool_choice", "response_format"}, exclude_none=True
        )
        tokens += len(described.encode()) + _TOKENS_PER_TOOL * len(request.tools or ())
        tokens += _TOKENS_FOR_TOOL_USE
    return tokens


def _texts(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        if isinstance(message.content, str):
            yield message.content
        elif message.content is not None:
            yield from (part.text for part in message.content)
        if message.tool_calls:
            yield orjson.dumps([call.model_dump() for call in message.tool_calls]).decode()
        yield from (text for text in (message.name, message.refusal, message.tool_call_id) if text)
