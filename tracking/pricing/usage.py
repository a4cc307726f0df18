"""What one call used, as its provider reports it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from operator import attrgetter
from types import MappingProxyType
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

# Counted in other units than tokens, by the dimension of a price that each is charged under.
UNIT_DIMENSIONS = MappingProxyType(
    {
        "input_characters": "input_per_character",
        "output_characters": "output_per_character",
        "input_seconds": "input_per_second",
        "output_seconds": "output_per_second",
        "input_video_seconds": "input_per_video_second",
        "input_images": "input_per_image",
        "output_images": "output_per_image",
        "output_pixels": "output_per_pixel",
        "queries": "input_per_query",
        "pages": "input_per_page",
        "annotated_pages": "annotation_per_page",
    }
)
_SECONDS = frozenset({"input_seconds", "output_seconds", "input_video_seconds"})
_MICROSECOND = Decimal(1).scaleb(-6)

# More than any call can use; keeps an absurd report within what the ledger's columns can hold.
MOST_UNITS = 10**10


class UsageContradiction(DomainError):
    """The reported usage contradicts itself."""

    code = "usage_contradiction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call used, in the convention of the OpenAI API: totals include their parts.

    - ``input_tokens`` is all input. ``cached_input_tokens`` (read from a cache),
      ``cache_write_tokens`` (written for five minutes) and ``cache_write_1h_tokens`` (for an hour)
      are parts of it that exclude each other.
    - ``audio_``, ``image_`` and ``video_input_tokens`` are parts of the input by kind, which
      exclude each other. They may overlap with the cached part; ``cached_audio_`` and
      ``cached_image_input_tokens`` are the known overlaps of cached with audio and images.
    - ``output_tokens`` is all output of all choices. ``reasoning_tokens``, ``audio_``, ``image_``
      and ``video_output_tokens`` are parts of it that exclude each other.
    - ``web_searches`` counts the searches that the provider charges for, ``requests`` the calls.
    - ``input_seconds`` is audio heard, ``output_seconds`` audio or video made, and
      ``input_video_seconds`` video watched: whole, or decimals of at most six places.
    - ``input_images`` are given and ``output_images`` made, of ``output_pixels`` in all.
      ``size`` (``1024x1024``, ``1080p``) and ``quality`` (``hd``, ``low``) are those of what was
      made, where they are known.
    - ``queries`` counts what a reranker or a search engine calls a search; ``pages`` those of
      documents read, ``annotated_pages`` those of them that were annotated as well.

    A provider may count the same thing twice, an image in tokens and as an image: state all that
    is known, and cost() charges what the price goes by.

    :raises UsageContradiction: if a count is no integer (seconds: no decimal), negative or absurd,
        or if parts exceed their total
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cached_audio_input_tokens: int = 0
    cached_image_input_tokens: int = 0
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
    input_characters: int = 0
    output_characters: int = 0
    input_seconds: Decimal | int = 0
    output_seconds: Decimal | int = 0
    input_video_seconds: Decimal | int = 0
    input_images: int = 0
    output_images: int = 0
    output_pixels: int = 0
    queries: int = 0
    pages: int = 0
    annotated_pages: int = 0
    search_context: SearchContext = "medium"
    size: str = ""
    quality: str = ""

    def __post_init__(self) -> None:
        counts = _COUNTS_OF(self)
        durations = _SECONDS_OF(self)
        if (
            {type(count) for count in counts} != {int}
            or min(counts) < 0
            or max(counts) > MOST_UNITS
            or any(duration != 0 and not _is_duration(duration) for duration in durations)
            or self._has_parts_above_their_total()
        ):
            raise UsageContradiction(counts=dict(zip(COUNTS, counts, strict=True)))

    def _has_parts_above_their_total(self) -> bool:
        return (
            sum(_CACHED_OF(self)) > self.input_tokens
            or sum(_MODALITIES_OF(self)) > self.input_tokens
            or sum(_OUTPUT_OF(self)) > self.output_tokens
            or self.cached_audio_input_tokens > self.audio_input_tokens
            or self.cached_image_input_tokens > self.image_input_tokens
            or self.cached_audio_input_tokens + self.cached_image_input_tokens
            > self.cached_input_tokens
        )

    @classmethod
    def reconciled(cls, counts: Mapping[str, Any]) -> Self:
        """Read a report that contradicts itself at its dearest: totals grow to hold their parts.

        Counts that are negative or no integers are taken as zero, absurd ones as a quarter of
        MOST_UNITS, so that no total exceeds it, and unknown names are ignored.
        Meant for settling after UsageContradiction: a call that happened is always booked.
        """
        read = {name: _count(counts.get(name, 0)) for name in COUNTS}
        read["requests"] = _count(counts.get("requests", 1))
        cached = read["cached_input_tokens"]
        audio = min(read["cached_audio_input_tokens"], cached, read["audio_input_tokens"])
        image = min(read["cached_image_input_tokens"], cached - audio, read["image_input_tokens"])
        read["cached_audio_input_tokens"], read["cached_image_input_tokens"] = audio, image
        read["input_tokens"] = max(
            read["input_tokens"], _sum(read, _CACHE_KINDS), _sum(read, _INPUT_MODALITIES)
        )
        read["output_tokens"] = max(read["output_tokens"], _sum(read, _OUTPUT_KINDS))
        context = counts.get("search_context")
        return cls(
            **read,
            input_seconds=_duration(counts.get("input_seconds", 0)),
            output_seconds=_duration(counts.get("output_seconds", 0)),
            input_video_seconds=_duration(counts.get("input_video_seconds", 0)),
            search_context=context if context in ("low", "high") else "medium",
            size=_text(counts.get("size")),
            quality=_text(counts.get("quality")),
        )

    def units(self) -> dict[str, int]:
        """Count every token under exactly one dimension of a price; the input ones add up to the input.

        What the cache covered is charged as cached; a kind of input is charged as such only
        where the cache did not cover it.
        """
        fresh = self.input_tokens - sum(_CACHED_OF(self))
        audio = min(self.audio_input_tokens - self.cached_audio_input_tokens, fresh)
        image = min(self.image_input_tokens - self.cached_image_input_tokens, fresh - audio)
        video = min(self.video_input_tokens, fresh - audio - image)
        text_output = self.output_tokens - sum(_OUTPUT_OF(self))
        return {
            "input": fresh - audio - image - video,
            "cached_input": self.cached_input_tokens
            - self.cached_audio_input_tokens
            - self.cached_image_input_tokens,
            "cached_audio_input": self.cached_audio_input_tokens,
            "cached_image_input": self.cached_image_input_tokens,
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

    def other_units(self) -> dict[str, int | Decimal]:
        """Count what was used beside tokens, by the dimension of a price; nothing that is zero."""
        return counted_units(self)


def counted_units(counted: object) -> dict[str, int | Decimal]:
    """Read from a usage or from bounds what is no token, by dimension; nothing that is zero."""
    counts = _UNITS_OF(counted)
    if not any(counts):
        return {}
    return {
        dimension: count
        for dimension, count in zip(UNIT_DIMENSIONS.values(), counts, strict=True)
        if count
    }


def seconds(reported: Decimal | int | float | str) -> Decimal:
    """Read a duration that a provider reports, in seconds, rounded up to the microsecond.

    A float is read by its shortest text, which is what the provider wrote.

    :raises UsageContradiction: if it is no number of zero or more seconds
    """
    try:
        exact = Decimal(str(reported))
        read = exact.quantize(_MICROSECOND, rounding=ROUND_CEILING) if exact.is_finite() else exact
    except InvalidOperation:
        read = Decimal("NaN")
    if not read.is_finite() or not 0 <= read <= MOST_UNITS:
        raise UsageContradiction(seconds=str(reported))
    return read


_NO_COUNTS = _SECONDS | {"search_context", "size", "quality"}
COUNTS = tuple(known.name for known in fields(Usage) if known.name not in _NO_COUNTS)
_SECONDS_OF = attrgetter(*sorted(_SECONDS))
_UNITS_OF = attrgetter(*UNIT_DIMENSIONS)
_COUNTS_OF = attrgetter(*COUNTS)
_CACHED_OF = attrgetter(*_CACHE_KINDS)
_MODALITIES_OF = attrgetter(*_INPUT_MODALITIES)
_OUTPUT_OF = attrgetter(*_OUTPUT_KINDS)


def _count(reported: object) -> int:
    if isinstance(reported, float) and reported > MOST_UNITS:
        return MOST_UNITS // 4  # A reader of JSON makes one of an integer that is too long.
    return min(reported, MOST_UNITS // 4) if type(reported) is int and reported > 0 else 0


def _is_duration(reported: object) -> bool:
    if type(reported) is int:
        return 0 <= reported <= MOST_UNITS
    return (
        type(reported) is Decimal
        and reported.is_finite()
        and 0 <= reported <= MOST_UNITS
        and reported == reported.quantize(_MICROSECOND)
    )


def _duration(reported: object) -> Decimal | int:
    """Read a reported duration at its dearest: what is no number of seconds is taken as zero."""
    if type(reported) is int:
        return _count(reported)
    if type(reported) is not Decimal or not reported.is_finite() or reported <= 0:
        return 0
    return seconds(min(reported, Decimal(MOST_UNITS // 4)))


def _text(reported: object) -> str:
    return reported if isinstance(reported, str) else ""


def _sum(counts: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(counts[name] for name in names)
