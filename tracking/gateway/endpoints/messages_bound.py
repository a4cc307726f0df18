"""The most that a message can be charged for, by its body. Pure."""

from __future__ import annotations

from typing import Any

from tracking.gateway.endpoints import media
from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.messages_schemas import (
    Base64Image,
    Base64Pdf,
    CacheControl,
    Counted,
    DocumentBlock,
    ImageBlock,
    PlainText,
)
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds

# Formats wrap each turn and each request in a few tokens of their own.
_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_REQUEST = 64
# Anthropic explains the use of tools to a model in up to 804 tokens, by its own table.
_TOKENS_FOR_TOOL_USE = 1_024
_TOKENS_PER_TOOL = 64
# ... and how to cite a document.
_TOKENS_FOR_CITING = 1_024
_READ = frozenset({"messages", "system", "tools", "tool_choice", "output_config"})
_NEVER = frozenset(
    {"audio_input", "cached_audio_input", "video_input", "audio_output", "video_output"}
)


def bounds_of(*, request: Counted, model: PricedModel) -> Bounds:
    """Bound everything but the output.

    :raises UnsupportedParameter: if the model cannot do what is asked, or it cannot be bounded
    """
    blocks = list(request.blocks())
    excluded = set(_NEVER)
    if not any(isinstance(block, ImageBlock | DocumentBlock) for _, block in blocks):
        excluded |= {"image_input", "cached_image_input"}
    if not any(mark.ttl == "1h" for mark in _marks(request)):
        excluded.add("cache_write_1h")
    images = sum(isinstance(block, ImageBlock) for _, block in blocks)
    return Bounds(
        input_tokens=_tokens_of_text(request)
        + sum(_tokens_of(place, block, model) for place, block in blocks),
        output_tokens=0,
        input_images=images,
        excluded=frozenset(excluded),
    )


def _tokens_of_text(request: Counted) -> int:
    """Count the bytes of all but what is shown: JSON only adds to them."""
    tokens = len(request.model_dump_json(include=set(_READ), exclude_none=True).encode())
    tokens += _TOKENS_PER_MESSAGE * len(request.messages) + _TOKENS_PER_REQUEST
    if request.tools:
        tokens += _TOKENS_FOR_TOOL_USE + _TOKENS_PER_TOOL * len(request.tools)
    return tokens


def _tokens_of(place: str, block: Any, model: PricedModel) -> int:
    if isinstance(block, ImageBlock):
        media.require("vision", model=model, param=place)
        shown = len(block.source.data) if isinstance(block.source, Base64Image) else 0
        return media.image_tokens(model=model.name) - shown
    if isinstance(block, DocumentBlock):
        return _tokens_of_document(place, block, model)
    return 0


def _tokens_of_document(place: str, block: DocumentBlock, model: PricedModel) -> int:
    if isinstance(block.source, PlainText):
        # A document that is cited is cut into pieces, each with a few tokens of its own.
        is_cited = block.citations is not None and block.citations.enabled
        return _TOKENS_FOR_CITING + len(block.source.data.encode()) if is_cited else 0
    media.require("pdf_input", model=model, param=place)
    shown = len(block.source.data) if isinstance(block.source, Base64Pdf) else 0
    if model.context_window:
        # No provider reads more of a document than fits into the window.
        return model.context_window - shown
    raise UnsupportedParameter(
        f"{place}: the catalogue does not say how much {model.name} reads at most, so what this"
        " would cost cannot be bounded. An operator states its context window in the admin.",
        param=place,
    )


def _marks(request: Counted) -> list[CacheControl]:
    carriers = [block for _, block in request.blocks()]
    carriers += [*(request.tools or ()), request]
    carriers += request.system if isinstance(request.system, list) else []
    marks = (getattr(carrier, "cache_control", None) for carrier in carriers)
    return [mark for mark in marks if mark]
