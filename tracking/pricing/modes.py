"""What calls of each mode are charged by, and so what a price must name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from tracking.pricing.rates import Rates

_TEXT = (("input", "output"), ("input", "image_output"))
_IMAGES = (
    ("output_per_image",),
    ("output_per_pixel",),
    ("input", "image_output"),
)

# For each mode the sets of rates of which one has to be named in full.
NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "chat": _TEXT,
        "responses": _TEXT,
        "completion": _TEXT,
        "embedding": (
            ("input",),
            ("input_per_character",),
            ("input_per_query",),
            ("input_per_image",),
        ),
        "moderation": (("input",),),
        "rerank": (("input_per_query",), ("input",)),
        "image_generation": _IMAGES,
        "image_edit": _IMAGES,
        "video_generation": (("output_per_second",),),
        "audio_transcription": (("input_per_second",), ("audio_input", "output"), *_TEXT),
        "audio_speech": (("input_per_character",), ("input", "audio_output"), *_TEXT, ("request",)),
        "ocr": (("input_per_page",), ("input", "output")),
        "search": (("input_per_query",),),
    }
)


# Asked for on every call, and answered by few different prices.
@lru_cache(maxsize=8192)
def prices_mode(rates: Rates, mode: str) -> bool:
    """Tell whether the rates price what calls of a mode use, be it at zero.

    A mode that is not listed needs any rate at all: what it is charged by is not known.
    """
    needed = NEEDED.get(mode)
    if needed is None:
        return bool(rates.per_unit)
    return any(rates.dimensions.issuperset(names) for names in needed)


def needed_told(mode: str) -> str:
    """Say which rates a mode needs: ``input and output or input and image_output``."""
    return " or ".join(" and ".join(names) for names in NEEDED.get(mode, ()))


def free_rates(mode: str) -> Rates:
    """Give a price of zero for whatever calls of the mode are charged by."""
    named = {name for names in NEEDED.get(mode, _TEXT) for name in names}
    return Rates(per_unit={name: Decimal(0) for name in sorted(named | {"input", "output"})})
