"""What answers look like, for the OpenAPI document. Pure.

Named is what every answer has, whoever gave it, and what the gateway adds. All else is as the
provider said it, so nothing is read by these shapes: they only describe.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Usd = Annotated[str, Field(pattern=r"^-?\d+\.\d{12}$", description="US dollars, with 12 places.")]


class Told(BaseModel):
    """An answer, or a part of one: what is named, and whatever else the provider said."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")


class CostedUsage(Told):
    """What the provider reports, with what the call cost."""

    cost: Usd


class ChatMessage(Told):
    """What a choice says."""

    content: Any


class ChatChoice(Told):
    """One of the answers."""

    message: ChatMessage
    finish_reason: str | None


class ChatCompletion(Told):
    """A whole chat completion."""

    model: str
    choices: list[ChatChoice] = Field(min_length=1)
    usage: CostedUsage


class TextCompletion(Told):
    """A whole completion."""

    model: str
    choices: list[Told] = Field(min_length=1)
    usage: CostedUsage


class Response(Told):
    """A whole response."""

    model: str
    output: list[Told]
    usage: CostedUsage


class Message(Told):
    """A whole message, in Anthropic's dialect."""

    model: str
    content: list[Told]
    usage: CostedUsage


class EmbeddingList(Told):
    """Vectors, one for each text."""

    model: str
    data: list[Told] = Field(min_length=1)
    usage: CostedUsage


class Moderation(Told):
    """What was found in each text or image."""

    model: str
    results: list[Told] = Field(min_length=1)


class Ranking(Told):
    """The documents' places and scores, best first."""

    model: str
    results: list[Told] = Field(min_length=1)


class ImageList(Told):
    """Images, each as an address or in base64."""

    data: list[Told] = Field(min_length=1)


class Transcription(Told):
    """What was heard."""

    text: str
