"""Chat completions: ``POST /v1/chat/completions``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.http.errors import error_body
from budgets.http.wire import json_bytes
from tracking.gateway.doors.call import Event, Reply, Route
from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.chat_bound import bounds_of, images_of, predicted_tokens
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest
from tracking.gateway.endpoints.endpoint import Endpoint, EventReader
from tracking.gateway.endpoints.events import as_object
from tracking.gateway.endpoints.reported_usage import usage_of
from tracking.gateway.endpoints.told import ChatCompletion
from tracking.gateway.estimate import Estimate, OutputRules, capped
from tracking.pricing.book import PricedModel
from tracking.pricing.rates import SEARCH_DIMENSIONS
from tracking.pricing.usage import Usage

# Names of models that search without being asked to.
_SEARCHING = ("search-preview", "sonar", "deep-research")
_TEXTS = ("content", "reasoning_content", "refusal")
DONE = b"data: [DONE]\n\n"
_NO_USAGE = b',"usage":null'


class ChatCompletions(Endpoint[ChatCompletionRequest]):
    """OpenAI's chat completions, whole and streamed."""

    name = "chat.completions"
    modes = frozenset({"chat"})
    told_as = ChatCompletion
    shape = ChatCompletionRequest

    def estimate(
        self, *, request: ChatCompletionRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by the bytes of its messages, what they carry, and its output cap."""
        if searches_by_itself(model):
            raise UnsupportedParameter(
                f"{model.name} searches the web on its own, for a fee that cannot be bounded before"
                " the call. Use a model that answers from the prompt.",
                param="model",
            )
        return capped(
            model=model,
            rules=rules,
            bounds=bounds_of(request=request, model=model),
            asked_tokens=request.asked_output_tokens,
            beyond_cap_tokens=predicted_tokens(request=request),
        )

    def parameters(
        self, *, request: ChatCompletionRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked, with the cap under the name that the provider knows.

        OpenAI serves a call that names no tier in the one that its project is set to, which may be
        a dearer one than the hold was made for: so the standard one is named.
        """
        if route.provider != "openai":
            return {**request.passed_on(), "max_tokens": cap}
        return {"service_tier": "default", **request.passed_on(), "max_completion_tokens": cap}

    def usage(self, *, request: ChatCompletionRequest, reply: Reply) -> Usage | None:
        """Read the usage that the answer reports."""
        return usage_of(reply.body.get("usage"), images=images_of(request))

    def service_tier(self, *, request: ChatCompletionRequest, reply: Reply) -> str:
        """Name the tier that the answer names, else the one asked for where that is dearer."""
        return served_tier(reply.body.get("service_tier"), asked=request.service_tier)

    def texts(self, *, reply: Reply) -> Sequence[str] | None:
        """Give what each choice says; sound cannot be counted by it."""
        messages = [choice.get("message") or {} for choice in _choices(reply)]
        if any(message.get("audio") for message in messages):
            return None
        return [str(message.get("content") or "") for message in messages]

    def finish_reason(self, *, reply: Reply) -> str:
        """Say why the first choice ended."""
        return next((str(choice.get("finish_reason") or "") for choice in _choices(reply)), "")

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Add ``usage.cost``: USD as text with 12 places."""
        usage = {**as_object(reply.body.get("usage")), "cost": usd_text(cost_usd)}
        return replace(reply, body={**reply.body, "model": model, "usage": usage})

    def events(self, *, request: ChatCompletionRequest, model: str) -> EventReader:
        """Make the reader of a stream of chunks."""
        return ChatEvents(request=request, model=model)


class ChatEvents(EventReader):
    """Reads the chunks of a chat completion; usage is told at the very end, with its cost."""

    def __init__(self, *, request: ChatCompletionRequest, model: str) -> None:
        options = request.stream_options
        self._model = model
        self._tells_usage = bool(options and options.include_usage)
        self._images = images_of(request)
        self._asked_tier = request.service_tier
        self._has_sound = False
        self.service_tier = served_tier(None, asked=self._asked_tier)
        self._our_name = b'"model":' + json_bytes(model)
        self._their_name = self._our_name
        self._their_model: Any = model
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

    def pass_on(self, event: Event) -> bytes:
        """Do as ``read``, but pass on the chunk's own bytes where so little of them changes."""
        edited = self._edited(event) if event.raw else None
        if edited is None:
            return self.read(event.body)
        self._note(event.body)
        if not _says_anything(event.body):
            return b""
        self.has_begun = self.has_begun or _has_delta(event.body)
        return edited

    def _edited(self, event: Event) -> bytes | None:
        """Put our name for the model into a chunk's bytes, and no usage; None if it is not so easy.

        Inside a JSON text every quotation mark has a backslash before it, so that what is looked
        for can only be a name and its value.
        """
        chunk, raw = event
        theirs = chunk.get("model")
        if theirs != self._their_model:
            self._their_model = theirs
            self._their_name = b'"model":' + json_bytes(theirs)
        if chunk.get("usage") or raw.count(self._their_name) != 1:
            return None
        raw = raw.replace(self._their_name, self._our_name)
        if ("usage" in chunk) == self._tells_usage:
            return raw
        if self._tells_usage:
            return raw[:-3] + _NO_USAGE + raw[-3:] if raw.endswith(b"}\n\n") else None
        return raw.replace(_NO_USAGE, b"") if raw.count(_NO_USAGE) == 1 else None

    @property
    def texts(self) -> Sequence[str] | None:
        """The texts of each choice, with the arguments of its tool calls; None if any is sound."""
        if self._has_sound:
            return None
        return ["".join(parts) for parts in self._texts.values()]

    def ended(self, *, cost_usd: Decimal | None) -> bytes:
        """Give usage with its cost, if it was asked for, and the end."""
        if not self._tells_usage or cost_usd is None:
            return DONE
        usage = {**as_object(self._reported), "cost": usd_text(cost_usd)}
        return sse({**self._frame, "model": self._model, "choices": [], "usage": usage}) + DONE

    def failed(self, error: DomainError) -> bytes:
        """Write an error as an event."""
        return sse(error_body(error)) + DONE

    def _note(self, chunk: dict[str, Any]) -> None:
        """Keep what settling needs: usage, why it ended, and the text in case usage is missing."""
        if chunk.get("usage"):
            self._reported = chunk["usage"]
            self.usage = usage_of(self._reported, images=self._images)
        if chunk.get("service_tier"):
            self.service_tier = served_tier(chunk["service_tier"], asked=self._asked_tier)
        if not self._frame:
            self._frame = {k: v for k, v in chunk.items() if k not in ("choices", "usage")}
            self.provider_request_id = str(chunk.get("id") or "")
        for choice in chunk.get("choices") or ():
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            delta = choice.get("delta") or {}
            self._has_sound = self._has_sound or bool(delta.get("audio"))
            for name in _TEXTS:
                if delta.get(name):
                    self._texts[choice.get("index", 0)].append(str(delta[name]))
            for call in delta.get("tool_calls") or ():
                arguments = (call.get("function") or {}).get("arguments")
                self._texts[choice.get("index", 0)].append(str(arguments or ""))


def served_tier(told: Any, *, asked: str | None) -> str:
    """Name the service tier to charge: the one that was told, else the one asked for if dearer."""
    if isinstance(told, str) and told:
        return told
    return asked if asked in ("priority", "fast") else ""


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
    return any(choice.get("delta") for choice in chunk.get("choices") or ())


def _says_anything(chunk: dict[str, Any]) -> bool:
    return _has_delta(chunk) or any(
        choice.get("finish_reason") for choice in chunk.get("choices") or ()
    )
