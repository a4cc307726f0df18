"""OpenAI's responses: ``POST /v1/responses``.

Called natively where the provider speaks this dialect, else as a chat (``responses_bridge``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.http.errors import error_body
from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints import responses_bridge
from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.chat import searches_by_itself
from tracking.gateway.endpoints.endpoint import Endpoint, EventReader
from tracking.gateway.endpoints.events import as_object, named_event
from tracking.gateway.endpoints.reported_usage import read_counts, usage_of
from tracking.gateway.endpoints.responses_bound import bounds_of
from tracking.gateway.endpoints.responses_schemas import NOT_TAKEN, ResponsesRequest
from tracking.gateway.endpoints.told import Response
from tracking.gateway.estimate import Estimate, OutputRules, capped
from tracking.pricing.book import PricedModel
from tracking.pricing.usage import Usage

# Providers of the library's that speak this dialect themselves.
_NATIVE = frozenset({"openai"})
_LAST = ("response.completed", "response.incomplete", "response.failed")
# What comes before anything is said.
_FIRST = ("response.created", "response.in_progress", "response.queued")


class Responses(Endpoint[ResponsesRequest]):
    """OpenAI's responses, whole and as typed events."""

    name = "responses"
    modes = frozenset({"chat", "responses"})
    told_as = Response
    shape = ResponsesRequest

    def read(self, *, body: bytes, content_type: str) -> ResponsesRequest:
        """Read a request's body."""
        request = super().read(body=body, content_type=content_type)
        for name, reason in NOT_TAKEN.items():
            if getattr(request, name):
                raise UnsupportedParameter(f"{name} is not taken. {reason}", param=name)
        return request

    def estimate(
        self, *, request: ResponsesRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by its bytes, what it shows, and its output cap."""
        if searches_by_itself(model):
            raise UnsupportedParameter(
                f"{model.name} searches the web on its own, for a fee that cannot be bounded before"
                " the call. Use a model that answers from the prompt.",
                param="model",
            )
        bounds = bounds_of(request=request, model=model)
        asked = request.max_output_tokens
        return capped(model=model, rules=rules, bounds=bounds, asked_tokens=asked)

    def sent_as(self, *, route: Route) -> str:
        """Chat, where the provider does not speak this dialect."""
        return self.name if is_native(route) else "chat.completions"

    def check(self, *, request: ResponsesRequest, route: Route) -> None:
        """Refuse what a provider that only chats cannot be asked."""
        if is_native(route):
            return
        if route.mode != "chat":
            raise UnsupportedParameter(
                f"{route.provider} is not called for {route.mode} by this gateway.", param="model"
            )
        responses_bridge.check(request)

    def parameters(
        self, *, request: ResponsesRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked, with the cap, in the dialect of the provider; nothing is kept there."""
        if is_native(route):
            return {**request.passed_on(), "max_output_tokens": cap, "store": False}
        return responses_bridge.chat_parameters(request, cap=cap)

    def translated(self, *, request: ResponsesRequest, reply: Reply) -> Reply:
        """Tell a chat's answer as a response."""
        if not _is_chat(reply.body):
            return reply
        return replace(reply, body=responses_bridge.response_body(reply.body, request=request))

    def usage(self, *, request: ResponsesRequest, reply: Reply) -> Usage | None:
        """Read the usage that the answer reports."""
        return usage_of_response(reply.body.get("usage"))

    def texts(self, *, reply: Reply) -> Sequence[str]:
        """Give all that the answer says, with the arguments of its calls."""
        return ["".join(_texts_of(reply.body.get("output")))]

    def finish_reason(self, *, reply: Reply) -> str:
        """Say why the answer ended."""
        return _finish_reason(reply.body)

    def service_tier(self, *, request: ResponsesRequest, reply: Reply) -> str:
        """Name the tier that the call was served in."""
        return str(reply.body.get("service_tier") or "")

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Add ``usage.cost``: USD as text with 12 places."""
        return replace(reply, body=_with_cost({**reply.body, "model": model}, cost_usd))

    def events(self, *, request: ResponsesRequest, model: str) -> EventReader:
        """Make the reader of a stream of typed events."""
        return ResponseEvents(request=request, model=model)


class ResponseEvents(EventReader):
    """Reads the typed events of one response, or the chunks of a chat as such."""

    def __init__(self, *, request: ResponsesRequest, model: str) -> None:
        self._request = request
        self._model = model
        self._chat: responses_bridge.ChatAsResponse | None = None
        self._last: dict[str, Any] | None = None
        self._sequence = 0
        self._texts: defaultdict[str, list[str]] = defaultdict(list)

    def read(self, event: dict[str, Any]) -> bytes:
        """Note an event, and pass it on unless it tells the end."""
        if not _is_chat(event):
            return self._pass_on([event])
        if self._chat is None:
            self._chat = responses_bridge.ChatAsResponse(request=self._request)
        self.usage = usage_of(event.get("usage")) or self.usage
        self.finish_reason = responses_bridge.finish_reason(event) or self.finish_reason
        return self._pass_on(self._chat.events(event))

    @property
    def texts(self) -> Sequence[str]:
        """What the response says, as one text."""
        return ["".join("".join(parts) for parts in self._texts.values())]

    def ended(self, *, cost_usd: Decimal | None) -> bytes:
        """Give the whole response at the end, with its cost."""
        before = self._pass_on(self._chat.end()) if self._chat else b""
        last = self._last or {}
        if cost_usd is not None and last:
            last = {**last, "response": _with_cost(_response(last), cost_usd)}
        return before + (named_event(last) if last else b"")

    def failed(self, error: DomainError) -> bytes:
        """Write an error as an event."""
        written = error_body(error)["error"]
        told = {**written, "type": "error", "sequence_number": self._sequence + 1}
        return named_event(told)

    def _pass_on(self, events: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(map(self._told, events))

    def _told(self, event: Mapping[str, Any]) -> bytes:
        if isinstance(event.get("response"), dict):
            event = {**event, "response": {**event["response"], "model": self._model}}
        self._note(event)
        return b"" if event.get("type") in _LAST else named_event(event)

    def _note(self, event: Mapping[str, Any]) -> None:
        """Keep what settling needs: usage, why it ended, and the text in case usage is missing."""
        kind = str(event.get("type") or "")
        self.has_begun = self.has_begun or kind not in _FIRST + _LAST
        sequence = event.get("sequence_number")
        self._sequence = sequence if type(sequence) is int else self._sequence
        if kind.endswith(".delta") and isinstance(event.get("delta"), str):
            self._texts[str(event.get("item_id"))].append(event["delta"])
        response = _response(event)
        if response:
            self.provider_request_id = str(response.get("id") or "")
            self.service_tier = str(response.get("service_tier") or "")
        if kind in _LAST:
            self._last = dict(event)
            self.finish_reason = _finish_reason(response)
            if self._chat is None:
                self.usage = usage_of_response(response.get("usage"))


def is_native(route: Route) -> bool:
    """Tell whether a provider speaks this dialect. An address of anybody's does for models that are
    called in no other way, and is taken to chat for all others."""
    if route.kind == "openai_compatible":
        return route.mode == "responses"
    return route.kind == "litellm" and route.provider in _NATIVE


def usage_of_response(reported: Any) -> Usage | None:
    """Read usage in the shape of a response.

    Gives None where no token is named: zeros stand for a report that did not come.
    """
    if not isinstance(reported, dict):
        return None
    details = reported.get("input_tokens_details")
    read = details if isinstance(details, dict) else {}
    details = reported.get("output_tokens_details")
    written = details if isinstance(details, dict) else {}
    usage = read_counts(
        {
            "input_tokens": reported.get("input_tokens") or 0,
            "output_tokens": reported.get("output_tokens") or 0,
            "cached_input_tokens": read.get("cached_tokens") or 0,
            "cache_write_tokens": read.get("cache_write_tokens") or 0,
            "cache_write_1h_tokens": read.get("cache_write_1h_tokens") or 0,
            "audio_input_tokens": read.get("audio_tokens") or 0,
            "image_input_tokens": read.get("image_tokens") or 0,
            "reasoning_tokens": written.get("reasoning_tokens") or 0,
            "audio_output_tokens": written.get("audio_tokens") or 0,
            "image_output_tokens": written.get("image_tokens") or 0,
        }
    )
    return usage if usage.input_tokens or usage.output_tokens else None


def _with_cost(response: Mapping[str, Any], cost_usd: Decimal) -> dict[str, Any]:
    usage = {**as_object(response.get("usage")), "cost": usd_text(cost_usd)}
    return {**response, "usage": usage}


def _finish_reason(response: Mapping[str, Any]) -> str:
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return str(reason or response.get("status") or "")


def _response(event: Mapping[str, Any]) -> Mapping[str, Any]:
    response = event.get("response")
    return response if isinstance(response, dict) else {}


def _is_chat(body: Mapping[str, Any]) -> bool:
    return "choices" in body


def _texts_of(said: Any) -> Iterable[str]:
    """Give every text within what an answer says, however deep it lies."""
    if isinstance(said, dict):
        for name, value in said.items():
            if name in ("text", "content", "arguments", "refusal", "reasoning_content"):
                yield from [value] if isinstance(value, str) else _texts_of(value)
            elif isinstance(value, (dict, list)):
                yield from _texts_of(value)
    elif isinstance(said, list):
        for value in said:
            yield from _texts_of(value)
