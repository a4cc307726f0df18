"""litellm's own calculators, asked for what our usage costs at one of its map's models.

Each answers in USD as a float, or None where litellm finds no price or raises: it has no answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache, wraps
from typing import Any

from tracking.pricing.catalog import Listing
from tracking.pricing.usage import Usage

Answer = float | None
Oracle = Callable[..., Answer]

RELATIVE = 1e-9

_DISPATCHED = {
    "bedrock_converse": "bedrock",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "cohere_chat": "cohere",
}


def differs(ours: float, theirs: float) -> bool:
    """Tell whether two amounts differ by more than floats do."""
    return abs(ours - theirs) > RELATIVE * max(abs(ours), abs(theirs))


def answering(price: Callable[..., Any]) -> Oracle:
    """Take whatever litellm raises for having no answer."""

    @wraps(price)
    def answer(listing: Listing, usage: Usage, **options: Any) -> Answer:
        load()
        with suppress(Exception):
            return float(price(listing, usage, **options))
        return None

    return answer


@cache
def load() -> Any:
    """Import litellm with the map it ships."""
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    import litellm

    litellm.suppress_debug_info = True
    return litellm


def provider_of(listing: Listing) -> str:
    """The map sorts some models under names that its calculators do not dispatch on."""
    if listing.provider.startswith("vertex_ai"):
        return "vertex_ai"
    return _DISPATCHED.get(listing.provider, listing.provider)


@contextmanager
def _billed_at(at: datetime | None) -> Iterator[None]:
    from litellm._internal_context import _billing_time

    token = _billing_time.set(at)
    try:
        yield
    finally:
        _billing_time.reset(token)


@answering
def tokens(
    listing: Listing,
    usage: Usage,
    *,
    at: datetime | None = None,
    reported: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """Price a call that is counted in tokens; ``reported`` is what else its usage says."""
    told = their_usage(usage)
    for name, value in (reported or {}).items():
        setattr(told, name, value)
    with _billed_at(at):
        return sum(
            load().cost_per_token(
                model=listing.name,
                custom_llm_provider=provider_of(listing),
                usage_object=told,
                **options,
            )
        )


@answering
def batch(listing: Listing, usage: Usage) -> Any:
    """Price one call of a batch."""
    from litellm.cost_calculator import batch_cost_calculator

    return sum(
        batch_cost_calculator(
            usage=their_usage(usage),
            model=listing.name,
            custom_llm_provider=provider_of(listing),
        )
    )


@answering
def embedding(listing: Listing, usage: Usage) -> Any:
    """Price the embedding of text, images, audio and video."""
    return sum(
        load().cost_per_token(
            model=listing.name,
            custom_llm_provider=provider_of(listing),
            usage_object=their_usage(usage),
            call_type="embedding",
        )
    )


@answering
def rerank(listing: Listing, usage: Usage) -> Any:
    """Price a reranking, which some count in searches and some in tokens."""
    units = {"search_units": usage.queries, "total_tokens": usage.input_tokens}
    return sum(
        load().cost_per_token(
            model=listing.name,
            custom_llm_provider=provider_of(listing),
            call_type="rerank",
            rerank_billed_units=units,
        )
    )


@answering
def transcription(listing: Listing, usage: Usage) -> Any:
    """Price a transcription, by the tokens that it reported or else by the second."""
    return sum(
        load().cost_per_token(
            model=listing.name,
            custom_llm_provider=provider_of(listing),
            call_type="transcription",
            usage_object=their_usage(usage),
            audio_transcription_file_duration=float(usage.input_seconds),
        )
    )


@answering
def speech(listing: Listing, usage: Usage) -> Any:
    """Price speech, by the character or by the token."""
    return sum(
        load().cost_per_token(
            model=listing.name,
            custom_llm_provider=provider_of(listing),
            call_type="speech",
            usage_object=their_usage(usage),
            prompt_characters=usage.input_characters,
        )
    )


@answering
def search(listing: Listing, usage: Usage) -> Any:
    """Price searches."""
    return sum(
        load().cost_per_token(
            model=listing.name,
            custom_llm_provider=provider_of(listing),
            call_type="search",
            number_of_queries=usage.queries,
        )
    )


@answering
def ocr(listing: Listing, usage: Usage) -> Any:
    """Price pages that were read."""
    from litellm.llms.base_llm.ocr.transformation import OCRResponse, OCRUsageInfo

    info = OCRUsageInfo(
        pages_processed=usage.pages, pages_processed_annotation=usage.annotated_pages
    )
    return sum(
        load().cost_per_token(
            model=listing.name,
            custom_llm_provider=provider_of(listing),
            call_type="ocr",
            response=OCRResponse(pages=[], model=listing.name, usage_info=info),
        )
    )


@answering
def video(listing: Listing, usage: Usage) -> Any:
    """Price seconds of video."""
    from litellm.cost_calculator import default_video_cost_calculator

    return float(
        default_video_cost_calculator(
            model=listing.name,
            custom_llm_provider=provider_of(listing),
            duration_seconds=float(usage.output_seconds),
            video_resolution=usage.size or None,
        )
    )


@answering
def images(listing: Listing, usage: Usage) -> Any:
    """Price images that were made, by their tokens or else by the image."""
    from litellm.types.utils import ImageObject, ImageResponse

    made = ImageResponse(data=[ImageObject(url="https://x") for _ in range(usage.output_images)])
    made.usage = _image_usage(usage)
    return float(
        load().completion_cost(
            completion_response=made,
            model=_own_name(listing),
            custom_llm_provider=provider_of(listing),
            call_type="image_generation",
            size=usage.size or None,
            quality=usage.quality or None,
            n=usage.output_images,
            optional_params=_asked_of_fal(usage),
        )
    )


def _asked_of_fal(usage: Usage) -> dict[str, Any]:
    width, _, height = usage.size.partition("x")
    if not height:
        return {}
    asked = {"image_size": {"width": int(width), "height": int(height)}}
    return asked | ({"quality": usage.quality} if usage.quality else {})


def _own_name(listing: Listing) -> str:
    """The name that calls carry: without its provider."""
    return listing.name.removeprefix(f"{provider_of(listing)}/")


def _image_usage(usage: Usage) -> Any:
    from litellm.types.utils import ImageUsage, ImageUsageInputTokensDetails

    if not usage.output_tokens:
        return None
    return ImageUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_tokens_details=ImageUsageInputTokensDetails(
            image_tokens=usage.image_input_tokens,
            text_tokens=usage.input_tokens - usage.image_input_tokens,
        ),
    )


def their_usage(usage: Usage) -> Any:
    """Write our usage in litellm's type."""
    from litellm.types.utils import (
        CacheCreationTokenDetails,
        CompletionTokensDetailsWrapper,
        PromptTokensDetailsWrapper,
    )
    from litellm.types.utils import Usage as TheirUsage

    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    given = {
        "image_count": usage.input_images,
        "video_length_seconds": float(usage.input_video_seconds),
        "audio_length_seconds": float(usage.input_seconds),
        "character_count": usage.input_characters,
        "query_count": usage.queries,
    }
    prompt = PromptTokensDetailsWrapper(
        cached_tokens=usage.cached_input_tokens,
        audio_tokens=usage.audio_input_tokens,
        image_tokens=usage.image_input_tokens,
        cache_creation_tokens=written,
        **{name: count for name, count in given.items() if count},
    )
    if any(given.values()):
        # litellm takes no text for granted where something else was given.
        prompt.text_tokens = usage.units()["input"]
    if written:
        prompt.cache_creation_token_details = CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=usage.cache_write_tokens,
            ephemeral_1h_input_tokens=usage.cache_write_1h_tokens,
        )
    return TheirUsage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        prompt_tokens_details=prompt,
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=usage.reasoning_tokens,
            audio_tokens=usage.audio_output_tokens,
            image_tokens=usage.image_output_tokens,
        ),
    )
