"""Chat completions with more than text, through the OpenAI SDK, and what they are charged."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests import tenants
from tests.fakes.other_endpoints import wav
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import BY_LIBRARY, MULTIMODAL, Tenant

RATE = {name: Fraction(rate) for name, rate in tenants.MULTIMODAL_RATES.items()}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


@pytest.fixture
def sdk(site: Site, alice: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=alice.text) as client:
        yield client


class Place(BaseModel):
    """What a parsed answer is."""

    city: str


def test_parses_a_structured_answer(sdk: openai.OpenAI, alice: Tenant, upstream: Upstream) -> None:
    upstream.script.words = ('{"city": "Oslo"}',)

    answer = sdk.chat.completions.parse(
        model=MULTIMODAL, messages=[{"role": "user", "content": "Where?"}], response_format=Place
    )

    assert answer.choices[0].message.parsed == Place(city="Oslo")
    schema = upstream.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["city"]["type"] == "string"
    assert alice.the_call()[0].kind == "charge"


def test_looks_at_images_and_hears_sound(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    spoken = base64.b64encode(wav(seconds=3)).decode()
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "input_audio", "input_audio": {"data": spoken, "format": "wav"}},
    ]
    upstream.script.usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"image_tokens": 700, "audio_tokens": 30, "cached_tokens": 100},
        "completion_tokens_details": {"audio_tokens": 20},
    }

    sdk.chat.completions.create(
        model=MULTIMODAL,
        messages=[{"role": "user", "content": content}],
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
    )

    (asked,) = upstream.requests
    assert asked["messages"][0]["content"] == content
    assert (asked["modalities"], asked["audio"]["voice"]) == (["text", "audio"], "alloy")
    entry, record = alice.the_call()
    lines = {line["dimension"]: line["units"] for line in record.lines}
    assert lines == {
        "input": 170,
        "cached_input": 100,
        "image_input": 700,
        "audio_input": 30,
        "output": 30,
        "audio_output": 20,
    }
    assert Fraction(entry.amount_usd) == sum(RATE[name] * units for name, units in lines.items())
    # Two images and three seconds are held for by what providers state at most.
    assert Fraction(entry.held_usd) > 2 * 48_169 * RATE["audio_input"]


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("asked", "served", "charged"),
    [
        ("flex", "flex", "@flex"),
        ("flex", "default", ""),
        ("auto", "priority", "@priority"),
        ("priority", None, "@priority"),
        ("priority", "default", ""),
        (None, None, ""),
    ],
)
def test_charges_the_tier_that_was_served(  # noqa: PLR0913  fixtures and cases
    sdk: openai.OpenAI,
    alice: Tenant,
    upstream: Upstream,
    asked: Any,
    served: str | None,
    charged: str,
    is_streamed: bool,
) -> None:
    upstream.script.more = {"service_tier": served} if served else {}
    answer: Any = sdk.chat.completions.create(
        model=MULTIMODAL,
        messages=[{"role": "user", "content": "x"}],
        service_tier=asked or openai.omit,
        stream=is_streamed,
    )
    if is_streamed:
        list(answer)

    entry, _ = alice.the_call()
    price = 11 * RATE[f"input{charged}"] + 5 * RATE[f"output{charged}"]
    assert Fraction(entry.amount_usd) == price
    assert Fraction(entry.held_usd) > price
    assert upstream.requests[0].get("service_tier") == asked


@pytest.mark.parametrize("model", [MULTIMODAL, BY_LIBRARY])
def test_passes_on_what_the_library_does_not_know(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream, model: str
) -> None:
    options: Any = {
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_key": "k",
        "verbosity": "low",
        "store": True,
        "reasoning_effort": "low",
        "prediction": {"type": "content", "content": "one two"},
    }
    tools: Any = [{"type": "function", "function": {"name": name}} for name in "fg"]
    choice: Any = {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "auto",
            "tools": [{"type": "function", "function": {"name": "f"}}],
        },
    }

    sdk.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "x"}],
        tools=tools,
        tool_choice=choice,
        **options,
    )

    (asked,) = upstream.requests
    assert {name: asked.get(name) for name in options} == options
    # The library takes no choice among tools: those that may not be called are not described.
    narrowed = (tools[:1], "auto") if model == BY_LIBRARY else (tools, choice)
    assert (asked["tools"], asked["tool_choice"]) == narrowed


def test_charges_the_whole_hold_for_sound_without_usage(
    sdk: openai.OpenAI, alice: Tenant, upstream: Upstream
) -> None:
    upstream.script.usage = None
    upstream.script.message = {
        "role": "assistant",
        "content": None,
        "audio": {"id": "a", "data": "AAAA", "transcript": "one", "expires_at": 1},
    }

    sdk.chat.completions.create(
        model=MULTIMODAL,
        messages=[{"role": "user", "content": "x"}],
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
    )

    entry, record = alice.the_call()
    assert (entry.kind, record.usage_source, record.outcome) == (
        "estimate",
        "assumed",
        "completed",
    )
    assert entry.amount_usd == entry.held_usd
