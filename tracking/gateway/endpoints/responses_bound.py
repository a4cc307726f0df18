"""The most that a response can be charged for, by its body. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from tracking.gateway.endpoints import media
from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.responses_schemas import InputFile, InputImage, ResponsesRequest
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds

# Formats wrap each item and each request in a few tokens of their own.
_TOKENS_PER_ITEM = 16
_TOKENS_PER_REQUEST = 64
# Providers explain the use of tools to the model in words of their own, in up to 804 tokens.
_TOKENS_FOR_TOOL_USE = 1_024
_TOKENS_PER_TOOL = 64
_READ = frozenset({"input", "instructions", "tools", "tool_choice", "text"})
_NEVER = frozenset(
    {"audio_input", "cached_audio_input", "video_input", "audio_output", "video_output"}
)
# The tier whose rates bound a call, beside the standard ones; a provider's own choice ("auto") by
# the dearest that is sold.
_BOUNDING_TIERS = MappingProxyType({"flex": "flex", "priority": "priority", "auto": "priority"})


def bounds_of(*, request: ResponsesRequest, model: PricedModel) -> Bounds:
    """Bound everything but the output.

    :raises UnsupportedParameter: if the model cannot do what is asked, or it cannot be bounded
    """
    parts = list(request.parts())
    excluded = set(_NEVER)
    if not any(isinstance(part, InputImage | InputFile) for _, part in parts):
        excluded |= {"image_input", "cached_image_input"}
    return Bounds(
        input_tokens=_tokens_of_text(request)
        + sum(_tokens_of(place, part, model) for place, part in parts),
        output_tokens=0,
        input_images=sum(isinstance(part, InputImage) for _, part in parts),
        service_tier=_BOUNDING_TIERS.get(request.service_tier or ""),
        excluded=frozenset(excluded),
    )


def _tokens_of_text(request: ResponsesRequest) -> int:
    """Count the bytes of all but what is shown: JSON only adds to them."""
    tokens = len(request.model_dump_json(include=set(_READ), exclude_none=True).encode())
    tokens += _TOKENS_PER_ITEM * len(request.items) + _TOKENS_PER_REQUEST
    if request.tools:
        tokens += _TOKENS_FOR_TOOL_USE + _TOKENS_PER_TOOL * len(request.tools)
    return tokens


def _tokens_of(place: str, part: Any, model: PricedModel) -> int:
    if isinstance(part, InputImage):
        media.require("vision", model=model, param=place)
        shown = len(part.image_url) if part.image_url.startswith("data:") else 0
        return media.image_tokens(model=model.name) - shown
    if not isinstance(part, InputFile):
        return 0
    media.require("pdf_input", model=model, param=place)
    if model.context_window:
        # No provider reads more of a document than fits into the window.
        return model.context_window - len(part.file_data or "")
    raise UnsupportedParameter(
        f"{place}: the catalogue does not say how much {model.name} reads at most, so what this"
        " would cost cannot be bounded. An operator states its context window in the admin.",
        param=place,
    )
