"""The endpoints that are no chat, through the OpenAI SDK: what comes back, and what is charged."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import openai
import pytest

from budgets.tenancy.models import Organization
from tests import tenants
from tests.fakes.other_endpoints import VECTOR, wav
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import Tenant
from tests.tracking.gateway.test_sound import mp3


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant(limit="100")


@pytest.fixture
def sdk(site: Site, alice: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=alice.text) as client:
        yield client


@pytest.fixture
def client(site: Site, alice: Tenant) -> Iterator[httpx.Client]:
    with site.client(alice.text) as opened:
        yield opened


def rate(model: str, dimension: str) -> Fraction:
    return Fraction(tenants.BY_MODE[model][1][dimension])


def charged(alice: Tenant, endpoint: str) -> Fraction:
    """What the one call cost, which was held for, and by what the provider reported."""
    entry, record = alice.the_call()
    assert (entry.kind, record.endpoint, record.outcome) == ("charge", endpoint, "completed")
    assert entry.amount_usd <= entry.held_usd
    assert sum(Fraction(line["amount_usd"]) for line in record.lines) == entry.amount_usd
    return Fraction(entry.amount_usd)


@pytest.mark.parametrize("prompt", ["Once", ["Once", "Twice"], [1, 2, 3], [[1, 2], [3]]])
def test_completes_text(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream, prompt: Any) -> None:
    answer = sdk.completions.create(
        model="test/completion", prompt=prompt, max_tokens=20, stop=["six"], logprobs=1
    )

    assert answer.choices[0].text == "one two three four five "
    assert (answer.model, upstream.requests[0]["prompt"]) == ("test/completion", prompt)
    assert (upstream.requests[0]["max_tokens"], upstream.requests[0]["stop"]) == (20, ["six"])
    price = 11 * rate("test/completion", "input") + 5 * rate("test/completion", "output")
    assert charged(alice, "completions") == price
    assert Fraction(answer.usage.cost) == price  # type: ignore[union-attr]  # ours


def test_streams_completions(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    chunks = list(
        sdk.completions.create(
            model="test/completion",
            prompt="Once",
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    *said, last = chunks
    assert "".join(c.choices[0].text or "" for c in said) == "one two three four five "
    price = 11 * rate("test/completion", "input") + 5 * rate("test/completion", "output")
    assert charged(alice, "completions") == price
    assert Fraction(last.usage.cost) == price  # type: ignore[union-attr]  # ours
    assert upstream.requests[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("given", ["Hi", ["Hi", "Ho"], [1, 2, 3], [[1, 2], [3]]])
def test_embeds(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream, given: Any) -> None:
    """The SDK asks for base64 unless it is told otherwise, and unpacks it."""
    answer = sdk.embeddings.create(model="test/embedding", input=given, dimensions=4)

    count = 2 if isinstance(given, list) and not isinstance(given[0], int) else 1
    assert [item.embedding for item in answer.data] == [VECTOR] * count
    assert upstream.requests[0]["input"] == given
    assert upstream.requests[0]["dimensions"] == 4
    assert charged(alice, "embeddings") == 7 * rate("test/embedding", "input")


def test_embeds_in_both_encodings(client: httpx.Client, alice: Tenant, upstream: Upstream) -> None:
    asked = {"model": "test/embedding", "input": "Hi"}
    plain = client.post("/v1/embeddings", json=asked).json()
    packed = client.post("/v1/embeddings", json=asked | {"encoding_format": "base64"}).json()

    assert plain["data"][0]["embedding"] == VECTOR
    assert packed["data"][0]["embedding"] == "AAAAPwAAgL4AAAA+AACAPw=="


@pytest.mark.parametrize(
    ("model", "given", "dimension", "units"),
    [
        ("test/embedding-queries", "Hi", "input_per_query", 1),
        ("test/embedding-queries", ["Hi", "Ho", "Hu"], "input_per_query", 3),
        ("test/embedding-characters", ["Hi", "Hello"], "input_per_character", 7),
    ],
)
def test_embeds_at_a_price_for_each_text_or_character(  # noqa: PLR0913  fixtures and cases
    sdk: openai.OpenAI,
    alice: Tenant,
    upstream: Upstream,
    model: str,
    given: Any,
    dimension: str,
    units: int,
) -> None:
    sdk.embeddings.create(model=model, input=given)

    assert charged(alice, "embeddings") == units * rate(model, dimension)
    (line,) = alice.the_call()[1].lines
    assert line["dimension"] == dimension
    assert Fraction(line["units"]) == units


@pytest.mark.parametrize("reported", [1, 3])
def test_reranks_at_a_price_for_each_search(
    client: httpx.Client, alice: Tenant, upstream: Upstream, reported: int
) -> None:
    """A search is a hundred documents, and long ones count several times: the provider says."""
    upstream.script.more = {"meta": {"billed_units": {"search_units": reported}}}
    documents = ["Oslo " * 200] * 250

    answer = client.post(
        "/v1/rerank", json={"model": "test/rerank-searches", "query": "a", "documents": documents}
    )

    assert answer.status_code == 200, answer.text
    price = reported * rate("test/rerank-searches", "input_per_query")
    assert charged(alice, "rerank") == price
    assert Fraction(answer.headers["x-cost-usd"]) == price


def test_the_demo_embeds_and_draws(sdk: openai.OpenAI, alice: Tenant) -> None:
    vectors = sdk.embeddings.create(model="demo/embed", input=["Hi", "Ho", "Hi"], dimensions=64)
    picture = sdk.images.generate(model="demo/image", prompt="A green square", n=2)

    first, second, third = (item.embedding for item in vectors.data)
    assert first == third != second
    assert len(first) == 64
    assert math.isclose(math.hypot(*first), 1, rel_tol=1e-6)
    assert picture.data is not None
    drawn = [base64.b64decode(image.b64_json or "") for image in picture.data]
    assert [image[:8] for image in drawn] == [b"\x89PNG\r\n\x1a\n"] * 2
    embedded, made = alice.records()
    assert embedded.cost_usd == embedded.input_tokens * Decimal(
        tenants.BY_MODE["demo/embed"][1]["input"]
    )
    assert Fraction(made.cost_usd) == 2 * rate("demo/image", "output_per_image")
    assert {record.usage_source for record in (embedded, made)} == {"provider"}
    assert not alice.differences()


def test_moderates_for_nothing_where_that_is_stated(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    answer = sdk.moderations.create(model="test/moderation", input=["Hi", "Ho"])

    assert [result.categories.violence for result in answer.results] == [False, False]
    assert set(answer.results[0].to_dict()["categories"]) == {"violence"}  # type: ignore[call-overload]
    assert charged(alice, "moderations") == 0


def test_reranks(client: httpx.Client, alice: Tenant, upstream: Upstream) -> None:
    documents = ["Oslo", {"text": "Rome"}]
    answer = client.post(
        "/v1/rerank",
        json={"model": "test/rerank", "query": "North", "documents": documents, "top_n": 1},
    )

    assert answer.json()["results"] == [{"index": 0, "relevance_score": 1.0}]
    assert upstream.requests[0]["documents"] == ["Oslo", "Rome"]
    assert charged(alice, "rerank") == 21 * rate("test/rerank", "input")


def test_makes_images(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    answer = sdk.images.generate(
        model="test/image", prompt="A fjord", n=2, size="1024x1024", quality="hd"
    )

    assert [item.b64_json for item in answer.data or []] == ["iVBORw=="] * 2
    assert answer.usage is None
    price = 2 * rate("test/image", "output_per_image:hd/1024x1024")
    assert charged(alice, "images.generations") == price


def test_makes_images_that_are_charged_in_tokens(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    upstream.script.more = {
        "usage": {
            "input_tokens": 9,
            "output_tokens": 4160,
            "total_tokens": 4169,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 9},
        }
    }

    sdk.images.generate(model="test/image-tokens", prompt="A fjord", size="1024x1024")

    price = 9 * rate("test/image-tokens", "input")
    price += 4160 * rate("test/image-tokens", "image_output")
    assert charged(alice, "images.generations") == price


@pytest.mark.parametrize(
    ("form", "asked"),
    [("json", "json"), ("text", "json"), ("verbose_json", "verbose_json"), ("srt", "verbose_json")],
)
def test_transcribes(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream, form: Any, asked: str
) -> None:
    upstream.script.more = {
        "usage": {"type": "duration", "seconds": 3},
        "segments": [{"id": 0, "start": 0, "end": 2.5, "text": " Hello."}],
    }

    answer: Any = sdk.audio.transcriptions.create(
        model="test/whisper", file=("a.wav", wav(seconds=3)), response_format=form, language="en"
    )

    text = answer if isinstance(answer, str) else answer.text
    if form == "srt":
        assert text == "1\n00:00:00,000 --> 00:00:02,500\nHello.\n\n"
    else:
        assert text.strip() == "one two three four five"
    (sent,) = upstream.requests
    assert sent["file"] == {"filename": "a.wav", "bytes": len(wav(seconds=3))}
    assert (sent["response_format"], sent["language"]) == (asked, "en")
    assert charged(alice, "audio.transcriptions") == 3 * rate("test/whisper", "input_per_second")


def test_transcribes_for_tokens(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    upstream.script.more = {
        "usage": {
            "type": "tokens",
            "input_tokens": 34,
            "output_tokens": 6,
            "total_tokens": 40,
            "input_token_details": {"audio_tokens": 30, "text_tokens": 4},
        }
    }

    sdk.audio.transcriptions.create(
        model="test/transcribe", file=("a.wav", wav(seconds=3)), prompt="A talk."
    )

    price = 30 * rate("test/transcribe", "audio_input") + 4 * rate("test/transcribe", "input")
    price += 6 * rate("test/transcribe", "output")
    assert charged(alice, "audio.transcriptions") == price


def test_charges_the_bound_of_a_transcription_without_report(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    sdk.audio.transcriptions.create(model="test/whisper", file=("a.mp3", mp3(600)))

    entry, record = alice.the_call()
    assert (entry.kind, record.usage_source) == ("estimate", "assumed")
    seconds = math.ceil(600 * 1152 / 44_100) + 1
    assert Fraction(entry.amount_usd) == seconds * rate("test/whisper", "input_per_second")


def test_speaks_for_characters(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    answer = sdk.audio.speech.create(
        model="test/tts", voice="alloy", input="Grüße!", response_format="wav", speed=1.5
    )

    assert answer.read() == wav(seconds=2)
    assert answer.response.headers["content-type"] == "audio/wav"
    price = 6 * rate("test/tts", "input_per_character")
    assert charged(alice, "audio.speech") == price
    assert Fraction(answer.response.headers["x-cost-usd"]) == price


def test_measures_speech_that_is_charged_in_tokens(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    sdk.audio.speech.create(
        model="test/tts-tokens", voice="alloy", input="Hello.", response_format="wav"
    )

    entry, record = alice.the_call()
    assert (entry.kind, record.usage_source) == ("estimate", "counted")
    price = 6 * rate("test/tts-tokens", "input")
    price += 32 * 4 * rate("test/tts-tokens", "audio_output")
    assert Fraction(entry.amount_usd) == price


def test_gives_sound_again_under_its_name(site: Site, upstream: Upstream) -> None:
    bob = tenants.tenant()
    Organization.objects.filter(pk=bob.organization.pk).update(stores_answers=True)
    headers = {"Idempotency-Key": "speech-1"}
    asked = {"model": "test/tts", "voice": "alloy", "input": "Hi.", "response_format": "wav"}
    with site.client(bob.text) as client:
        first = client.post("/v1/audio/speech", json=asked, headers=headers)
        second = client.post("/v1/audio/speech", json=asked, headers=headers)

    assert first.content == second.content == wav(seconds=2)
    assert second.headers["content-type"] == "audio/wav"
    assert len(bob.journal()) == 1


def test_knows_a_form_again_by_its_name(site: Site, upstream: Upstream) -> None:
    """Each sending of a form has another line between its parts."""
    bob = tenants.tenant()
    headers = {"Idempotency-Key": "form-1"}
    with site.client(bob.text) as client:
        answers = [
            client.post(
                "/v1/audio/transcriptions",
                data={"model": "test/whisper"},
                files={"file": ("a.wav", wav(seconds=seconds))},
                headers=headers,
            )
            for seconds in (1, 1, 2)
        ]

    assert [answer.status_code for answer in answers] == [200, 409, 422]
    assert len(bob.journal()) == 1


FORM = {"model": "test/whisper"}
FILE = {"file": ("a.wav", wav(seconds=1))}


@pytest.mark.parametrize(
    ("path", "sent", "code", "param"),
    [
        ("embeddings", {"json": {"model": "test/embedding"}}, "invalid_request", "input"),
        ("embeddings", {"json": {"model": "test/embedding", "input": []}}, None, "input"),
        ("embeddings", {"json": {"model": "test/embedding", "input": [-1]}}, None, "input[0]"),
        (
            "embeddings",
            {"json": {"model": tenants.MODEL, "input": "x"}},
            "unsupported_parameter",
            "model",
        ),
        (
            "images/generations",
            {"json": {"model": "test/image", "prompt": "x", "n": 11}},
            None,
            "n",
        ),
        (
            "images/generations",
            {"json": {"model": "test/image", "prompt": "x", "stream": True}},
            "unknown_parameter",
            "stream",
        ),
        (
            "audio/speech",
            {"json": {"model": "test/tts", "input": "x", "voice": "a", "stream_format": "sse"}},
            "invalid_type",
            "stream_format",
        ),
        ("rerank", {"json": {"model": "test/rerank", "query": "x"}}, None, "documents"),
        ("audio/transcriptions", {"json": FORM}, "invalid_request", "file"),
        ("audio/transcriptions", {"data": FORM, "files": {"x": b"y"}}, None, "x"),
        (
            "audio/transcriptions",
            {"data": FORM | {"stream": "true"}, "files": FILE},
            "unknown_parameter",
            "stream",
        ),
        (
            "audio/transcriptions",
            {"data": FORM | {"temperature": "hot"}, "files": FILE},
            "invalid_type",
            "temperature",
        ),
        ("audio/transcriptions", {"data": FORM | {"file": "text"}, "files": {}}, None, "file"),
        (
            "audio/transcriptions",
            {"data": {"model": ["test/whisper", "test/tts"]}, "files": FILE},
            "invalid_request",
            "model",
        ),
        (
            "audio/transcriptions",
            {"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            "invalid_request",
            None,
        ),
        (
            "audio/transcriptions",
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            "invalid_request",
            None,
        ),
    ],
)
def test_refuses_wrong_input_in_the_documented_shape(  # noqa: PLR0913  fixtures and cases
    client: httpx.Client,
    alice: Tenant,
    upstream: Upstream,
    path: str,
    sent: dict[str, Any],
    code: str | None,
    param: str | None,
) -> None:
    answer = client.post(f"/v1/{path}", **sent)

    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error"), error
    assert code is None or error["code"] == code
    assert param is None or error["param"] == param
    assert not upstream.requests
    assert not alice.journal()


def test_lists_the_models_of_every_mode(sdk: openai.OpenAI) -> None:
    modes = {model.id: model.to_dict()["mode"] for model in sdk.models.list()}

    assert {name: mode for name, (mode, _) in tenants.BY_MODE.items()}.items() <= modes.items()
    assert modes[tenants.MODEL] == "chat"
