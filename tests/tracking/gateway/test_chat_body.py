"""A chat's body: everything that OpenAI's own types name is taken, or refused for a stated reason."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import completion_create_params

from budgets.core.errors import DomainError
from tests.tracking.gateway.shapes import names_of
from tests.tracking.gateway.test_estimate import RATES, worst
from tests.tracking.gateway.test_sound import wav
from tests.tracking.pricing.strategies import patient
from tracking.gateway.doors.call import Route
from tracking.gateway.endpoints import media
from tracking.gateway.endpoints.bodies import REASONS, UnsupportedParameter, ValueOutOfRange
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest
from tracking.gateway.endpoints.table import CHAT_COMPLETIONS
from tracking.pricing.cost import cost
from tracking.pricing.rates import Rates
from tracking.pricing.usage import Usage

PIXEL = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQK"


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    """A message of a user, made of parts."""
    return {"messages": [{"role": "user", "content": list(parts)}]}


def image(url: str = PIXEL, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def sound(data: bytes) -> dict[str, Any]:
    text = base64.b64encode(data).decode()
    return {"type": "input_audio", "input_audio": {"data": text, "format": "wav"}}


def document(**more: Any) -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf", **more}}


FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CUSTOM = {
    "type": "custom",
    "custom": {
        "name": "c",
        "format": {"type": "grammar", "grammar": {"definition": "a: b", "syntax": "lark"}},
    },
}
# One of everything.
FULL: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {
            "role": "user",
            "name": "dave",
            "content": [
                {
                    "type": "text",
                    "text": "Look.",
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                    "prompt_cache_breakpoint": {"mode": "explicit"},
                },
                image(detail="low"),
                image("https://example.org/a.png"),
                sound(wav(1)),
                document(),
            ],
        },
        {"role": "assistant", "audio": {"id": "audio_1"}},
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "No."}],
            "refusal": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "type": "custom", "custom": {"name": "c", "input": "b"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "fine"},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "fine"},
    ],
    "audio": {"format": "wav", "voice": {"id": "voice_1"}},
    "frequency_penalty": 1,
    "function_call": {"name": "f"},
    "functions": [{"name": "f", "parameters": {"type": "object"}}],
    "logit_bias": {"5": -100},
    "logprobs": True,
    "max_completion_tokens": 9,
    "max_tokens": 9,
    "metadata": {"a": "b"},
    "modalities": ["text", "audio"],
    "n": 2,
    "parallel_tool_calls": True,
    "prediction": {"type": "content", "content": [{"type": "text", "text": "yes"}]},
    "presence_penalty": 1,
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "max",
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
    "safety_identifier": "s",
    "seed": 1,
    "service_tier": "flex",
    "stop": ["a", "b", "c", "d"],
    "store": True,
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "temperature": 1,
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "auto",
            "tools": [
                {"type": "function", "function": {"name": "f"}},
                {"type": "custom", "custom": {"name": "c"}},
            ],
        },
    },
    "tools": [FUNCTION, CUSTOM],
    "top_logprobs": 20,
    "top_p": 1,
    "user": "u",
    "verbosity": "low",
}


def read(asked: dict[str, Any]) -> ChatCompletionRequest:
    return CHAT_COMPLETIONS.read(body=orjson.dumps(asked), content_type="application/json")


def test_takes_or_refuses_by_a_reason_everything_that_the_sdk_can_ask() -> None:
    asked = set(get_type_hints(completion_create_params.CompletionCreateParamsBase)) | {"stream"}

    assert asked - names_of(ChatCompletionRequest) == set(REASONS) - {"file_id"}
    assert asked - set(REASONS) == set(FULL)


def test_passes_on_one_of_everything_but_what_is_its_own() -> None:
    request = read(FULL)

    passed = request.passed_on()

    assert set(passed) == set(FULL) - request.OWN
    assert passed["messages"][1:3] == FULL["messages"][1:3]
    for name in ("tools", "tool_choice", "audio", "functions", "response_format", "prediction"):
        assert passed[name] == FULL[name]


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        (user(document(file_id="file-1")), "unsupported_parameter", "file_id"),
        (user(image("http://example.org/a.png")), "value_out_of_range", "image_url.url"),
        (user(image("file:///etc/passwd")), "value_out_of_range", "image_url.url"),
        (user(image("data:text/html;base64,AAAA")), "value_out_of_range", "image_url.url"),
        (user(image(detail="original")), "invalid_type", "image_url.detail"),
        (user({"type": "image_url"}), "invalid_request", "image_url"),
        (user({"text": "x"}), "invalid_request", "content[0].type"),
        (user(), "value_out_of_range", "content"),
        ({"tools": [{"type": "function"}]}, "invalid_request", "tools[0].function"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools[0].type"),
        ({"tool_choice": {"type": "custom"}}, "invalid_request", "tool_choice.custom"),
        ({"tool_choice": {"type": "mcp"}}, "unsupported_parameter", "tool_choice.type"),
        ({"moderation": {"model": "m"}}, "unsupported_parameter", "moderation"),
        ({"stop": list("abcde")}, "value_out_of_range", "stop"),
        ({"logit_bias": {"5": 101}}, "value_out_of_range", "logit_bias.5"),
        ({"modalities": ["video"]}, "invalid_type", "modalities[0]"),
        ({"prediction": {"content": "x"}}, "invalid_request", "prediction.type"),
    ],
    ids=str,
)
def test_says_what_is_wrong_and_where(change: dict[str, Any], code: str, param: str) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}]} | change

    with pytest.raises(DomainError) as refused:
        read(asked)

    assert (refused.value.code, refused.value.details["param"].endswith(param)) == (code, True)


def test_names_the_standard_tier_to_openai_where_none_is_asked_for() -> None:
    plain = {"model": "m", "messages": [{"role": "user", "content": "x"}]}

    def tier(provider: str, **more: Any) -> Any:
        route = Route(provider, "litellm", "m")
        sent = CHAT_COMPLETIONS.parameters(request=read(plain | more), route=route, cap=5)
        return sent.get("service_tier")

    assert tier("openai") == "default"
    assert tier("openai", service_tier="auto") == "auto"
    assert tier("groq") is None


@pytest.mark.parametrize(
    ("change", "capability"),
    [
        (user(image()), "vision"),
        (user(sound(wav(1))), "audio_input"),
        (user(document()), "pdf_input"),
        ({"modalities": ["audio"]}, "audio_output"),
    ],
)
def test_refuses_what_the_catalogue_says_the_model_cannot(
    change: dict[str, Any], capability: str
) -> None:
    with pytest.raises(UnsupportedParameter, match="cannot"):
        worst(change, capabilities=("function_calling",))

    assert worst(change, capabilities=(capability,)).usd > 0
    assert worst(change, capabilities=()).usd > 0


@pytest.mark.parametrize("what", [document(), {"type": "text", "text": "x"}])
def test_bounds_documents_by_the_context_window_or_not_at_all(what: dict[str, Any]) -> None:
    if what["type"] == "text":
        earlier = {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}
        assert worst(earlier, max_output_tokens=777).bounds.input_tokens > 777
        unknown = {"max_output_tokens": None, "context_window": None}
    else:
        earlier = user(what)
        assert worst(earlier).bounds.input_tokens == 500_000
        unknown = {"context_window": None}

    with pytest.raises(UnsupportedParameter, match="context window"):
        worst(earlier, **unknown)


def test_refuses_sound_that_is_no_base64() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "%%%%", "format": "wav"}}

    with pytest.raises(ValueOutOfRange, match="base64"):
        worst(user(part))


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("gpt-4o-mini", 48_169),
        ("gpt-4o-mini-2024-07-18", 48_169),
        ("openai/gpt-4o", 1_445),
        ("gpt-4.1-mini", 2_489),
        ("o4-mini-2025-04-16", 2_642),
        ("anthropic/claude-opus-4-7", 4_784),
        ("gemini/gemini-3-pro-preview", 2_240),
        ("test/unheard-of", 48_169),
    ],
)
def test_counts_an_image_as_no_less_than_its_provider_states(name: str, stated: int) -> None:
    assert media.image_tokens(model=name) >= stated


MULTIMODAL = Rates(
    {
        **RATES.per_unit,
        "audio_input": Decimal("0.00004"),
        "image_input": Decimal("0.00001"),
        "audio_output": Decimal("0.00008"),
        "input@priority": Decimal("0.000006"),
        "output@priority": Decimal("0.00003"),
        "input@flex": Decimal("0.0000015"),
        "input_per_image": Decimal("0.001"),
    }
)


@patient
@given(
    images=st.integers(0, 3),
    seconds=st.lists(st.integers(0, 40), max_size=2),
    speaks=st.booleans(),
    text=st.text(max_size=80),
    predicted=st.text(max_size=80),
    tier=st.sampled_from([None, "auto", "default", "flex", "priority", "fast"]),
    n=st.integers(1, 3),
    share=st.integers(0, 100),
)
def test_holds_whatever_a_call_with_images_and_sound_then_uses(  # noqa: PLR0913  what varies
    images: int,
    seconds: list[int],
    speaks: bool,
    text: str,
    predicted: str,
    tier: str | None,
    n: int,
    share: int,
) -> None:
    parts = [{"type": "text", "text": text}, *[image()] * images]
    parts += [sound(wav(length)) for length in seconds]
    change: dict[str, Any] = user(*parts) | {"n": n, "max_tokens": 200}
    if speaks:
        change["modalities"] = ["text", "audio"]
    if tier:
        change["service_tier"] = tier
    if predicted:
        change["prediction"] = {"type": "content", "content": predicted}
    bound = worst(change, name="gpt-4o-mini", rates=MULTIMODAL)

    heard = 32 * sum(seconds)
    seen = images * 48_169
    said = n * (200 + len(predicted.encode()))
    used = Usage(
        input_tokens=len(text.encode()) + heard + seen,
        audio_input_tokens=heard,
        image_input_tokens=seen,
        output_tokens=said,
        audio_output_tokens=said * share // 100 if speaks else 0,
        input_images=images,
    )
    served = {"auto": "priority", "fast": "priority"}.get(tier or "", tier)

    for at in {served, "default"}:
        assert cost(usage=used, rates=MULTIMODAL, service_tier=at).total_usd <= bound.usd
