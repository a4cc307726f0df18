"""Completions of text, which came before chats: ``POST /v1/completions``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field

from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.http.errors import error_body
from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints.bodies import CallBody, StoredText
from tracking.gateway.endpoints.chat import DONE, sse
from tracking.gateway.endpoints.chat_schemas import MOST_CHOICES, Bias, Stop, StreamOptions, Tokens
from tracking.gateway.endpoints.embeddings import Token
from tracking.gateway.endpoints.endpoint import Endpoint, EventReader
from tracking.gateway.endpoints.events import as_object
from tracking.gateway.endpoints.reported_usage import usage_of
from tracking.gateway.endpoints.told import TextCompletion
from tracking.gateway.estimate import Estimate, OutputRules, capped
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.usage import Usage

MOST_PROMPTS = 64
_TOKENS_PER_PROMPT = 16

Prompt = Annotated[list[Token], Field(min_length=1)]


class CompletionsRequest(CallBody):
    """The body of ``POST /v1/completions``."""

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MOST_PROMPTS)]
        | Prompt
        | Annotated[list[Prompt], Field(min_length=1, max_length=MOST_PROMPTS)]
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    best_of: int | None = Field(default=None, ge=1, le=20)
    echo: bool | None = None
    suffix: str | None = None
    logprobs: int | None = Field(default=None, ge=0, le=5)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, Bias] | None = Field(default=None, max_length=1024)
    stop: Stop | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    user: StoredText | None = None

    ASIDE: ClassVar[frozenset[str]] = frozenset({"user", "stream_options"})

    @property
    def is_deterministic(self) -> bool:
        """Whether nothing is left to chance: one answer to each prompt at temperature 0."""
        return self.temperature == 0 and (self.n or 1) == (self.best_of or 1) == 1

    @property
    def end_user(self) -> str:
        """Whom the call is made for."""
        return self.user or ""

    @property
    def prompts(self) -> list[str | list[int]]:
        """What is to be completed, one by one."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        tokens = [given for given in self.prompt if isinstance(given, int)]
        return [tokens] if tokens else [g for g in self.prompt if isinstance(g, str | list)]


class Completions(Endpoint[CompletionsRequest]):
    """OpenAI's completions of text, whole and streamed."""

    name = "completions"
    modes = frozenset({"completion"})
    told_as = TextCompletion
    shape = CompletionsRequest

    def estimate(
        self, *, request: CompletionsRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by the bytes of its prompts, and as many answers as are made of each."""
        prompts = request.prompts
        texts = [*prompts, request.suffix or ""]
        bounds = Bounds(
            input_tokens=sum(map(_tokens_at_most, texts)) + _TOKENS_PER_PROMPT * len(prompts),
            output_tokens=0,
            choices=len(prompts) * max(request.n or 1, request.best_of or 1),
        )
        return capped(
            model=model,
            rules=rules,
            bounds=bounds,
            asked_tokens=request.max_tokens,
            readings=len(prompts),
        )

    def parameters(
        self, *, request: CompletionsRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked, with the cap."""
        own = {"model", "stream", "stream_options", "max_tokens", "user"}
        return {**request.model_dump(exclude=own, exclude_none=True), "max_tokens": cap}

    def usage(self, *, request: CompletionsRequest, reply: Reply) -> Usage | None:
        """Read the usage that the answer reports."""
        return usage_of(reply.body.get("usage"))

    def texts(self, *, reply: Reply) -> Sequence[str]:
        """Give each completion."""
        return [str(choice.get("text") or "") for choice in _choices(reply.body)]

    def finish_reason(self, *, reply: Reply) -> str:
        """Say why the first completion ended."""
        return next((str(c.get("finish_reason") or "") for c in _choices(reply.body)), "")

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Add ``usage.cost``: USD as text with 12 places."""
        usage = {**as_object(reply.body.get("usage")), "cost": usd_text(cost_usd)}
        return replace(reply, body={**reply.body, "model": model, "usage": usage})

    def events(self, *, request: CompletionsRequest, model: str) -> EventReader:
        """Make the reader of a stream of chunks."""
        options = request.stream_options
        return CompletionEvents(model=model, tells_usage=bool(options and options.include_usage))


class CompletionEvents(EventReader):
    """Reads the chunks of a completion; usage is told at the very end, with its cost."""

    def __init__(self, *, model: str, tells_usage: bool) -> None:
        self._model = model
        self._tells_usage = tells_usage
        self._frame: dict[str, Any] = {}
        self._reported: dict[str, Any] = {}
        self._texts: defaultdict[int, list[str]] = defaultdict(list)

    def read(self, event: dict[str, Any]) -> bytes:
        """Note a chunk, and pass it on if it says anything."""
        chunk = {**event, "model": self._model}
        reported = chunk.pop("usage", None)
        if reported:
            self._reported, self.usage = reported, usage_of(reported)
        if not self._frame:
            self._frame = {k: v for k, v in chunk.items() if k != "choices"}
            self.provider_request_id = str(chunk.get("id") or "")
        if not self._note(_choices(chunk)):
            return b""
        return sse({**chunk, "usage": None} if self._tells_usage else chunk)

    @property
    def texts(self) -> Sequence[str]:
        """The texts of each completion."""
        return ["".join(parts) for parts in self._texts.values()]

    def ended(self, *, cost_usd: Decimal | None) -> bytes:
        """Give usage with its cost, if it was asked for, and the end."""
        if not self._tells_usage or cost_usd is None:
            return DONE
        usage = {**as_object(self._reported), "cost": usd_text(cost_usd)}
        return sse({**self._frame, "choices": [], "usage": usage}) + DONE

    def failed(self, error: DomainError) -> bytes:
        """Write an error as an event."""
        return sse(error_body(error)) + DONE

    def _note(self, choices: Iterable[dict[str, Any]]) -> bool:
        """Keep each text and why it ended; tell whether anything was said."""
        says = False
        for choice in choices:
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            says = says or bool(choice.get("text") or choice.get("finish_reason"))
            if choice.get("text"):
                self.has_begun = True
                self._texts[choice.get("index", 0)].append(str(choice["text"]))
        return says


def _choices(body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    choices: Iterable[dict[str, Any]] = body.get("choices") or ()
    return choices


def _tokens_at_most(given: str | list[int]) -> int:
    return len(given.encode()) if isinstance(given, str) else len(given)
