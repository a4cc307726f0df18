"""Prices as genai-prices lists them: a second source, kept by other people, to compare ours with.

It is read from the installed package, never from the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from tracking.pricing.rates import per_token

# Their name of each provider that both know.
PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "azure": "azure",
        "azure_ai": "azure",
        "baseten": "baseten",
        "bedrock": "aws",
        "bedrock_converse": "aws",
        "cerebras": "cerebras",
        "cloudflare": "cloudflare",
        "cohere": "cohere",
        "cohere_chat": "cohere",
        "databricks": "databricks",
        "deepseek": "deepseek",
        "elevenlabs": "elevenlabs",
        "fireworks_ai": "fireworks",
        "gemini": "google",
        "groq": "groq",
        "meta": "meta",
        "minimax": "minimax",
        "mistral": "mistral",
        "moonshot": "moonshotai",
        "novita": "novita",
        "openai": "openai",
        "openrouter": "openrouter",
        "ovhcloud": "ovhcloud",
        "perplexity": "perplexity",
        "together_ai": "together",
        "vertex_ai": "google",
        "vertex_ai-embedding-models": "google",
        "vertex_ai-language-models": "google",
        "voyage": "voyageai",
        "xai": "x-ai",
        "zai": "zai",
    }
)
# Their unit for each dimension of ours, and how many of ours it holds.
_UNITS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "input_mtok": ("input", 10**6),
        "cache_read_mtok": ("cached_input", 10**6),
        "cache_audio_read_mtok": ("cached_audio_input", 10**6),
        "cache_image_read_mtok": ("cached_image_input", 10**6),
        "cache_write_mtok": ("cache_write", 10**6),
        "cache_write_1h_mtok": ("cache_write_1h", 10**6),
        "input_audio_mtok": ("audio_input", 10**6),
        "input_image_mtok": ("image_input", 10**6),
        "input_video_mtok": ("video_input", 10**6),
        "output_mtok": ("output", 10**6),
        "output_reasoning_mtok": ("reasoning", 10**6),
        "output_audio_mtok": ("audio_output", 10**6),
        "output_image_mtok": ("image_output", 10**6),
        "output_video_mtok": ("video_output", 10**6),
        "input_mchars": ("input_per_character", 10**6),
        "input_document_kpages": ("input_per_page", 10**3),
        "input_annotated_document_kpages": ("annotation_per_page", 10**3),
    }
)


@dataclass(frozen=True, slots=True)
class Quote:
    """What the second source says a model costs: USD by dimension, as in Rates.per_unit."""

    model: str
    per_unit: Mapping[str, Decimal]


class SecondSource:
    """The prices of the installed genai-prices at one instant."""

    def __init__(self, *, at: datetime) -> None:
        # Its data takes a second and some megabytes to load: only those who compare pay for it.
        from genai_prices.data_snapshot import get_snapshot

        self._at = at
        self._all = get_snapshot().providers
        self._providers = {provider.id: provider for provider in self._all}

    def quote(self, *, provider: str, name: str) -> Quote | None:
        """Find what it lists for a model of ours; None where it knows neither or no price."""
        theirs = self._providers.get(PROVIDERS.get(provider, ""))
        # Some take over what they do not list from another provider, as Azure does from OpenAI.
        found = theirs and theirs.find_model(_bare(provider, name), all_providers=self._all)
        if not found:
            return None
        per_unit = dict(_per_unit(found.get_prices(self._at)))
        return Quote(found.id, per_unit) if per_unit else None


def edition() -> str:
    """Name the second source and its version."""
    return f"genai-prices {version('genai-prices')}"


def _bare(provider: str, name: str) -> str:
    return name.removeprefix(f"{provider}/")


def _per_unit(prices: Any) -> Iterator[tuple[str, Decimal]]:
    """Read their prices, past thresholds included; what they count in units of their own is left."""
    for theirs, (dimension, size) in _UNITS.items():
        price = getattr(prices, theirs, None)
        if price is None:
            continue
        yield dimension, _of_one(getattr(price, "base", price), size)
        for tier in getattr(price, "tiers", ()):
            yield f"{dimension}>{tier.start}", _of_one(tier.price, size)


def _of_one(price: Decimal, size: int) -> Decimal:
    return per_token(price) if size == 10**6 else price / size
