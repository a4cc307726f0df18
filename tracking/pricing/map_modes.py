"""Says in one way what litellm's map says differently from mode to mode. Pure.

The map names the price of a generated image ``input_cost_per_image``, ``output_cost_per_image`` or
``input_cost_per_pixel``, and that of a transcribed second on either side. Which one holds is what
litellm's own calculators do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

from tracking.pricing.rates import TOKEN_DIMENSIONS, dimension_of

PerUnit = Mapping[str, Decimal]


def by_mode(per_unit: PerUnit, mode: str) -> dict[str, Decimal]:
    """Name the rates of an entry of a mode by what is counted in fact."""
    read = _READERS.get(mode)
    return read(per_unit) if read else dict(per_unit)


def _images(per_unit: PerUnit) -> dict[str, Decimal]:
    """A model without token rates is priced by the image it makes, whichever side the map says."""
    read = dict(per_unit)
    given, made = read.get("input_per_image"), read.get("output_per_image")
    if given and not made and not _prices_tokens(read):
        read["output_per_image"] = read.pop("input_per_image")
    elif given == made:
        read.pop("input_per_image", None)
    pixel = read.pop("input_per_pixel", None)
    if pixel is not None:
        read["output_per_pixel"] = pixel
    if read.get("output_per_image"):
        read.pop("output_per_pixel", None)
    return read


def _transcriptions(per_unit: PerUnit) -> dict[str, Decimal]:
    """A second of audio is charged once, on the output side if the map names a price there."""
    read = dict(per_unit)
    heard = read.pop("output_per_second", None)
    if heard:
        read["input_per_second"] = heard
    return read


def _speech(per_unit: PerUnit) -> dict[str, Decimal]:
    """What makes music is charged by the piece, which the map calls an image."""
    read = dict(per_unit)
    piece = read.pop("output_per_image", None)
    return read if piece is None else read | {"request": piece}


def _videos(per_unit: PerUnit) -> dict[str, Decimal]:
    """A price per second of video holds for every format."""
    read = dict(per_unit)
    second = read.pop("output_per_video_per_second", None)
    if second is None:
        return read
    formats = [key for key in read if dimension_of(key) == "output_per_second"]
    return {key: rate for key, rate in read.items() if key not in formats} | {
        "output_per_second": second
    }


def _prices_tokens(per_unit: PerUnit) -> bool:
    return any(rate for key, rate in per_unit.items() if dimension_of(key) in TOKEN_DIMENSIONS)


_READERS: Mapping[str, Callable[[PerUnit], dict[str, Decimal]]] = MappingProxyType(
    {
        "image_generation": _images,
        "image_edit": _images,
        "audio_transcription": _transcriptions,
        "audio_speech": _speech,
        "video_generation": _videos,
    }
)
