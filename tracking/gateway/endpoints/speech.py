"""Spoken text: ``POST /v1/audio/speech``."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints.bodies import CallBody
from tracking.gateway.endpoints.chat_schemas import VoiceName
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.sound import seconds_at_most
from tracking.gateway.estimate import Estimate, OutputRules, fixed
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.usage import Usage

MOST_CHARACTERS = 100_000
_TOKENS_PER_REQUEST = 64
# OpenAI counts a token for each 50 ms of speech, Gemini 25 a second.
_TOKENS_PER_SECOND = 32
# Nobody speaks slower than a character a second, at normal speed.
_SECONDS_OF_SILENCE = 10
# Raw samples: 24,000 a second of two bytes each.
_PCM_BYTES_PER_SECOND = 48_000


class SpeechRequest(CallBody):
    """The body of ``POST /v1/audio/speech``."""

    input: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]
    voice: VoiceName
    instructions: Annotated[str, Field(max_length=MOST_CHARACTERS)] | None = None
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    speed: float | None = Field(default=None, ge=0.25, le=4)
    stream_format: Literal["audio"] | None = None


class Speech(Endpoint[SpeechRequest]):
    """Sound made of a text, charged by the character, by the second or by the token."""

    name = "audio.speech"
    modes = frozenset({"audio_speech"})
    told_as = None
    other_forms = ("audio/*", "application/octet-stream")
    shape = SpeechRequest

    def estimate(
        self, *, request: SpeechRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by its characters, each spoken for a second."""
        slowness = 1 / min(request.speed or 1, 1)
        seconds = int(slowness * (len(request.input) + _SECONDS_OF_SILENCE)) + 1
        bounds = Bounds(
            input_tokens=_bytes(request) + _TOKENS_PER_REQUEST,
            input_characters=len(request.input),
            output_tokens=_TOKENS_PER_SECOND * seconds,
            output_seconds=seconds,
            excluded=frozenset({"audio_input", "image_input", "video_input", "video_output"}),
        )
        return fixed(model=model, bounds=bounds)

    def parameters(
        self, *, request: SpeechRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked; sound as such is what is given anyhow."""
        return request.model_dump(exclude={"model", "stream_format"}, exclude_none=True)

    def usage(self, *, request: SpeechRequest, reply: Reply) -> Usage | None:
        """Sound comes without a report."""
        return None

    def measured(
        self, *, request: SpeechRequest, reply: Reply, model: PricedModel
    ) -> tuple[Usage, bool] | None:
        """Count the characters, which is exact, or measure how long the sound lasts."""
        priced = model.rates.dimensions
        if "input_per_character" in priced:
            return Usage(input_characters=len(request.input)), True
        if not {"input", "output_per_second"} & priced:
            return Usage(), True
        seconds = _seconds(request.response_format or "mp3", reply.content)
        if seconds is None:
            return None
        if "output_per_second" in priced:
            return Usage(input_tokens=_bytes(request), output_seconds=seconds), False
        tokens = int(_TOKENS_PER_SECOND * seconds)
        return (
            Usage(input_tokens=_bytes(request), output_tokens=tokens, audio_output_tokens=tokens),
            False,
        )

    def texts(self, *, reply: Reply) -> None:
        """Sound is no text."""
        return

    def provider_request_id(self, *, reply: Reply) -> str:
        """Sound carries none."""
        return ""


def _bytes(request: SpeechRequest) -> int:
    return len(request.input.encode()) + len((request.instructions or "").encode())


def _seconds(form: str, sound: bytes) -> Decimal | int | None:
    if form == "pcm":
        return -(-len(sound) // _PCM_BYTES_PER_SECOND)
    return seconds_at_most(sound) if form in ("mp3", "wav") else None
