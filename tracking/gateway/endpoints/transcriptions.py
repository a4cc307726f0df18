"""Written speech: ``POST /v1/audio/transcriptions``, a form with a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from tracking.gateway.doors.call import Reply, Route
from tracking.gateway.endpoints.bodies import CallBody, read_values
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.events import as_object
from tracking.gateway.endpoints.forms import FORM, SentFile, read_form
from tracking.gateway.endpoints.media import AUDIO_TOKENS_PER_SECOND
from tracking.gateway.endpoints.reported_usage import read_counts
from tracking.gateway.endpoints.sound import seconds_at_most
from tracking.gateway.endpoints.subtitles import srt, vtt
from tracking.gateway.endpoints.told import Transcription
from tracking.gateway.estimate import Estimate, OutputRules, fixed
from tracking.gateway.failures import ProviderInterrupted
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds
from tracking.pricing.usage import Usage, UsageContradiction, seconds

_TOKENS_PER_REQUEST = 256
# Nobody says more in a second.
_WRITTEN_TOKENS_PER_SECOND = 25
# Groq charges ten seconds for anything shorter.
_LEAST_SECONDS = 10
# No clock of subtitles shows more: 99 hours.
_MOST_SECONDS = 100 * 3600
# Providers tell the format by the file's name.
_SOUND = "application/octet-stream"
_NUMBERS = ("temperature",)
_LISTS = ("timestamp_granularities", "include")
# Plain forms come without a report of what they used: they are made here, of one that has it.
_ASKED_AS = {"text": "json", "srt": "verbose_json", "vtt": "verbose_json"}

Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class TranscriptionRequest(CallBody):
    """The fields of ``POST /v1/audio/transcriptions``."""

    file: SentFile
    language: Language | None = None
    prompt: str | None = None
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] | None = None
    temperature: float | None = Field(default=None, ge=0, le=1)
    timestamp_granularities: list[Literal["word", "segment"]] | None = Field(
        default=None, max_length=2
    )
    include: list[Literal["logprobs"]] | None = Field(default=None, max_length=1)


class Transcriptions(Endpoint[TranscriptionRequest]):
    """Text made of sound, charged by the second or by the token."""

    name = "audio.transcriptions"
    modes = frozenset({"audio_transcription"})
    taken_as = FORM
    told_as = Transcription
    other_forms = ("text/plain",)
    shape = TranscriptionRequest

    def read(self, *, body: bytes, content_type: str) -> TranscriptionRequest:
        """Read the form."""
        values = read_form(body=body, content_type=content_type, numbers=_NUMBERS, lists=_LISTS)
        return read_values(values=values, shape=TranscriptionRequest)

    def estimate(
        self, *, request: TranscriptionRequest, model: PricedModel, rules: OutputRules
    ) -> Estimate:
        """Bound the call by how long the sound can be."""
        length = max(seconds_at_most(request.file.content), _LEAST_SECONDS)
        prompt = len((request.prompt or "").encode()) + _TOKENS_PER_REQUEST
        written = _WRITTEN_TOKENS_PER_SECOND * length
        bounds = Bounds(
            input_tokens=AUDIO_TOKENS_PER_SECOND * length + prompt,
            output_tokens=min(written, model.max_output_tokens or written),
            input_seconds=length,
            excluded=frozenset({"image_input", "video_input", "audio_output", "video_output"}),
        )
        return fixed(model=model, bounds=bounds)

    def parameters(
        self, *, request: TranscriptionRequest, route: Route, cap: int | None
    ) -> dict[str, Any]:
        """Give what was asked, in a form that reports what it used."""
        passed = request.model_dump(exclude={"model", "file"}, exclude_none=True)
        form = request.response_format or "json"
        passed["response_format"] = _ASKED_AS.get(form, form)
        return {**passed, "file": (request.file.name, request.file.content, _SOUND)}

    def usage(self, *, request: TranscriptionRequest, reply: Reply) -> Usage | None:
        """Read seconds or tokens, whichever the answer reports."""
        reported = as_object(reply.body.get("usage"))
        length = reported.get("seconds") or reply.body.get("duration")
        counts = _tokens_reported(reported)
        if isinstance(length, int | float) and not isinstance(length, bool):
            try:
                counts["input_seconds"] = seconds(length)
            except UsageContradiction:
                return None
        usage = read_counts(counts)
        return usage if usage.input_tokens or usage.input_seconds else None

    def texts(self, *, reply: Reply) -> None:
        """What was heard is not told by what was written."""
        return

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Give the answer as it came."""
        return reply

    def translated(self, *, request: TranscriptionRequest, reply: Reply) -> Reply:
        """Write the answer in the form that was asked for."""
        form, body = request.response_format or "json", reply.body
        if form == "text":
            return _plain(reply, f"{body.get('text') or ''}\n")
        if form in ("srt", "vtt"):
            return _plain(reply, (srt if form == "srt" else vtt)(_segments(body)))
        return reply


def _segments(body: Mapping[str, Any]) -> Sequence[Any]:
    """Give what is shown one after the other.

    :raises ProviderInterrupted: if any of it does not say from when to when
    """
    segments = body.get("segments") or ()
    if not isinstance(segments, list | tuple) or not all(map(_is_timed, segments)):
        raise ProviderInterrupted
    return segments


def _is_timed(segment: Any) -> bool:
    if not isinstance(segment, dict):
        return False
    times = [segment.get("start"), segment.get("end")]
    return all(isinstance(time, int | float) and 0 <= time < _MOST_SECONDS for time in times)


def _plain(reply: Reply, text: str) -> Reply:
    return replace(reply, content=text.encode(), content_type="text/plain; charset=utf-8")


def _tokens_reported(reported: Mapping[str, Any]) -> dict[str, Any]:
    details = as_object(reported.get("input_token_details"))
    return {
        "input_tokens": reported.get("input_tokens") or 0,
        "audio_input_tokens": details.get("audio_tokens") or 0,
        "output_tokens": reported.get("output_tokens") or 0,
    }
