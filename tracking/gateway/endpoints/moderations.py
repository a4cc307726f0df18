"""Moderations: ``POST /v1/moderations``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, Tag

from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints import media
from tracking.gateway.endpoints.bodies import BY_KIND, CallBody, ModelName
from tracking.gateway.endpoints.chat_parts import ImagePart, TextPart
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.told import Moderation
from tracking.gateway.estimate import Estimate, OutputRules, fixed
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.usage import Usage

MOST_INPUTS = 256
_TOKENS_PER_INPUT = 16
# Categories whose names are no identifiers, by what the library makes of them.
_NAMES = MappingProxyType(
    {
        "harassment_threatening": "harassment/threatening",
        "hate_threatening": "hate/threatening",
        "illicit_violent": "illicit/violent",
        "self_harm": "self-harm",
        "self_harm_instructions": "self-harm/instructions",
        "self_harm_intent": "self-harm/intent",
        "sexual_minors": "sexual/minors",
        "violence_graphic": "violence/graphic",
    }
)

Part = Annotated[
    Annotated[TextPart, Tag("<text>")] | Annotated[ImagePart, Tag("<image_url>")], BY_KIND
]


class ModerationsRequest(CallBody):
    """The body of ``POST /v1/moderations``."""

    model: ModelName = "omni-moderation-latest"
    input: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]
        | Annotated[list[Part], Field(min_length=1, max_length=MOST_INPUTS)]
    )

    @property
    def is_deterministic(self) -> bool:
        """Whether the same request is answered the same every time."""
        return True

    @property
    def inputs(self) -> list[str | TextPart | ImagePart]:
        """What is to be judged, one by one."""
        return [self.input] if isinstance(self.input, str) else list(self.input)


class Moderations(Endpoint[ModerationsRequest]):
    """Whether texts and images are harmful. Free where an operator has stated a price of zero."""

    name = "moderations"
    modes = frozenset({"moderation"})
    told_as = Moderation
    shape = ModerationsRequest

    def estimate(
        self, *, request: ModerationsRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by what it judges."""
        inputs = request.inputs
        bounds = Bounds(input_tokens=sum(_tokens(inputs, model=model.name)))
        return fixed(model=model, bounds=bounds, readings=len(inputs))

    def parameters(
        self, *, request: ModerationsRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what is judged."""
        return request.model_dump(include={"input"}, exclude_none=True)

    def usage(self, *, request: ModerationsRequest, reply: Reply) -> Usage | None:
        """No provider reports any."""
        return None

    def measured(
        self, *, request: ModerationsRequest, reply: Reply, model: PricedModel
    ) -> tuple[Usage, bool] | None:
        """What is free costs nothing, however much of it there was."""
        return None if any(model.rates.per_unit.values()) else (Usage(), True)

    def translated(self, *, request: ModerationsRequest, reply: Reply) -> Reply:
        """Name the categories as the dialect does, and only those that were judged."""
        results = [_as_named(result) for result in reply.body["results"]]
        return replace(reply, body={**reply.body, "results": results})

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Write the answer under the model's name here."""
        return replace(reply, body={**reply.body, "model": model})


def _as_named(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {_NAMES.get(key, key): v for key, v in value.items() if v is not None}
        if isinstance(value, dict)
        else value
        for name, value in result.items()
    }


def _tokens(inputs: list[str | TextPart | ImagePart], *, model: str) -> Iterator[int]:
    for given in inputs:
        if isinstance(given, ImagePart):
            yield media.image_tokens(model=model)
        else:
            text = given if isinstance(given, str) else given.text
            yield len(text.encode()) + _TOKENS_PER_INPUT
