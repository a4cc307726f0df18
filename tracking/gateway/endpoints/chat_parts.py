"""What the messages of a chat are made of: text, images, sound and files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, Tag

from tracking.gateway.endpoints.bodies import BY_KIND, Body

MOST_PARTS = 2048

# Whoever fetches an address that a caller names, no address of this site's network is one: the
# library looks at what a name resolves to, and so does a provider.
ImageAddress = Annotated[
    str, StringConstraints(pattern=r"^(https://|data:image/[A-Za-z0-9.+-]+;base64,)")
]
Base64 = Annotated[str, StringConstraints(min_length=4)]


class CacheControl(Body):
    """Anthropic's mark: keep everything up to here in the provider's cache."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class CacheBreakpoint(Body):
    """OpenAI's mark: keep everything up to here in the provider's cache."""

    mode: Literal["explicit"]


class Part(Body):
    """What every part of a message's content can carry."""

    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class TextPart(Part):
    """A part of a message's content."""

    type: Literal["text"]
    text: str


class ImageUrl(Body):
    """Where an image is: an address that anybody can fetch, or the image itself in base64."""

    url: ImageAddress
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Part):
    """An image that the model is to look at."""

    type: Literal["image_url"]
    image_url: ImageUrl


class InputAudio(Body):
    """Sound in base64."""

    data: Base64
    format: Literal["wav", "mp3"]


class AudioPart(Part):
    """Sound that the model is to hear."""

    type: Literal["input_audio"]
    input_audio: InputAudio


class FileContent(Body):
    """A document: ``data:application/pdf;base64,...``."""

    file_data: Base64
    filename: Annotated[str, StringConstraints(max_length=256)] | None = None


class FilePart(Part):
    """A document that the model is to read."""

    type: Literal["file"]
    file: FileContent


class RefusalPart(Body):
    """What the model once declined to answer."""

    type: Literal["refusal"]
    refusal: str


ContentPart = Annotated[
    Annotated[TextPart, Tag("<text>")]
    | Annotated[ImagePart, Tag("<image_url>")]
    | Annotated[AudioPart, Tag("<input_audio>")]
    | Annotated[FilePart, Tag("<file>")]
    | Annotated[RefusalPart, Tag("<refusal>")],
    BY_KIND,
]
Content = str | Annotated[list[ContentPart], Field(min_length=1, max_length=MOST_PARTS)]
TextContent = str | Annotated[list[TextPart], Field(min_length=1, max_length=MOST_PARTS)]
