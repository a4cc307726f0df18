"""What one call used, as its provider reports it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Literal, Self

from budgets.core.errors import DomainError

SearchContext = Literal["low", "medium", "high"]

_CACHE_KINDS = ("cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens")
_INPUT_MODALITIES = ("audio_input_tokens", "image_input_tokens", "video_input_tokens")
_OUTPUT_KINDS = (
    "reasoning_tokens",
    "audio_output_tokens",
    "image_output_tokens",
    "video_output_tokens",
)


# More than any call can use; keeps an absurd report within what the ledger's columns can hold.
MOST_UNITS = 10**10


class UsageContradiction(DomainError):
    """The reported usage contradicts itself."""

    code = "usage_contradiction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one call, in the convention of the OpenAI API: totals include their parts.

    - ``input_tokens`` is all input. ``cached_input_tokens`` (read from a cache),
      ``cache_write_tokens`` (written for five minutes) and ``cache_write_1h_tokens`` (for an hour)
      are parts of it that exclude each other.
    - ``audio_``, ``image_`` and ``video_input_tokens`` are parts of the input by kind, which
      exclude each other. They may overlap with the cached part; ``cached_audio_input_tokens`` is
      the known overlap of cached and audio.
    - ``output_tokens`` is all output of all choices. ``reasoning_tokens``, ``audio_``, ``image_``
      and ``video_output_tokens`` are parts of it that exclude each other.
    - ``web_searches`` counts the searches that the provider charges for, ``requests`` the calls.

    :raises UsageContradiction: if a count is no integer, negative or absurd, or if parts exceed
        their total
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cached_audio_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    video_input_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    video_output_tokens: int = 0
    web_searches: int = 0
    requests: int = 1
    search_context: SearchContext = "medium"

    def __post_init__(self) -> None:
        counts = _COUNTS_OF(self)
        if (
            {type(count) for count in counts} != {int}
            or min(counts) < 0
            or max(counts) > MOST_UNITS
        ):
            raise UsageContradiction(counts=dict(zip(COUNTS, counts, strict=True)))
        overlap = min(self.cached_input_tokens, self.audio_input_tokens)
        if (
            sum(_CACHED_OF(self)) > self.input_tokens
            or sum(_MODALITIES_OF(self)) > self.input_tokens
            or sum(_OUTPUT_OF(self)) > self.output_tokens
            or self.cached_audio_input_tokens > overlap
        ):
            raise UsageContradiction(counts=dict(zip(COUNTS, counts, strict=True)))

    @classmethod
    def reconciled(cls, counts: Mapping[str, Any]) -> Self:
        """Read a report that contradicts itself at its dearest: totals grow to hold their parts.

        Counts that are negative or no integers are taken as zero, absurd ones as a quarter of
        MOST_UNITS, so that no total exceeds it, and unknown names are ignored.
        Meant for settling after UsageContradiction: a call that happened is always booked.
        """
        read = {name: _count(counts.get(name, 0)) for name in COUNTS}
        read["requests"] = _count(counts.get("requests", 1))
        overlap = min(read["cached_input_tokens"], read["audio_input_tokens"])
        read["cached_audio_input_tokens"] = min(read["cached_audio_input_tokens"], overlap)
        read["input_tokens"] = max(
            read["input_tokens"], _sum(read, _CACHE_KINDS), _sum(read, _INPUT_MODALITIES)
        )
        read["output_tokens"] = max(read["output_tokens"], _sum(read, _OUTPUT_KINDS))
        context = counts.get("search_context")
        return cls(**read, search_context=context if context in ("low", "high") else "medium")

    def units(self) -> dict[str, int]:
        """Count every unit under exactly one dimension of a price; the input ones add up to the input.

        What the cache covered is charged as cached; a kind of input is charged as such only
        where the cache did not cover it.
        """
        fresh = self.input_tokens - sum(_CACHED_OF(self))
        audio = min(self.audio_input_tokens - self.cached_audio_input_tokens, fresh)
        image = min(self.image_input_tokens, fresh - audio)
        video = min(self.video_input_tokens, fresh - audio - image)
        text_output = self.output_tokens - sum(_OUTPUT_OF(self))
        return {
            "input": fresh - audio - image - video,
            "cached_input": self.cached_input_tokens - self.cached_audio_input_tokens,
            "cached_audio_input": self.cached_audio_input_tokens,
            "cache_write": self.cache_write_tokens,
            "cache_write_1h": self.cache_write_1h_tokens,
            "audio_input": audio,
            "image_input": image,
            "video_input": video,
            "output": text_output,
            "reasoning": self.reasoning_tokens,
            "audio_output": self.audio_output_tokens,
            "image_output": self.image_output_tokens,
            "video_output": self.video_output_tokens,
        }


COUNTS = tuple(known.name for known in fields(Usage) if known.name != "search_context")
_COUNTS_OF = attrgetter(*COUNTS)
_CACHED_OF = attrgetter(*_CACHE_KINDS)
_MODALITIES_OF = attrgetter(*_INPUT_MODALITIES)
_OUTPUT_OF = attrgetter(*_OUTPUT_KINDS)


def _count(reported: object) -> int:
    return min(reported, MOST_UNITS // 4) if type(reported) is int and reported > 0 else 0


def _sum(counts: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(counts[name] for name in names)
