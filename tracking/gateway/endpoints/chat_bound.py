"""The most that a chat can be charged for, by its body. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

import orjson

from tracking.gateway.endpoints import media
from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.chat_parts import (
    AudioPart,
    ContentPart,
    FilePart,
    ImagePart,
    RefusalPart,
    TextPart,
)
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest, Message
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds

# Formats wrap each message and each request in a few tokens of their own.
_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_REQUEST = 64
# Providers explain the use of tools to the model in words of their own, in up to 350 tokens.
_TOKENS_FOR_TOOL_USE = 512
_TOKENS_PER_TOOL = 32
_DESCRIBING = frozenset({"tools", "tool_choice", "functions", "function_call", "response_format"})
# What only comes up if the call has sound or images, or asks for sound: the rates of video never.
_AUDIO_INPUT = frozenset({"audio_input", "cached_audio_input"})
_IMAGE_INPUT = frozenset({"image_input", "cached_image_input"})
_AUDIO_OUTPUT = frozenset({"audio_output"})
_NEVER = frozenset({"video_input", "video_output"})
# The tier whose rates bound a call, beside the standard ones; a provider's own choice ("auto") by
# the dearest that is sold.
_BOUNDING_TIERS = MappingProxyType(
    {"flex": "flex", "priority": "priority", "fast": "priority", "auto": "priority"}
)


def bounds_of(*, request: ChatCompletionRequest, model: PricedModel) -> Bounds:
    """Bound everything but the output tokens under the cap.

    :raises UnsupportedParameter: if the model cannot do what is asked, or it cannot be bounded
    """
    parts = list(_parts(request.messages))
    excluded = set(_NEVER)
    for kinds, dimensions in (
        ((AudioPart,), _AUDIO_INPUT),
        ((ImagePart, FilePart), _IMAGE_INPUT),
    ):
        if not any(isinstance(part, kinds) for _, part in parts):
            excluded |= dimensions
    if any(message.audio for message in request.messages):
        excluded -= _AUDIO_INPUT
    if not request.speaks:
        excluded |= _AUDIO_OUTPUT
    tokens = _tokens_of_text(request) + sum(_tokens_of_part(*part, model=model) for part in parts)
    return Bounds(
        input_tokens=tokens + _tokens_of_earlier_audio(request, model),
        output_tokens=0,
        choices=request.choices,
        input_images=images_of(request),
        service_tier=_BOUNDING_TIERS.get(request.service_tier or ""),
        excluded=frozenset(excluded),
    )


def images_of(request: ChatCompletionRequest) -> int:
    """Count the images that the model is to look at."""
    return sum(isinstance(part, ImagePart) for _, part in _parts(request.messages))


def predicted_tokens(*, request: ChatCompletionRequest) -> int:
    """Bound what a prediction that does not come true is charged as output, beside the cap."""
    if request.prediction is None:
        return 0
    content = request.prediction.content
    texts = [content] if isinstance(content, str) else [part.text for part in content]
    return sum(len(text.encode()) for text in texts)


def _parts(messages: Iterable[Message]) -> Iterator[tuple[str, ContentPart]]:
    """Give every part that is not plain text, with its place in the body."""
    for at, message in enumerate(messages):
        if isinstance(message.content, list):
            for position, part in enumerate(message.content):
                if not isinstance(part, TextPart | RefusalPart):
                    yield f"messages[{at}].content[{position}]", part


def _tokens_of_part(place: str, part: ContentPart, *, model: PricedModel) -> int:
    if isinstance(part, ImagePart):
        media.require("vision", model=model, param=place)
        return media.image_tokens(model=model.name)
    if isinstance(part, AudioPart):
        media.require("audio_input", model=model, param=place)
        return media.audio_tokens(data=part.input_audio.data, param=f"{place}.input_audio.data")
    media.require("pdf_input", model=model, param=place)
    return _whole_window(model, place)


def _tokens_of_earlier_audio(request: ChatCompletionRequest, model: PricedModel) -> int:
    """What the model once said is read again; it cannot have been longer than an answer can be."""
    if request.speaks:
        media.require("audio_output", model=model, param="modalities")
    said = sum(message.audio is not None for message in request.messages)
    if not said:
        return 0
    most = model.max_output_tokens or _whole_window(model, "messages")
    return said * most


def _whole_window(model: PricedModel, place: str) -> int:
    """A document fills the context window at most: no provider reads more of it than fits."""
    if model.context_window:
        return model.context_window
    raise UnsupportedParameter(
        f"{place}: the catalogue does not say how much {model.name} reads at most, so what this"
        " would cost cannot be bounded. An operator states its context window in the admin.",
        param=place,
    )


def _tokens_of_text(request: ChatCompletionRequest) -> int:
    tokens = sum(len(text.encode()) for text in _texts(request.messages))
    tokens += _TOKENS_PER_MESSAGE * len(request.messages) + _TOKENS_PER_REQUEST
    tools = len(request.tools or ()) + len(request.functions or ())
    if tools or request.response_format:
        described = request.model_dump_json(include=set(_DESCRIBING), exclude_none=True)
        tokens += len(described.encode()) + _TOKENS_PER_TOOL * tools + _TOKENS_FOR_TOOL_USE
    return tokens + predicted_tokens(request=request)


def _texts(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        yield from filter(None, (message.name, message.refusal))
        if isinstance(message.content, str):
            yield message.content
        for part in message.content if isinstance(message.content, list) else ():
            if isinstance(part, TextPart):
                yield part.text
            elif isinstance(part, RefusalPart):
                yield part.refusal
        called = [*(message.tool_calls or ()), *filter(None, [message.function_call])]
        if called:
            yield orjson.dumps([call.model_dump() for call in called]).decode()
