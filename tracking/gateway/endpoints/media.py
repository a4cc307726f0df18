"""The most tokens that images and sound can be counted as, by what providers state. Pure.

Sources of the figures: docs/holds.md, "Images, sound and files".
"""

from __future__ import annotations

import base64
import binascii
import re

from tracking.gateway.endpoints.bodies import UnsupportedParameter, ValueOutOfRange
from tracking.gateway.endpoints.sound import seconds_at_most
from tracking.pricing.book import PricedModel

# No provider states more for one image than OpenAI for gpt-4o-mini: 2,833 and 5,667 for each of
# eight tiles.
MOST_IMAGE_TOKENS = 2_833 + 8 * 5_667
# OpenAI counts 10 a second, Gemini 32; no encoder in use has more than 50 frames a second.
AUDIO_TOKENS_PER_SECOND = 50
# Formats wrap each image in tokens of their own.
_TOKENS_AROUND_IMAGE = 64

_DATED = r"(-\d{4}-\d{2}-\d{2}|-latest|-preview)?"
_IMAGE_TOKENS = (
    (re.compile(f"(gpt-4.1|gpt-5)-mini{_DATED}"), 2_489),
    (re.compile(f"(gpt-4.1|gpt-5)-nano{_DATED}"), 3_779),
    (re.compile(f"o4-mini{_DATED}"), 2_642),
    (re.compile(f"(o1|o1-pro|o3|o3-pro){_DATED}"), 1_275),
    (re.compile(f"(gpt-4o|chatgpt-4o|gpt-4.1|gpt-4-turbo|gpt-4.5){_DATED}"), 1_536),
    (re.compile(f"gpt-5{_DATED}"), 1_190),
    (re.compile(r".*claude-.*"), 4_784),
    (re.compile(r"gemini-3.*"), 2_240),
)
_WORDS = {
    "vision": "look at images",
    "audio_input": "hear sound",
    "pdf_input": "read files",
    "audio_output": "speak",
}


def image_tokens(*, model: str) -> int:
    """Give the most tokens that a model counts one image as, however large and detailed it is."""
    bare = model.rpartition("/")[2]
    stated = (most for pattern, most in _IMAGE_TOKENS if pattern.fullmatch(bare))
    return next(stated, MOST_IMAGE_TOKENS) + _TOKENS_AROUND_IMAGE


def audio_tokens(*, data: str, param: str) -> int:
    """Give the most tokens that sound in base64 can be counted as.

    :raises ValueOutOfRange: if it is no base64
    """
    try:
        sound = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ValueOutOfRange(f"{param} must be base64.", param=param) from None
    return AUDIO_TOKENS_PER_SECOND * seconds_at_most(sound)


def require(capability: str, *, model: PricedModel, param: str) -> None:
    """Let a call through to a model that can do what is asked, or of which nothing is listed.

    :raises UnsupportedParameter: if the catalogue lists what the model can do, and this is not in it
    """
    if model.capabilities and capability not in model.capabilities:
        raise UnsupportedParameter(
            f"{model.name} cannot {_WORDS[capability]}, by the catalogue.", param=param
        )
