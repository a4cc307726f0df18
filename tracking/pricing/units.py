"""Charges what is counted in other units than tokens: seconds, characters, images, queries. Pure.

Some prices name two units for one thing: an image in tokens and as an image, speech in tokens and
by the second. It is charged in one of them:

- Speech, images and characters are charged in tokens where tokens were reported and cost something.
- What goes into a call beside text (an image, a video) is charged by its own unit, unless the price
  names a token rate for its kind and such tokens were reported. Tokens of it are then not charged.
- Pixels are charged where the price names no rate for images, or nobody counted the images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from tracking.pricing.rates import RateMissing, Rates, dimension_of
from tracking.pricing.usage import UNIT_DIMENSIONS, Usage, counted_units

if TYPE_CHECKING:
    from tracking.pricing.cost import Bounds

UnitLine = tuple[str, Decimal | int, Decimal]

# Units that stand for the same as all tokens of their side of the call.
_SIDES = MappingProxyType(
    {
        "input_per_character": "input",
        "output_per_character": "output",
        "output_per_second": "output",
        "output_per_image": "output",
        "output_per_pixel": "output",
    }
)
# Units that stand for the same as one kind of input tokens.
_KINDS = MappingProxyType(
    {
        "input_per_second": "audio_input",
        "input_per_video_second": "video_input",
        "input_per_image": "image_input",
    }
)
# What was made for a call and is never given away because something else of it has a price.
_MADE = frozenset({"output_per_image", "output_per_pixel"})
# A kind of page that costs what any page does, where its provider names no other rate.
_FALLBACKS = MappingProxyType({"annotation_per_page": "input_per_page"})


@dataclass(frozen=True, slots=True)
class UnitsCharged:
    """The lines of a call's other units (key, units, rate), and the kinds of tokens they replace."""

    lines: tuple[UnitLine, ...] = ()
    instead_of: frozenset[str] = frozenset()


_NOTHING = UnitsCharged()


def units_charged(
    *, usage: Usage, rates: Rates, chosen: Mapping[str, Decimal], service_tier: str | None = None
) -> UnitsCharged:
    """Choose which of a call's other units are charged, and at which rates.

    ``chosen`` has the rates of its tokens.

    :raises RateMissing: if the price has no rate for any unit of the call, or none for what was made
    """
    used = usage.other_units()
    if not used:
        return _NOTHING
    sides = _sides_charged_in_tokens(usage, chosen)
    lines, instead_of = [], set()
    for dimension, units in used.items():
        if _is_charged_in_tokens(dimension, usage, rates, sides):
            continue
        found = _rate_of(dimension, usage, rates, service_tier)
        if found is None:
            _refuse_gift(dimension, units, used, rates, sides)
            continue
        lines.append((found[0], units, found[1]))
        instead_of.add(_KINDS.get(dimension, ""))
    return UnitsCharged(tuple(lines), frozenset(instead_of))


def dearest_units(*, bounds: Bounds, rates: Rates) -> Iterator[UnitLine]:
    """Give for each unit of the bounds the dearest rate it can be charged at.

    The rate of the size and quality where both are known and priced, else of the dearest variant.

    :raises RateMissing: if images are made that neither a rate nor the output tokens bound
    """
    for dimension, units in counted_units(bounds).items():
        known = _known_variant(dimension, bounds, rates)
        dearest = _dearest_variant(dimension, rates) if known is None else known
        if dearest is not None:
            yield dimension, units, dearest
        elif not _is_bounded_otherwise(dimension, bounds, rates):
            raise RateMissing(dimension=dimension, units=str(units))


def _dearest_variant(dimension: str, rates: Rates) -> Decimal | None:
    names = (dimension, _FALLBACKS.get(dimension, dimension))
    named = (rate for key, rate in rates.per_unit.items() if dimension_of(key) in names)
    return max(named, default=None)


def _is_bounded_otherwise(dimension: str, bounds: Bounds, rates: Rates) -> bool:
    """Tell whether a unit without a rate is bounded by tokens or by another unit."""
    if dimension not in _MADE:
        return True
    return bool(bounds.output_tokens) or any(
        getattr(bounds, name) and made in rates.dimensions
        for name, made in UNIT_DIMENSIONS.items()
        if made in _MADE and made != dimension
    )


def _known_variant(dimension: str, bounds: Bounds, rates: Rates) -> Decimal | None:
    """The rate of exactly what is asked for, standard or in the tier asked for, whatever is dearer."""
    by_quality = any("/" in key and dimension_of(key) == dimension for key in rates.per_unit)
    if not bounds.size or (by_quality and not bounds.quality):
        return None
    found = [
        rates.of_unit(dimension, size=bounds.size, quality=bounds.quality, service_tier=tier)
        for tier in (None, bounds.service_tier)
    ]
    named = [rate for key, rate in filter(None, found) if ":" in key]
    return max(named, default=None)


def _sides_charged_in_tokens(usage: Usage, chosen: Mapping[str, Decimal]) -> frozenset[str]:
    charged = {
        "output" if "output" in kind or kind == "reasoning" else "input"
        for kind, tokens in usage.units().items()
        if tokens and chosen.get(kind)
    }
    return frozenset(charged)


def _is_charged_in_tokens(
    dimension: str, usage: Usage, rates: Rates, sides: frozenset[str]
) -> bool:
    if dimension in _SIDES:
        return _SIDES[dimension] in sides
    if dimension == "input_per_second":
        # A transcription's tokens are those of its audio, whether or not they are told apart.
        return "audio_input" in rates.dimensions and "input" in sides
    kind = _KINDS.get(dimension)
    return kind in rates.dimensions and bool(getattr(usage, f"{kind}_tokens"))


def _rate_of(
    dimension: str, usage: Usage, rates: Rates, service_tier: str | None
) -> tuple[str, Decimal] | None:
    is_pixel = dimension == "output_per_pixel"
    if is_pixel and usage.output_images and "output_per_image" in rates.dimensions:
        return None
    found = rates.of_unit(
        dimension, size=usage.size, quality=usage.quality, service_tier=service_tier
    )
    if found is None and dimension in _FALLBACKS:
        return rates.of_unit(_FALLBACKS[dimension], service_tier=service_tier)
    return found


def _is_sold_by_request(rates: Rates) -> bool:
    return rates.dimensions == {"request"}


def _refuse_gift(
    dimension: str,
    units: Decimal | int,
    used: Mapping[str, Decimal | int],
    rates: Rates,
    sides: frozenset[str],
) -> None:
    """A unit without a rate comes with what is charged otherwise; alone, or made, it is no gift."""
    others = [name for name in used if name != dimension and name in rates.dimensions]
    if _is_sold_by_request(rates):
        return
    if dimension in _MADE:
        others = [name for name in others if name in _MADE]
        sides = sides & {"output"}
    if not others and not sides:
        raise RateMissing(dimension=dimension, units=str(units))
