"""What the fake provider answers at the endpoints that are no chat, in OpenAI's dialect."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

Answer = Callable[[dict[str, Any], Any], web.Response]

# Nine vectors of a power of two: exact in any float.
VECTOR = [0.5, -0.25, 0.125, 1.0]


async def read(request: web.Request) -> dict[str, Any]:
    """Read what was asked: JSON, or a form whose files are told by name and size."""
    if request.content_type != "multipart/form-data":
        asked: dict[str, Any] = await request.json()
        return asked
    form = await request.post()
    return {
        name: {"filename": value.filename, "bytes": len(value.file.read())}
        if isinstance(value, web.FileField)
        else value
        for name, value in form.items()
    }


def wav(*, seconds: int) -> bytes:
    """Write silence: 8,000 samples a second, of two bytes each."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, 8_000, 0, "NONE", ""))
        written.writeframes(bytes(seconds * 16_000))
    return file.getvalue()


def _completions(asked: dict[str, Any], script: Any) -> web.Response:
    prompts = asked["prompt"] if isinstance(asked["prompt"], list) else [asked["prompt"]]
    texts = ["".join(script.words)] * (len(prompts) * (asked.get("n") or 1))
    frame = {"id": "cmpl-upstream", "object": "text_completion", "created": 1_700_000_000}
    if asked.get("stream"):
        return _streamed_completion(frame | {"model": asked["model"]}, script)
    choices = [
        {"index": index, "text": text, "finish_reason": "stop", "logprobs": None}
        for index, text in enumerate(texts)
    ]
    body = frame | {"model": asked["model"], "choices": choices}
    if script.usage is not None:
        body["usage"] = script.usage
    return web.json_response(body | script.more)


def _streamed_completion(frame: dict[str, Any], script: Any) -> web.Response:
    chunks = [
        {**frame, "choices": [{"index": 0, "text": word, "finish_reason": None}]}
        for word in script.words
    ]
    chunks.append({**frame, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
    if script.usage is not None:
        chunks.append({**frame, "choices": [], "usage": script.usage})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    text = "".join([*lines, "data: [DONE]\n\n"])
    return web.Response(text=text, content_type="text/event-stream")


def _embeddings(asked: dict[str, Any], script: Any) -> web.Response:
    given = asked["input"]
    is_one = isinstance(given, str) or (given and isinstance(given[0], int))
    data = [
        {"object": "embedding", "index": index, "embedding": VECTOR}
        for index in range(1 if is_one else len(given))
    ]
    body: dict[str, Any] = {"object": "list", "data": data, "model": asked["model"]}
    if script.usage is not None:
        body["usage"] = {"prompt_tokens": 7, "total_tokens": 7}
    return web.json_response(body | script.more)


def _moderations(asked: dict[str, Any], script: Any) -> web.Response:
    given = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    result = {
        "flagged": False,
        "categories": {"violence": False},
        "category_scores": {"violence": 0.01},
        "category_applied_input_types": {"violence": ["text"]},
    }
    body = {"id": "modr-1", "model": asked["model"], "results": [result] * len(given)}
    return web.json_response(body | script.more)


def _rerank(asked: dict[str, Any], script: Any) -> web.Response:
    results = [
        {"index": index, "relevance_score": 1 / (1 + index)}
        for index in range(asked.get("top_n") or len(asked["documents"]))
    ]
    usage = {"total_tokens": 21}
    body = {"id": "rerank-1", "model": asked["model"], "results": results, "usage": usage}
    return web.json_response(body | script.more)


def _images(asked: dict[str, Any], script: Any) -> web.Response:
    pixel = base64.b64encode(b"\x89PNG").decode()
    body = {"created": 1_700_000_000, "data": [{"b64_json": pixel}] * (asked.get("n") or 1)}
    return web.json_response(body | script.more)


def _transcriptions(asked: dict[str, Any], script: Any) -> web.Response:
    form, text = asked.get("response_format", "json"), "".join(script.words)
    if form == "text":
        return web.Response(text=text, content_type="text/plain")
    if form in ("srt", "vtt"):
        return web.Response(
            text=f"1\n00:00:00,000 --> 00:00:01,000\n{text}\n", content_type="text/plain"
        )
    body: dict[str, Any] = {"text": text}
    if form == "verbose_json":
        body |= {"language": "english", "duration": 2.5, "segments": [], "task": "transcribe"}
    return web.json_response(body | script.more)


def _speech(asked: dict[str, Any], script: Any) -> web.Response:
    return web.Response(body=wav(seconds=2), content_type="audio/wav")


ANSWERS: Mapping[str, Answer] = {
    "/v1/completions": _completions,
    "/v1/embeddings": _embeddings,
    "/v1/moderations": _moderations,
    "/v1/rerank": _rerank,
    "/v1/images/generations": _images,
    "/v1/audio/transcriptions": _transcriptions,
    "/v1/audio/speech": _speech,
}
