"""Usage as providers report it, read into ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracking.gateway.endpoints.events import as_object
from tracking.pricing.usage import Usage, UsageContradiction


def usage_of(reported: Mapping[str, Any] | None, *, images: int = 0) -> Usage | None:
    """Read usage in OpenAI's shape; what contradicts itself is read at its dearest.

    ``images`` is how many the call was given: no report says so, and some prices go by it.
    Gives None where no token is named: zeros stand for a report that did not come.
    """
    if not isinstance(reported, Mapping) or not reported:
        return None
    prompt = as_object(reported.get("prompt_tokens_details"))
    output = as_object(reported.get("completion_tokens_details"))
    writes = reported.get("cache_creation_input_tokens") or prompt.get("cache_creation_tokens") or 0
    hour_long = _hour_long_writes(prompt)
    counts: dict[str, Any] = {
        "input_tokens": reported.get("prompt_tokens") or 0,
        "output_tokens": reported.get("completion_tokens") or 0,
        "cached_input_tokens": prompt.get("cached_tokens") or 0,
        "cache_write_tokens": writes - hour_long if type(writes) is int else writes,
        "cache_write_1h_tokens": hour_long,
        "reasoning_tokens": output.get("reasoning_tokens") or 0,
        "audio_input_tokens": prompt.get("audio_tokens") or 0,
        "image_input_tokens": prompt.get("image_tokens") or 0,
        "video_input_tokens": prompt.get("video_tokens") or 0,
        "audio_output_tokens": output.get("audio_tokens") or 0,
        "image_output_tokens": output.get("image_tokens") or 0,
        "video_output_tokens": output.get("video_tokens") or 0,
        "input_images": images,
    }
    usage = read_counts(counts)
    return usage if usage.input_tokens or usage.output_tokens else None


def read_counts(counts: Mapping[str, Any]) -> Usage:
    """Make usage of counts by our own names; what contradicts itself is read at its dearest."""
    try:
        return Usage(**counts)
    except UsageContradiction:
        return Usage.reconciled(counts)


def _hour_long_writes(prompt: Mapping[str, Any]) -> int:
    """Read how much of what was written to a cache is kept for an hour, at a dearer rate."""
    details = as_object(prompt.get("cache_creation_token_details"))
    count = details.get("ephemeral_1h_input_tokens")
    return count if type(count) is int else 0
