"""Reranking: ``POST /v1/rerank``, in Cohere's dialect."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints.bodies import Body, CallBody
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.events import as_object
from tracking.gateway.endpoints.reported_usage import read_counts
from tracking.gateway.endpoints.told import Ranking
from tracking.gateway.estimate import Estimate, OutputRules, fixed
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.usage import Usage

MOST_DOCUMENTS = 10_000
# Cohere charges a search for each hundred documents, and cuts one into chunks of at most 500
# tokens with the query, each of which counts as a document.
_DOCUMENTS_PER_SEARCH = 100
_TOKENS_PER_CHUNK = 500
_TOKENS_PER_DOCUMENT = 16


class Document(Body):
    """A text to be ranked."""

    text: str


class RerankRequest(CallBody):
    """The body of ``POST /v1/rerank``."""

    query: Annotated[str, Field(min_length=1)]
    documents: list[str | Document] = Field(min_length=1, max_length=MOST_DOCUMENTS)
    top_n: int | None = Field(default=None, ge=1, le=MOST_DOCUMENTS)
    return_documents: bool | None = None
    max_tokens_per_doc: int | None = Field(default=None, ge=1, le=1_000_000)

    @property
    def is_deterministic(self) -> bool:
        """Whether the same request is answered the same every time."""
        return True

    @property
    def texts(self) -> list[str]:
        """The texts of the documents."""
        return [given if isinstance(given, str) else given.text for given in self.documents]


class Rerank(Endpoint[RerankRequest]):
    """Documents ordered by what they have to do with a query."""

    name = "rerank"
    modes = frozenset({"rerank"})
    told_as = Ranking
    shape = RerankRequest

    def estimate(
        self, *, request: RerankRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by the bytes of the documents, the query going with each of them."""
        query = len(request.query.encode())
        sizes = [len(text.encode()) for text in request.texts]
        bounds = Bounds(
            input_tokens=sum(sizes) + len(sizes) * (query + _TOKENS_PER_DOCUMENT),
            queries=_searches_at_most(query=query, sizes=sizes),
        )
        return fixed(model=model, bounds=bounds, readings=len(sizes))

    def parameters(
        self, *, request: RerankRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked, the documents as their texts."""
        passed = request.model_dump(exclude={"model", "documents"}, exclude_none=True)
        return {**passed, "documents": request.texts}

    def usage(self, *, request: RerankRequest, reply: Reply) -> Usage | None:
        """Read searches and tokens, whichever the answer reports."""
        meta = as_object(reply.body.get("meta"))
        billed, counted = as_object(meta.get("billed_units")), as_object(meta.get("tokens"))
        counts = {
            "queries": billed.get("search_units") or 0,
            "input_tokens": counted.get("input_tokens")
            or billed.get("total_tokens")
            or billed.get("input_tokens")
            or as_object(reply.body.get("usage")).get("total_tokens")
            or 0,
        }
        usage = read_counts(counts)
        return usage if usage.queries or usage.input_tokens else None

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Write the answer under the model's name here."""
        return replace(reply, body={**reply.body, "model": model})


def _searches_at_most(*, query: int, sizes: list[int]) -> int:
    """Count the searches as if every byte were a token."""
    room = max(_TOKENS_PER_CHUNK - query, 1)
    chunks = sum(max(1, -(-size // room)) for size in sizes)
    return -(-chunks // _DOCUMENTS_PER_SEARCH)
