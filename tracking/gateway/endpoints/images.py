"""Generated images: ``POST /v1/images/generations``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints.bodies import CallBody, StoredText
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.events import as_object
from tracking.gateway.endpoints.reported_usage import read_counts
from tracking.gateway.endpoints.told import ImageList
from tracking.gateway.estimate import Estimate, OutputRules, fixed
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.usage import Usage

MOST_IMAGES = 10
_TOKENS_PER_REQUEST = 256
# The most output tokens of one image: docs/holds.md, "Images, sound and files".
MOST_TOKENS = 16_384
_TOKENS_BY_QUALITY = MappingProxyType({"low": 408, "medium": 1_584, "high": 6_240})
_FIRST_FAMILY = ("gpt-image-1", "gpt-image-1.5", "gpt-image-1-mini")
# The most pixels that a provider makes of one image where no size is named: four times 2048 square.
_MOST_PIXELS = 4_096 * 4_096

Size = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$")]


class ImagesRequest(CallBody):
    """The body of ``POST /v1/images/generations``."""

    prompt: Annotated[str, Field(min_length=1)]
    n: int | None = Field(default=None, ge=1, le=MOST_IMAGES)
    size: Size | None = None
    quality: Literal["auto", "standard", "hd", "low", "medium", "high"] | None = None
    style: Literal["vivid", "natural"] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    background: Literal["auto", "transparent", "opaque"] | None = None
    moderation: Literal["auto", "low"] | None = None
    output_format: Literal["png", "jpeg", "webp"] | None = None
    output_compression: int | None = Field(default=None, ge=0, le=100)
    user: StoredText | None = None

    ASIDE: ClassVar[frozenset[str]] = frozenset({"user"})

    @property
    def end_user(self) -> str:
        """Whom the call is made for."""
        return self.user or ""


class Images(Endpoint[ImagesRequest]):
    """Images made of a text, charged by the image, by the pixel or by the token."""

    name = "images.generations"
    modes = frozenset({"image_generation"})
    told_as = ImageList
    shape = ImagesRequest

    def estimate(
        self, *, request: ImagesRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by its prompt's bytes and the dearest image of what it asks for."""
        count = request.n or 1
        bounds = Bounds(
            input_tokens=len(request.prompt.encode()) + _TOKENS_PER_REQUEST,
            output_tokens=_tokens_at_most(request, model=model.name),
            choices=count,
            output_images=count,
            output_pixels=count * (_pixels(request.size) or _MOST_PIXELS),
            size=_known(request.size),
            quality=_known(request.quality),
            excluded=frozenset(
                {"image_input", "audio_input", "video_input", "audio_output", "video_output"}
            ),
        )
        return fixed(model=model, bounds=bounds)

    def parameters(
        self, *, request: ImagesRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked."""
        return request.model_dump(exclude={"model", "user"}, exclude_none=True)

    def usage(self, *, request: ImagesRequest, reply: Reply) -> Usage | None:
        """Count the images, and read the tokens that the answer reports."""
        made = len(reply.body.get("data") or ())
        size = _known(reply.body.get("size")) or _known(request.size)
        quality = _known(reply.body.get("quality")) or _known(request.quality)
        counts = {
            **_tokens_reported(as_object(reply.body.get("usage"))),
            "output_images": made,
            "output_pixels": made * _pixels(size),
            "size": size,
            "quality": quality,
        }
        return read_counts(counts) if made else None

    def translated(self, *, request: ImagesRequest, reply: Reply) -> Reply:
        """Leave out a report of tokens that reports none."""
        if any(
            as_object(reply.body.get("usage")).get(name)
            for name in ("input_tokens", "total_tokens")
        ):
            return reply
        return replace(reply, body={k: v for k, v in reply.body.items() if k != "usage"})

    def texts(self, *, reply: Reply) -> None:
        """An image is no text."""
        return


def _tokens_reported(reported: Mapping[str, Any]) -> dict[str, Any]:
    given = as_object(reported.get("input_tokens_details"))
    made = as_object(reported.get("output_tokens_details"))
    output = reported.get("output_tokens") or 0
    text = made.get("text_tokens") or 0
    image = made.get("image_tokens")
    if not image and type(output) is int and type(text) is int:
        image = max(output - text, 0)
    return {
        "input_tokens": reported.get("input_tokens") or 0,
        "image_input_tokens": given.get("image_tokens") or 0,
        "cached_input_tokens": given.get("cached_tokens") or 0,
        "output_tokens": output,
        "image_output_tokens": image or 0,
    }


def _tokens_at_most(request: ImagesRequest, *, model: str) -> int:
    if model.rpartition("/")[2] not in _FIRST_FAMILY:
        return MOST_TOKENS
    return _TOKENS_BY_QUALITY.get(request.quality or "", _TOKENS_BY_QUALITY["high"])


def _pixels(size: object) -> int:
    """Multiply the sides of a size like 1024x1536; zero where none is known."""
    width, cross, height = str(size or "").partition("x")
    return int(width) * int(height) if cross and width.isdigit() and height.isdigit() else 0


def _known(value: object) -> str:
    return value if isinstance(value, str) and value != "auto" else ""
