"""Reads one entry of litellm's price map into rates. Pure.

The map names its prices ``<kind>[_above_<n>k_tokens][_<service>]``, e.g.
``cache_read_input_token_cost_above_200k_tokens_priority``, in USD per single unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import time
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from budgets.core.money import quantize_usd
from tracking.pricing.map_modes import by_mode
from tracking.pricing.off_peak import EVERY_DAY, OffPeak, Window
from tracking.pricing.rates import OFF_PEAK, TOKEN_DIMENSIONS, Rates, dimension_of

_KINDS = MappingProxyType(
    {
        "input_cost_per_token": "input",
        "cache_read_input_token_cost": "cached_input",
        "cache_read_input_audio_token_cost": "cached_audio_input",
        "cache_read_input_image_token_cost": "cached_image_input",
        "cache_creation_input_token_cost": "cache_write",
        "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
        "input_cost_per_audio_token": "audio_input",
        "input_cost_per_image_token": "image_input",
        "input_cost_per_video_token": "video_input",
        "output_cost_per_token": "output",
        "output_cost_per_reasoning_token": "reasoning",
        "output_cost_per_audio_token": "audio_output",
        "output_cost_per_image_token": "image_output",
        "output_cost_per_video_token": "video_output",
        "input_cost_per_request": "request",
        "input_cost_per_audio_per_second": "input_per_second",
        "input_cost_per_video_per_second": "input_per_video_second",
        "ocr_cost_per_page": "input_per_page",
        "google_maps_grounding_cost_per_query": "maps_search",
    }
)
_KEY = re.compile(
    r"(?P<kind>.+?)"
    r"(?:_above_(?P<tokens>\d+)(?P<thousands>k?)_tokens)?"
    r"(?:_(?P<service>batches|flex|priority|ultrafast|balanced|decisions))?"
)
_SERVICES = MappingProxyType({"batches": "batch"})
_VARIANT = re.compile(r"(?P<unit>output_per_(?:image|second))_(?P<variant>.+)")
# Factors that a provider applies by the place or the speed of a call.
_PROVIDER_UPLIFTS = frozenset({"eu", "us", "fast"})
_UPLIFTS = MappingProxyType(
    {
        "regional_processing_uplift_multiplier_eu": "eu",
        "regional_processing_uplift_multiplier_us": "us",
        "regional_endpoint_uplift_multiplier": "regional",
    }
)
# A tier of a request names few rates; the others follow its own input and output rates.
_TIER_FALLBACKS = MappingProxyType(
    {"cached_input": "input", "cache_write": "input", "reasoning": "output"}
)

# xAI charges the dearer rates from the threshold on, all others only past it.
_INCLUSIVE_PROVIDERS = frozenset({"xai"})
# Fireworks publishes no cached rate for most of its models and charges half of the input rate.
_CACHED_SHARES = MappingProxyType({"fireworks_ai": Decimal("0.5")})
_DUST = Decimal("1e-9")


def rates_of(entry: Mapping[str, Any]) -> Rates | None:
    """Read the prices of an entry whose numbers were parsed as Decimal or int.

    None when the entry names no price above zero: a listed zero is a gap in the list as often as
    a gift, and nothing is free that nobody has said to be free.
    """
    provider = entry.get("litellm_provider", "")
    per_unit = dict(_per_unit(entry, inclusive=provider in _INCLUSIVE_PROVIDERS))
    per_unit = by_mode(per_unit, entry.get("mode", ""))
    per_unit |= _tiers(entry.get("tiered_pricing") or [], per_unit)
    if share := _CACHED_SHARES.get(provider):
        _fill_cached(per_unit, share)
    if not any(rate for key, rate in per_unit.items() if dimension_of(key) in TOKEN_DIMENSIONS):
        per_unit = {key: rate for key, rate in per_unit.items() if rate}
    if not per_unit:
        return None
    return Rates(per_unit=per_unit, uplifts=dict(_uplifts(entry)), off_peak=_windows(entry))


def published_rate(amount: Decimal | int) -> Decimal:
    """Clean a published rate of float dust: 12 places where that changes it by less than 1e-9 of it.

    The map is written from floats, so ``1.5e-06`` may stand there as ``1.4999999999999998e-06``.
    """
    exact = Decimal(amount)
    rounded = quantize_usd(exact)
    return rounded if abs(rounded - exact) <= exact * _DUST else exact


def _per_unit(entry: Mapping[str, Any], *, inclusive: bool) -> Iterator[tuple[str, Decimal]]:
    for key, value in entry.items():
        if _is_number(value) and _is_price(key):
            yield _our_key(key, inclusive=inclusive), published_rate(value)
    for size, value in (entry.get("search_context_cost_per_query") or {}).items():
        yield f"search_{size.removeprefix('search_context_size_')}", published_rate(value)
    for key, value in (entry.get("guardrail_cost_per_unit") or {}).items():
        yield f"guardrail_{key}", published_rate(value)
    for key, value in (entry.get("off_peak_pricing") or {}).items():
        if _is_number(value):
            yield f"{_KINDS[key]}@{OFF_PEAK}", published_rate(value)


def _our_key(key: str, *, inclusive: bool) -> str:
    parsed = _KEY.fullmatch(key)
    if parsed is None:  # The pattern matches any text; this only tells the type checker so.
        return key
    kind = parsed["kind"]
    name = _KINDS.get(kind) or kind.replace("_token_cost", "").replace("cost_per_", "per_")
    if variant := _VARIANT.fullmatch(name):
        name = f"{variant['unit']}:{variant['variant'].lower()}"
    if parsed["tokens"]:
        limit = int(parsed["tokens"]) * (1000 if parsed["thousands"] else 1)
        name += f">{limit - inclusive}"
    if service := parsed["service"]:
        name += f"@{_SERVICES.get(service, service)}"
    return name


def _tiers(tiers: Iterable[Mapping[str, Any]], flat: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Tiers of input size choose the rates of the whole call, exactly as thresholds do.

    Calls beyond the last tier stay in it. A kind that any tier names is written for every tier,
    so that no tier takes it from the one below.
    """
    read = [
        (int(tier["range"][0]), dict(_per_unit(tier, inclusive=False)))
        for tier in tiers
        if "range" in tier
    ]
    named = {kind for _, rates in read for kind in rates}
    written: dict[str, Decimal] = {}
    for start, rates in sorted(read, key=lambda tier: tier[0]):
        for kind in named:
            fallback = rates.get(_TIER_FALLBACKS.get(kind, ""), flat.get(kind))
            rate = rates.get(kind, fallback)
            if rate is not None:
                written[f"{kind}>{start}" if start else kind] = rate
    return written


def _fill_cached(per_unit: dict[str, Decimal], share: Decimal) -> None:
    if "input" in per_unit and "cached_input" not in per_unit:
        per_unit["cached_input"] = published_rate(per_unit["input"] * share)
    off_peak, cached_off_peak = f"input@{OFF_PEAK}", f"cached_input@{OFF_PEAK}"
    if off_peak in per_unit and cached_off_peak not in per_unit:
        per_unit[cached_off_peak] = published_rate(per_unit[off_peak] * share)


def _uplifts(entry: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    for key, name in _UPLIFTS.items():
        if key in entry:
            yield name, Decimal(entry[key])
    for name, value in (entry.get("provider_specific_entry") or {}).items():
        if name in _PROVIDER_UPLIFTS:
            yield name, Decimal(value)


def _windows(entry: Mapping[str, Any]) -> OffPeak | None:
    off_peak = entry.get("off_peak_pricing")
    if not off_peak:
        return None
    windows = [_window(off_peak["hours_utc"], None)] if "hours_utc" in off_peak else []
    windows += [
        _window(rule["hours_utc"], rule.get("weekdays")) for rule in off_peak.get("windows", [])
    ]
    return OffPeak(windows=tuple(windows), time_zone=off_peak.get("weekday_timezone", "UTC"))


def _window(hours: str | list[str], weekdays: list[int] | None) -> Window:
    spans = [hours] if isinstance(hours, str) else hours
    return Window(
        spans=tuple(_span(span) for span in spans),
        weekdays=EVERY_DAY if weekdays is None else frozenset(weekdays),
    )


def _span(text: str) -> tuple[time, time]:
    start, end = text.split("-")
    return time.fromisoformat(start), time.fromisoformat(end)


def _is_price(key: str) -> bool:
    """Prices in a provider's own units are no USD; a second name for the cached rate is no price."""
    return "cost" in key and "_dbu_" not in key and not key.endswith("_cache_hit")


def _is_number(value: object) -> bool:
    return isinstance(value, Decimal | int) and not isinstance(value, bool)
