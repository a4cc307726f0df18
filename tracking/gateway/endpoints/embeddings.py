"""Embeddings: ``POST /v1/embeddings``."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from budgets.core.money import usd_text
from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints.bodies import CallBody, StoredText
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.events import as_object
from tracking.gateway.endpoints.reported_usage import usage_of
from tracking.gateway.endpoints.told import EmbeddingList
from tracking.gateway.estimate import Estimate, OutputRules, fixed
from tracking.gateway.failures import ProviderInterrupted
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.usage import Usage

MOST_INPUTS = 2048
# Models put a token or two of their own around each text.
_TOKENS_PER_INPUT = 16

Token = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[Token], Field(min_length=1)]
Text = Annotated[str, Field(min_length=1)]


class EmbeddingsRequest(CallBody):
    """The body of ``POST /v1/embeddings``."""

    input: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=MOST_INPUTS)]
    )
    dimensions: int | None = Field(default=None, ge=1, le=65_536)
    encoding_format: Literal["float", "base64"] | None = None
    user: StoredText | None = None

    ASIDE: ClassVar[frozenset[str]] = frozenset({"user"})

    @property
    def is_deterministic(self) -> bool:
        """Whether the same request is answered the same every time."""
        return True

    @property
    def end_user(self) -> str:
        """Whom the call is made for."""
        return self.user or ""

    @property
    def inputs(self) -> list[str | list[int]]:
        """What is to be embedded, one by one."""
        if isinstance(self.input, str):
            return [self.input]
        tokens = [given for given in self.input if isinstance(given, int)]
        return [tokens] if tokens else [g for g in self.input if isinstance(g, str | list)]


class Embeddings(Endpoint[EmbeddingsRequest]):
    """Vectors of texts. Providers are asked for numbers, which base64 is made of here if asked."""

    name = "embeddings"
    modes = frozenset({"embedding"})
    told_as = EmbeddingList
    shape = EmbeddingsRequest

    def estimate(
        self, *, request: EmbeddingsRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by the bytes, or the number of tokens, of what it embeds."""
        inputs = request.inputs
        bounds = Bounds(
            input_tokens=sum(_tokens_at_most(given) for given in inputs),
            input_characters=sum(_characters(given) for given in inputs),
            queries=len(inputs),
            excluded=frozenset({"audio_input", "image_input", "video_input"}),
        )
        return fixed(model=model, bounds=bounds, readings=len(inputs))

    def parameters(
        self, *, request: EmbeddingsRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what is embedded; numbers are what every provider can give."""
        return request.model_dump(include={"input", "dimensions"}, exclude_none=True)

    def usage(self, *, request: EmbeddingsRequest, reply: Reply) -> Usage | None:
        """Read the tokens that the answer reports, beside what was given."""
        usage = usage_of(reply.body.get("usage"))
        inputs = request.inputs
        return usage and replace(
            usage,
            output_tokens=0,
            reasoning_tokens=0,
            input_characters=sum(_characters(given) for given in inputs),
            queries=len(inputs),
        )

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Add ``usage.cost``: USD as text with 12 places."""
        usage = {**as_object(reply.body.get("usage")), "cost": usd_text(cost_usd)}
        return replace(reply, body={**reply.body, "model": model, "usage": usage})

    def translated(self, *, request: EmbeddingsRequest, reply: Reply) -> Reply:
        """Write the vectors as they were asked for."""
        if request.encoding_format != "base64":
            return reply
        try:
            packed = list(_packed(reply.body["data"]))
        except (KeyError, TypeError, OverflowError, struct.error):
            raise ProviderInterrupted from None
        return replace(reply, body={**reply.body, "data": packed})


def _packed(data: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Write vectors as OpenAI does: little-endian floats of four bytes, in base64."""
    for item in data:
        vector = item["embedding"]
        if not isinstance(vector, str):
            floats = struct.pack(f"<{len(vector)}f", *vector)
            vector = base64.b64encode(floats).decode()
        yield {**item, "embedding": vector}


def _tokens_at_most(given: str | list[int]) -> int:
    size = len(given.encode()) if isinstance(given, str) else len(given)
    return size + _TOKENS_PER_INPUT


def _characters(given: str | list[int]) -> int:
    """A token can stand for some characters; how many is only known to its tokenizer."""
    return len(given) if isinstance(given, str) else 16 * len(given)
