"""Our costs against litellm's own calculator, over every text model of its bundled map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.tracking.pricing import litellm_oracle
from tests.tracking.pricing.differences import TIERS, TOKENS, Difference
from tests.tracking.pricing.litellm_oracle import differs, provider_of
from tracking.pricing.catalog import Listing, bundled_listings
from tracking.pricing.cost import cost
from tracking.pricing.modes import prices_mode
from tracking.pricing.usage import Usage

# litellm's own types make pydantic warn when they are first used.
pytestmark = pytest.mark.filterwarnings("ignore:Item.*ReadOnly.*:UserWarning")

PEAK = datetime(2026, 3, 4, 8, tzinfo=UTC)
OFF_PEAK = datetime(2026, 3, 4, 11, tzinfo=UTC)
RELATIVE = 1e-9

SHAPES = {
    "plain": Usage(input_tokens=1234, output_tokens=567),
    "reasoning": Usage(
        input_tokens=20_000,
        cached_input_tokens=5_000,
        cache_write_tokens=7_000,
        output_tokens=5_670,
        reasoning_tokens=4_000,
    ),
    "all cached": Usage(input_tokens=5_000, cached_input_tokens=5_000, output_tokens=1),
    "written for an hour": Usage(
        input_tokens=30_000,
        cached_input_tokens=10_000,
        cache_write_tokens=3_000,
        cache_write_1h_tokens=15_000,
        output_tokens=900,
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


def explained(by: tuple[Difference, ...], listing: Listing, usage: Usage) -> str | None:
    return next((known.title for known in by if known.covers(listing, usage)), None)


def test_agrees_with_litellm_on_every_text_model() -> None:
    compared, found, unknown = 0, set(), set()
    for listing in text_models():
        assert listing.rates is not None
        for usage in shapes_of(listing):
            ours = float(cost(usage=usage, rates=listing.rates, at=PEAK).total_usd)
            theirs = litellm_oracle.tokens(listing, usage, at=PEAK)
            if theirs is None:
                unknown.add(listing.name)
                continue
            compared += 1
            if differs(ours, theirs):
                found.add(explained(TOKENS, listing, usage) or (listing.name, ours, theirs))
    assert found == {known.title for known in TOKENS}
    assert compared > 12_000
    assert len(unknown) < 20


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_agrees_with_litellm_on_every_service_tier(tier: str) -> None:
    sold = [model for model in text_models() if model.rates and tier in model.rates.services]
    found = set()
    for listing in sold:
        assert listing.rates is not None
        for usage in shapes_of(listing):
            ours = float(cost(usage=usage, rates=listing.rates, service_tier=tier).total_usd)
            theirs = litellm_oracle.tokens(listing, usage, at=PEAK, service_tier=tier)
            assert theirs is not None
            if differs(ours, theirs):
                found.add(explained(TIERS, listing, usage) or (listing.name, ours, theirs))
    assert found <= {known.title for known in TIERS}
    assert ("audio input in a service tier" in found) == (tier == "priority")
    assert len(sold) > 100


def test_agrees_with_litellm_on_batches() -> None:
    """Both know batches only where the map prices them on both sides."""
    sold = [
        model
        for model in text_models()
        if model.rates and {"input@batch", "output@batch"} <= model.rates.per_unit.keys()
    ]
    for listing in sold:
        assert listing.rates is not None
        for usage in batches_of(listing):
            ours = float(cost(usage=usage, rates=listing.rates, service_tier="batch").total_usd)
            theirs = litellm_oracle.batch(listing, usage)
            assert theirs is not None
            assert not differs(ours, theirs), (listing.name, usage, ours, theirs)
    assert len(sold) > 100


def batches_of(listing: Listing) -> Iterator[Usage]:
    assert listing.rates is not None
    yield SHAPES["plain"]
    if "cached_input@batch" in listing.rates.per_unit:
        yield Usage(input_tokens=9_000, cached_input_tokens=4_000, output_tokens=700)
    for threshold in listing.rates.thresholds:
        if f"input>{threshold}@batch" in listing.rates.per_unit:
            yield Usage(input_tokens=threshold + 1, output_tokens=700)


def test_agrees_with_litellm_on_off_peak_hours() -> None:
    sold = [model for model in text_models() if model.rates and model.rates.off_peak]
    for listing in sold:
        assert listing.rates is not None
        for at in (PEAK, OFF_PEAK):
            ours = float(cost(usage=SHAPES["reasoning"], rates=listing.rates, at=at).total_usd)
            theirs = litellm_oracle.tokens(listing, SHAPES["reasoning"], at=at)
            assert theirs is None or not differs(ours, theirs), (listing.name, at, ours, theirs)
    assert len(sold) >= 10


# Where each uplift is asked for: by an option of the calculator, or in the reported usage.
UPLIFTS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "OpenAI in the EU": ("eu", {"data_residency": "eu"}, {}),
    "OpenAI in the US": ("us", {"data_residency": "us"}, {}),
    "Vertex in a region": ("regional", {"vertex_location": "us-east5"}, {}),
    "Anthropic in the US": ("us", {}, {"inference_geo": "us"}),
    "Anthropic, fast": ("fast", {}, {"speed": "fast"}),
}
SELLERS = {"OpenAI": "openai", "Vertex": "vertex_ai", "Anthropic": "anthropic"}


@pytest.mark.parametrize("name", UPLIFTS)
def test_agrees_with_litellm_on_uplifts(name: str) -> None:
    uplift, options, reported = UPLIFTS[name]
    seller = SELLERS[name.partition(" ")[0].removesuffix(",")]
    sold = [
        model
        for model in text_models()
        if model.rates and uplift in model.rates.uplifts and provider_of(model) == seller
    ]
    for listing in sold:
        assert listing.rates is not None
        ours = float(cost(usage=LONG, rates=listing.rates, uplifts=[uplift]).total_usd)
        theirs = litellm_oracle.tokens(listing, LONG, at=PEAK, reported=reported, **options)
        assert theirs is not None
        assert not differs(ours, theirs), (listing.name, ours, theirs)
    assert sold
