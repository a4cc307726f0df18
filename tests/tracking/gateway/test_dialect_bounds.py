"""No message and no response costs more than was held for it, whatever it holds and used."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.gateway.endpoints.bodies import UnsupportedParameter
from tracking.gateway.endpoints.messages import usage_of_message
from tracking.gateway.endpoints.responses import usage_of_response
from tracking.gateway.endpoints.table import MESSAGES, RESPONSES
from tracking.gateway.estimate import Estimate, OutputRules
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import cost
from tracking.pricing.rates import Rates

RULES = OutputRules(default_tokens=1_000, most_tokens=None, fits=True)
PIXEL = "iVBORw0KGgo="
TEXTS = st.text(max_size=200).filter(lambda text: "\x00" not in text)
RATE = st.decimals(min_value=0, max_value=1, places=12)
DIMENSIONS = ("input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning")
PRICES = st.fixed_dictionaries(dict.fromkeys(DIMENSIONS, RATE))


def model_at(rates: dict[str, Decimal], *, window: int | None = 200_000) -> PricedModel:
    return PricedModel(
        model_id=1,
        name="test/plain",
        provider="test",
        mode="chat",
        context_window=window,
        max_output_tokens=8_000,
        capabilities=(),
        price_id=1,
        price_version=1,
        rates=Rates(per_unit=MappingProxyType(rates)),
    )


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """Some body of messages, with marks for the cache, images and what tools gave."""
    mark = st.sampled_from([None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])

    def text() -> dict[str, Any]:
        return {"type": "text", "text": draw(TEXTS), "cache_control": draw(mark)}

    source = {
        "type": "base64",
        "media_type": "image/png",
        "data": PIXEL * draw(st.integers(1, 500)),
    }
    image = {"type": "image", "source": source}
    given_back = {"type": "tool_result", "tool_use_id": "t", "content": [text(), image]}
    blocks = [text(), *draw(st.lists(st.sampled_from([image, given_back]), max_size=3))]
    asked: dict[str, Any] = {"model": "test/plain", "max_tokens": draw(st.integers(1, 9_000))}
    asked["messages"] = [{"role": "user", "content": blocks}]
    asked["system"] = [text()]
    if draw(st.booleans()):
        schema = {"type": "object", "description": draw(TEXTS)}
        asked["tools"] = [{"name": "f", "description": draw(TEXTS), "input_schema": schema}]
    return asked


@given(asked=messages(), rates=PRICES, data=st.data())
def test_holds_for_the_dearest_message(
    asked: dict[str, Any], rates: dict[str, Decimal], data: st.DataObject
) -> None:
    model = model_at(rates)
    worst = estimate(MESSAGES, asked, model)
    is_lasting = '"1h"' in json.dumps(asked)

    read, written = (data.draw(st.integers(0, worst.bounds.input_tokens // 3)) for _ in range(2))
    hour = data.draw(st.integers(0, written)) if is_lasting else 0
    output = data.draw(st.integers(0, worst.bounds.output_tokens))
    thought = data.draw(st.integers(0, output))
    fresh = worst.bounds.input_tokens - read - written
    reported = {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thought},
    }

    usage = usage_of_message(reported)
    assert usage is not None
    charged = cost(usage=usage, rates=model.rates).total_usd
    assert charged <= worst.usd
    units = {
        "input": fresh,
        "cached_input": read,
        "cache_write": written - hour,
        "cache_write_1h": hour,
        "output": output - thought,
        "reasoning": thought,
    }
    assert Fraction(charged) == sum(count * Fraction(rates[name]) for name, count in units.items())


@given(rates=PRICES, instructions=TEXTS, words=st.lists(TEXTS, min_size=1), data=st.data())
def test_holds_for_the_dearest_response(
    rates: dict[str, Decimal], instructions: str, words: list[str], data: st.DataObject
) -> None:
    parts: list[Any] = [{"type": "input_text", "text": word} for word in words]
    parts.append({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"})
    asked = {
        "model": "test/plain",
        "instructions": instructions,
        "input": [{"role": "user", "content": parts}],
        "max_output_tokens": data.draw(st.integers(1, 9_000)),
    }
    model = model_at(rates)
    worst = estimate(RESPONSES, asked, model)

    read = data.draw(st.integers(0, worst.bounds.input_tokens))
    output = data.draw(st.integers(0, worst.bounds.output_tokens))
    thought = data.draw(st.integers(0, output))
    usage = usage_of_response(
        {
            "input_tokens": worst.bounds.input_tokens,
            "input_tokens_details": {"cached_tokens": read},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": thought},
        }
    )

    assert usage is not None
    charged = cost(usage=usage, rates=model.rates).total_usd
    assert charged <= worst.usd
    units = {
        "input": worst.bounds.input_tokens - read,
        "cached_input": read,
        "output": output - thought,
        "reasoning": thought,
    }
    assert Fraction(charged) == sum(count * Fraction(rates[name]) for name, count in units.items())


@given(text=TEXTS)
def test_counts_a_byte_of_text_as_a_token_at_least(text: str) -> None:
    plain = {"input": Decimal(1), "output": Decimal(1)}
    said = [{"role": "user", "content": text}]
    message = {"model": "test/plain", "max_tokens": 1, "messages": said, "system": text}
    response = {"model": "test/plain", "input": text, "instructions": text}

    for endpoint, asked in ((MESSAGES, message), (RESPONSES, response)):
        tokens = estimate(endpoint, asked, model_at(plain)).bounds.input_tokens
        assert tokens >= 2 * len(text.encode())


PDF = {"type": "base64", "media_type": "application/pdf", "data": PIXEL}
FILE = {"type": "input_file", "file_data": f"data:application/pdf;base64,{PIXEL}"}
DOCUMENTS = (
    (
        MESSAGES,
        {
            "max_tokens": 1,
            "messages": [
                {"role": "user", "content": [{"type": "document", "source": PDF, "title": "a"}]}
            ],
        },
    ),
    (RESPONSES, {"input": [{"role": "user", "content": [FILE]}]}),
)


@pytest.mark.parametrize(("endpoint", "asked"), DOCUMENTS)
def test_holds_the_whole_window_for_a_document(endpoint: Any, asked: dict[str, Any]) -> None:
    rates = {"input": Decimal(1), "output": Decimal(1)}
    body = {"model": "test/plain", **asked}

    assert estimate(endpoint, body, model_at(rates)).bounds.input_tokens == 200_000
    with pytest.raises(UnsupportedParameter):
        estimate(endpoint, body, model_at(rates, window=None))


def estimate(endpoint: Any, asked: dict[str, Any], model: PricedModel) -> Estimate:
    """Bound what a body can cost."""
    request = endpoint.read(body=json.dumps(asked).encode(), content_type="application/json")
    worst: Estimate = endpoint.estimate(request=request, model=model, rules=RULES)
    return worst
