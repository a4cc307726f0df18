"""Where our cost is not litellm's, and for which models and usages. docs/money.md tells why.

The titles are the first column of its table; the tests hold both to each other, and every entry to
still being needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tracking.pricing.catalog import Listing
from tracking.pricing.usage import Usage


@dataclass(frozen=True, slots=True)
class Difference:
    """One explained difference: its title in the table, and what it covers."""

    title: str
    covers: Callable[[Listing, Usage], bool]


_SHADOWED = frozenset({"deepseek-chat", "gemini-exp-1206", "moonshotai.kimi-k2.5"})
_RERANKED_FREE = ("fireworks_ai", "novita", "together_ai")

TOKENS = (
    Difference("Perplexity", lambda listing, _: listing.provider == "perplexity"),
    Difference(
        "three names that exist bare and with a provider (`deepseek-chat`, `gemini-exp-1206`, "
        "`moonshotai.kimi-k2.5`)",
        lambda listing, _: listing.name in _SHADOWED,
    ),
)

TIERS = (
    Difference(
        "Fireworks in a service tier", lambda listing, _: listing.provider == "fireworks_ai"
    ),
    Difference(
        "audio input in a service tier",
        lambda listing, usage: (
            bool(usage.audio_input_tokens)
            and any(key.startswith("audio_input@") for key in listing.rates.per_unit)
            if listing.rates
            else False
        ),
    ),
    *TOKENS[1:],
)

UNITS = (
    Difference(
        "reranking by the token at Fireworks, Novita and Together",
        lambda listing, _: listing.mode == "rerank" and listing.provider in _RERANKED_FREE,
    ),
    Difference(
        "Parallel's searches",
        lambda listing, _: listing.mode == "search" and listing.provider == "parallel_ai",
    ),
    Difference(
        "gpt-image without reported tokens",
        lambda listing, usage: (
            "gpt-image" in listing.name
            and listing.provider in ("openai", "azure")
            and not usage.output_tokens
        ),
    ),
    Difference(
        "tokens reported for a model that is sold by the image",
        lambda listing, usage: (
            listing.mode == "image_generation"
            and bool(usage.output_tokens)
            and "image_output" not in (listing.rates.per_unit if listing.rates else {})
        ),
    ),
)

# Not of single models: the oracle's tests leave these out, others show them.
RULES = (
    "models listed at zero",
    "usage that contradicts itself",
    "a kind of token or another unit without any rate",
)
