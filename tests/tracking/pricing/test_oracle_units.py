"""Our costs against litellm's own calculators, where calls are counted in more than text.

Every priced model of the bundled map, in every unit that its price names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import product

import pytest

from tests.tracking.pricing import litellm_oracle
from tests.tracking.pricing.differences import UNITS
from tests.tracking.pricing.litellm_oracle import Oracle, differs
from tracking.pricing.catalog import Listing, bundled_listings
from tracking.pricing.cost import cost
from tracking.pricing.modes import prices_mode
from tracking.pricing.rates import RateMissing
from tracking.pricing.usage import Usage

# litellm's own types make pydantic warn when they are first used.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

TAKE = Decimal("12.345")
# What calls of a mode use, each with the rates that a price names to be asked for it.
Shapes = list[tuple[tuple[str, ...], Usage]]

EMBEDDINGS: Shapes = [
    (("input",), Usage(input_tokens=1234)),
    (("input", "cached_input"), Usage(input_tokens=1234, cached_input_tokens=1000)),
    (("input_per_image",), Usage(input_images=2)),
    (("input", "input_per_image"), Usage(input_tokens=900, input_images=2)),
    (("input", "input_per_second"), Usage(input_tokens=900, input_seconds=TAKE)),
    (("input", "input_per_video_second"), Usage(input_tokens=900, input_video_seconds=TAKE)),
    (("input_per_second",), Usage(input_seconds=TAKE)),
    (("input_per_video_second",), Usage(input_video_seconds=TAKE)),
    (("input_per_query",), Usage(queries=3)),
    (("input_per_character",), Usage(input_characters=500)),
    (
        ("audio_input", "image_input"),
        Usage(input_tokens=900, audio_input_tokens=300, image_input_tokens=200),
    ),
]
RERANKINGS: Shapes = [
    (("input_per_query",), Usage(queries=3, input_tokens=1200)),
    (("input",), Usage(queries=3, input_tokens=1200)),
]
TRANSCRIPTIONS: Shapes = [
    (("input_per_second",), Usage(input_seconds=TAKE)),
    (
        ("input", "audio_input", "output"),
        Usage(input_tokens=500, audio_input_tokens=450, output_tokens=77, input_seconds=TAKE),
    ),
]
SPEECH: Shapes = [
    (("input_per_character",), Usage(input_characters=321, input_tokens=80)),
    (("request",), Usage(input_characters=321)),
    (
        ("input", "audio_output"),
        Usage(input_characters=321, input_tokens=80, output_tokens=900, audio_output_tokens=900),
    ),
]
SEARCHES: Shapes = [(("input_per_query",), Usage(queries=3))]
PAGES: Shapes = [
    (("input_per_page",), Usage(pages=7)),
    (("input_per_page",), Usage(pages=7, annotated_pages=3)),
]
VIDEOS: Shapes = [
    (("output_per_second",), Usage(output_seconds=8, size=size))
    for size in ("", "480p", "720p", "768p", "1080p", "2k", "4k")
]
SOLD_IMAGES = [
    *product(("low", "medium", "high"), (1024, 1536)),
    *product(("standard", "hd"), (1024, 1792)),
]
IMAGES: Shapes = [
    (("output_per_image",), Usage(output_images=3)),
    *(
        (
            (made,),
            Usage(
                output_images=2, output_pixels=2 * 1024 * side, size=f"1024x{side}", quality=quality
            ),
        )
        for made in ("output_per_image", "output_per_pixel")
        for quality, side in SOLD_IMAGES
    ),
    (
        ("image_output",),
        Usage(
            input_tokens=700,
            image_input_tokens=600,
            output_tokens=1290,
            image_output_tokens=1290,
            output_images=1,
        ),
    ),
    (
        ("output_per_image",),
        Usage(input_tokens=9, output_tokens=99, image_output_tokens=99, output_images=1),
    ),
]
TALKS: Shapes = [
    (
        ("input", "output"),
        Usage(
            input_tokens=1000,
            audio_input_tokens=400,
            image_input_tokens=100,
            output_tokens=300,
            audio_output_tokens=200,
        ),
    ),
    (("input", "output"), Usage(input_tokens=1000, cached_input_tokens=300, output_tokens=300)),
]
TEXTS: Shapes = TALKS[1:]

# For each mode: how litellm prices it, what is asked, and how many comparisons there are at least.
MODES: dict[str, tuple[Oracle, Shapes, int]] = {
    "embedding": (litellm_oracle.embedding, EMBEDDINGS, 170),
    "rerank": (litellm_oracle.rerank, RERANKINGS, 28),
    "audio_transcription": (litellm_oracle.transcription, TRANSCRIPTIONS, 90),
    "audio_speech": (litellm_oracle.speech, SPEECH, 40),
    "search": (litellm_oracle.search, SEARCHES, 14),
    "ocr": (litellm_oracle.ocr, PAGES, 36),
    "video_generation": (litellm_oracle.video, VIDEOS, 500),
    "image_generation": (litellm_oracle.images, IMAGES, 1_900),
    "image_edit": (litellm_oracle.images, IMAGES, 400),
    "realtime": (litellm_oracle.tokens, TALKS, 96),
    "evaluation": (litellm_oracle.tokens, TEXTS, 20),
    "extraction": (litellm_oracle.tokens, TEXTS, 2),
}


@cache
def bundled() -> list[Listing]:
    return bundled_listings()


def priced(mode: str) -> Iterator[Listing]:
    for listing in bundled():
        if listing.mode == mode and listing.rates and prices_mode(listing.rates, mode):
            yield listing


def cases(mode: str, shapes: Shapes) -> Iterator[tuple[Listing, Usage]]:
    for listing in priced(mode):
        assert listing.rates is not None
        for needed, usage in shapes:
            if listing.rates.dimensions.issuperset(needed):
                yield listing, usage


def explained(listing: Listing, usage: Usage) -> str | None:
    return next((known.title for known in UNITS if known.covers(listing, usage)), None)


def compare(listing: Listing, usage: Usage, oracle: Oracle) -> str:
    """Say how two costs of one usage compare, or why they differ, or that nobody knows."""
    assert listing.rates is not None
    theirs = oracle(listing, usage)
    try:
        ours = float(cost(usage=usage, rates=listing.rates).total_usd)
    except RateMissing:
        return "refused here" if not theirs else f"{listing.name} {usage}: refused, {theirs} there"
    if theirs is None:
        return "no answer there"
    if not differs(ours, theirs):
        return "agree"
    known = (known.title for known in UNITS if known.covers(listing, usage))
    return next(known, f"{listing.name} {usage}: {ours} here, {theirs} there")


@pytest.fixture(scope="module")
def compared() -> dict[str, Counter[str]]:
    """Per mode, how the costs of all cases compare."""
    return {
        mode: Counter(compare(*case, oracle) for case in cases(mode, shapes))
        for mode, (oracle, shapes, _) in MODES.items()
    }


@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_litellm_wherever_no_difference_is_explained(
    compared: dict[str, Counter[str]], mode: str
) -> None:
    known = {"agree", "refused here", "no answer there", *(known.title for known in UNITS)}
    assert compared[mode].keys() <= known
    assert compared[mode]["agree"] >= MODES[mode][2]


def test_every_explained_difference_is_there(compared: dict[str, Counter[str]]) -> None:
    found = {told for counted in compared.values() for told in counted}
    assert {known.title for known in UNITS} <= found


def test_compares_every_mode_that_the_map_prices() -> None:
    text = {"chat", "responses", "completion", ""}
    others = {"guardrail", "vector_store", "moderation"}
    assert {listing.mode for listing in bundled()} == MODES.keys() | text | others
