"""Lists the models that litellm ships prices for, and the demo provider's own.

litellm's bundled file is read as text and its decimals as Decimal: no float touches a price, and
nothing is imported, which would cost seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from budgets.core.errors import DomainError
from tracking.pricing.litellm_map import rates_of
from tracking.pricing.rates import Rates, per_token

MAP_FILE = "model_prices_and_context_window_backup.json"

# Entries of the map that are no models: its documentation, and patterns for unknown names.
_NO_MODELS = frozenset({"sample_spec", "fallback_generalizations"})
_SUPPORTS = "supports_"
_VARIANT = re.compile(
    r"(?P<provider>[a-z_]+/)??(?P<quality>(?:low|medium|high|standard|hd)/)?"
    r"(?P<size>\d+-x-\d+)/(?P<model>(?!.*-steps/).+)"
)


class PriceMapUnreadable(DomainError):
    """The file is no price map in litellm's format."""

    code = "price_map_unreadable"


@dataclass(frozen=True, slots=True)
class Listing:
    """One model as a catalogue lists it. ``rates`` is None when it names no price above zero."""

    name: str
    provider: str
    mode: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: tuple[str, ...]
    deprecated_on: date | None
    rates: Rates | None


def bundled_listings() -> list[Listing]:
    """Read every model of the price map that the installed litellm ships."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(MAP_FILE)
    return list(listings_of(Path(spec.origin).with_name(MAP_FILE).read_text(encoding="utf-8")))


def bundled_edition() -> str:
    """Name the price map that bundled_listings() reads, for a price's note."""
    return f"litellm {version('litellm')}"


def listings_in(path: Path) -> list[Listing]:
    """Read every model of a price map in a file.

    :raises PriceMapUnreadable: naming what is wrong with it
    """
    try:
        return list(listings_of(path.read_text(encoding="utf-8")))
    except DomainError as error:
        raise PriceMapUnreadable(f"{path}: {error.message} {dict(error.details)}") from error
    except (OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise PriceMapUnreadable(f"{path} is no price map in litellm's format: {error}") from error


def listings_of(text: str) -> Iterator[Listing]:
    """Read every model of a price map in litellm's format, given as JSON text."""
    entries = json.loads(text, parse_float=Decimal).items()
    listed = {name: _listing(name, entry) for name, entry in entries if name not in _NO_MODELS}
    yield from _with_variants(listed)


def demo_listings() -> list[Listing]:
    """List the models of the demo provider, which answer without any provider key."""
    small = {"input": "0.5", "cached_input": "0.25", "output": "1.5"}
    large = {
        "input": "5",
        "cached_input": "2.5",
        "cache_write": "6.25",
        "output": "15",
        "reasoning": "20",
    }
    return [
        _demo("demo/small", window=128_000, output=16_384, per_million=small),
        _demo("demo/large", window=200_000, output=32_768, per_million=large),
        _demo("demo/slow", window=128_000, output=16_384, per_million=small),
        _demo("demo/flaky", window=128_000, output=16_384, per_million=small),
        _demo_image(),
        _demo("demo/embed", window=8_192, output=None, per_million={"input": "0.02"}),
    ]


def _with_variants(listed: Mapping[str, Listing]) -> Iterator[Listing]:
    """Join what the map lists once for each size and quality: one model, a rate for each variant.

    ``azure/hd/1024-x-1024/dall-e-3`` is no name that a client could send.
    """
    joined = {name: listing for name, listing in listed.items() if not _VARIANT.fullmatch(name)}
    for name, listing in listed.items():
        variant = _VARIANT.fullmatch(name)
        if variant is None or listing.rates is None:
            continue
        model = next(
            (known for known in _base_names(variant, listing) if known in joined),
            f"{variant['provider'] or ''}{variant['model']}",
        )
        whole = joined.get(model) or replace(listing, name=model, rates=None)
        joined[model] = replace(whole, rates=_joined(whole.rates, listing.rates, variant))
    yield from joined.values()


def _base_names(variant: re.Match[str], listing: Listing) -> tuple[str, str]:
    model = variant["model"]
    return f"{variant['provider'] or ''}{model}", f"{listing.provider}/{model}"


def _joined(whole: Rates | None, part: Rates, variant: re.Match[str]) -> Rates:
    size = variant["size"].replace("-x-", "x")
    name = f"{variant['quality'] or ''}{size}"
    made = {f"{key}:{name}": rate for key, rate in part.per_unit.items() if rate}
    return replace(whole, per_unit={**whole.per_unit, **made}) if whole else Rates(per_unit=made)


def _demo_image() -> Listing:
    return Listing(
        name="demo/image",
        provider="demo",
        mode="image_generation",
        context_window=None,
        max_output_tokens=None,
        capabilities=(),
        deprecated_on=None,
        rates=Rates(per_unit={"output_per_image": Decimal("0.01")}),
    )


def _demo(name: str, *, window: int, output: int | None, per_million: Mapping[str, str]) -> Listing:
    return Listing(
        name=name,
        provider="demo",
        mode="chat" if output else "embedding",
        context_window=window,
        max_output_tokens=output,
        capabilities=("native_streaming", "system_messages") if output else (),
        deprecated_on=None,
        rates=Rates(per_unit={kind: per_token(Decimal(usd)) for kind, usd in per_million.items()}),
    )


def _listing(name: str, entry: Mapping[str, Any]) -> Listing:
    # max_tokens is the map's older name for the most output, kept where nothing newer stands.
    most_output = entry.get("max_output_tokens") or entry.get("max_tokens")
    return Listing(
        name=name,
        provider=entry.get("litellm_provider", ""),
        mode=entry.get("mode", ""),
        context_window=_tokens(entry.get("max_input_tokens")),
        max_output_tokens=_tokens(most_output),
        capabilities=tuple(sorted(_capabilities(entry))),
        deprecated_on=_day(entry.get("deprecation_date")),
        rates=rates_of(entry),
    )


def _capabilities(entry: Mapping[str, Any]) -> Iterator[str]:
    for key, value in entry.items():
        if key.startswith(_SUPPORTS) and value is True:
            yield key.removeprefix(_SUPPORTS)


def _tokens(count: Decimal | int | None) -> int | None:
    """Some entries write a count as 256000.0, and zero for unknown."""
    return int(count) if count else None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
