"""Our costs against litellm's own calculator, over every text model of its bundled map."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tracking.pricing.catalog import Listing, bundled_listings
from tracking.pricing.cost import cost
from tracking.pricing.modes import prices_mode
from tracking.pricing.usage import Usage

# litellm's own types make pydantic warn when they are first used.
pytestmark = pytest.mark.filterwarnings("ignore:Item.*ReadOnly.*:UserWarning")

PEAK = datetime(2026, 3, 4, 8, tzinfo=UTC)
OFF_PEAK = datetime(2026, 3, 4, 11, tzinfo=UTC)
RELATIVE = 1e-9

Oracle = Callable[..., float | None]

SHAPES = {
    "plain": Usage(input_tokens=1234, output_tokens=567),
    "reasoning": Usage(
        input_tokens=20_000,
        cached_input_tokens=5_000,
        cache_write_tokens=7_000,
        output_tokens=5_670,
        reasoning_tokens=4_000,
    ),
    "modalities": Usage(
        input_tokens=9_000,
        audio_input_tokens=1_000,
        image_input_tokens=3_000,
        cached_input_tokens=1_500,
        cache_write_1h_tokens=2_000,
        output_tokens=3_000,
        audio_output_tokens=400,
        image_output_tokens=1_290,
    ),
}
LONG = Usage(
    input_tokens=1,
    cached_input_tokens=1,
    output_tokens=1_000,
    reasoning_tokens=10,
)

# Why these differ is told in docs/money.md, "Where we differ from litellm".
IGNORES_CACHE_AND_FEES = "perplexity"
KNOWS_NO_SERVICE_TIERS = "fireworks_ai"
SHADOWED_NAMES = frozenset({"deepseek-chat", "gemini-exp-1206", "moonshotai.kimi-k2.5"})


@pytest.fixture(scope="module")
def litellm_cost() -> Oracle:
    """litellm's cost of a usage in USD; None where it does not find a model of its own map."""
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    import litellm
    from litellm._internal_context import _billing_time

    litellm.suppress_debug_info = True

    def price(listing: Listing, usage: Usage, at: datetime, **options: Any) -> float | None:
        token = _billing_time.set(at)
        try:
            with suppress(litellm.ModelNotMappedError):
                return sum(
                    litellm.cost_per_token(
                        model=listing.name,
                        custom_llm_provider=_provider(listing),
                        usage_object=_litellm_usage(usage),
                        **options,
                    )
                )
        finally:
            _billing_time.reset(token)
        return None

    return price


def _provider(listing: Listing) -> str:
    """The map sorts some models under names that its calculator does not dispatch on."""
    if listing.provider.startswith("vertex_ai"):
        return "vertex_ai"
    return {
        "bedrock_converse": "bedrock",
        "fireworks_ai-embedding-models": "fireworks_ai",
    }.get(listing.provider, listing.provider)


def _litellm_usage(usage: Usage) -> Any:
    from litellm.types.utils import (
        CacheCreationTokenDetails,
        CompletionTokensDetailsWrapper,
        PromptTokensDetailsWrapper,
    )
    from litellm.types.utils import Usage as TheirUsage

    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    prompt = PromptTokensDetailsWrapper(
        cached_tokens=usage.cached_input_tokens,
        audio_tokens=usage.audio_input_tokens,
        image_tokens=usage.image_input_tokens,
        cache_creation_tokens=written,
    )
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


def text_models() -> Iterator[Listing]:
    for listing in bundled_listings():
        rates = listing.rates
        if (
            rates
            and listing.mode in {"chat", "responses", "completion"}
            and prices_mode(rates, "chat")
        ):
            yield listing


def shapes_of(listing: Listing) -> Iterator[Usage]:
    """Every shape, and both sides of every threshold that the model's price has."""
    yield from SHAPES.values()
    assert listing.rates is not None
    for threshold in listing.rates.thresholds:
        for size in (threshold, threshold + 1):
            yield replace(LONG, input_tokens=size, cached_input_tokens=size // 2)


def differs(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) > RELATIVE * max(abs(ours), abs(theirs))


def test_agrees_with_litellm_on_every_text_model(litellm_cost: Oracle) -> None:
    compared, differing, unknown = 0, set(), set()
    for listing in text_models():
        assert listing.rates is not None
        for usage in shapes_of(listing):
            ours = float(cost(usage=usage, rates=listing.rates, at=PEAK).total_usd)
            theirs = litellm_cost(listing, usage, PEAK)
            if theirs is None:
                unknown.add(listing.name)
                continue
            compared += 1
            if differs(ours, theirs):
                differing.add((listing.provider, listing.name))
    unexplained = {
        name
        for provider, name in differing
        if provider != IGNORES_CACHE_AND_FEES and name not in SHADOWED_NAMES
    }
    assert unexplained == set()
    assert compared > 9_000
    assert len(unknown) < 20


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_agrees_with_litellm_on_every_service_tier(litellm_cost: Oracle, tier: str) -> None:
    sold = [
        model
        for model in text_models()
        if model.rates and tier in model.rates.services
        if model.provider != KNOWS_NO_SERVICE_TIERS and model.name not in SHADOWED_NAMES
    ]
    for listing in sold:
        assert listing.rates is not None
        for usage in shapes_of(listing):
            if usage.audio_input_tokens and f"audio_input@{tier}" in listing.rates.per_unit:
                continue
            ours = float(cost(usage=usage, rates=listing.rates, service_tier=tier).total_usd)
            theirs = litellm_cost(listing, usage, PEAK, service_tier=tier)
            assert theirs is not None
            assert not differs(ours, theirs), (listing.name, ours, theirs)
    assert len(sold) > 100


def test_agrees_with_litellm_on_off_peak_hours(litellm_cost: Oracle) -> None:
    sold = [model for model in text_models() if model.rates and model.rates.off_peak]
    for listing in sold:
        assert listing.rates is not None
        for at in (PEAK, OFF_PEAK):
            ours = float(cost(usage=SHAPES["reasoning"], rates=listing.rates, at=at).total_usd)
            theirs = litellm_cost(listing, SHAPES["reasoning"], at)
            assert theirs is None or not differs(ours, theirs), (listing.name, at, ours, theirs)
    assert len(sold) >= 10


def test_agrees_with_litellm_on_regional_uplifts(litellm_cost: Oracle) -> None:
    sold = [
        model
        for model in text_models()
        if model.rates and "eu" in model.rates.uplifts and model.provider == "openai"
    ]
    for listing in sold:
        assert listing.rates is not None
        ours = float(cost(usage=LONG, rates=listing.rates, uplifts=["eu"]).total_usd)
        theirs = litellm_cost(listing, LONG, PEAK, data_residency="eu")
        assert theirs is not None
        assert not differs(ours, theirs), (listing.name, ours, theirs)
    assert len(sold) > 5
