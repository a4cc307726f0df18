"""The built-in demo provider: deterministic answers and true token counts, without any key.

``demo/small`` and ``demo/large`` answer at once, ``demo/slow`` takes its time, ``demo/flaky`` fails
two of three prompts (which ones depends on the prompt alone). A prompt may steer the answer with
``[[tokens=200]]``, ``[[wait_ms=500]]`` or ``[[fail=503]]``. ``demo/embed`` makes vectors and
``demo/image`` pictures of one colour.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tracking.gateway import demo_media

_TOKEN = re.compile(r"\s*(?:\w{1,6}|[^\w\s])")
_STEERING = re.compile(r"\[\[(tokens|wait_ms|fail)=(\d{1,6})\]\]")
_WORDS = (
    "This is the demo provider. It answers with the same words every time, counts real tokens and "
    "charges the price in the catalogue, so that budgets, holds and receipts can be tried without "
    "any provider key. "
)
_TOKENS_PER_MESSAGE = 4
_DEFAULT_TOKENS = 32
_SLOW_WAIT_S = 2.0
_SLOW_TOKEN_S = 0.05


@dataclass(frozen=True, slots=True)
class Script:
    """What the demo provider will do for one call."""

    tokens: tuple[str, ...]
    finish_reason: str
    input_tokens: int
    wait_s: float
    token_wait_s: float
    fail_status: int | None

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.tokens).strip()


def count_demo_tokens(text: str) -> int:
    """Count tokens as the demo models do: runs of up to six letters or digits, or single signs."""
    return len(_TOKEN.findall(text))


def script_of(*, model: str, messages: list[dict[str, Any]], cap: int | None) -> Script:
    """Decide, from the prompt alone, what the demo provider answers."""
    texts = [_text(message.get("content")) for message in messages]
    prompt = "\n".join(texts)
    steering = {name: int(value) for name, value in _STEERING.findall(prompt)}
    wanted = steering.get("tokens", _DEFAULT_TOKENS)
    given = min(wanted, cap) if cap else wanted
    words = _TOKEN.findall(_WORDS)
    tokens = tuple(words[i % len(words)] for i in range(given))
    is_slow = model == "slow"
    return Script(
        tokens=tokens,
        finish_reason="length" if given < wanted else "stop",
        input_tokens=sum(count_demo_tokens(text) + _TOKENS_PER_MESSAGE for text in texts),
        wait_s=steering.get("wait_ms", 0) / 1000 + (_SLOW_WAIT_S if is_slow else 0),
        token_wait_s=_SLOW_TOKEN_S if is_slow else 0,
        fail_status=steering.get("fail") or _flaky_status(model, prompt),
    )


def demo_handler() -> Any:
    """Make the handler that litellm calls for models of the demo provider."""
    from litellm import Usage
    from litellm.llms.custom_llm import CustomLLM, CustomLLMError
    from litellm.types.utils import ImageObject

    class DemoProvider(CustomLLM):
        async def acompletion(self, *args: Any, **kwargs: Any) -> Any:
            script = await _begin(kwargs, CustomLLMError)
            choices = kwargs["optional_params"].get("n") or 1
            response = kwargs["model_response"]
            response.model = f"demo/{kwargs['model']}"
            first = response.choices[0]
            response.choices = [first.model_copy(deep=True) for _ in range(choices)]
            for index, choice in enumerate(response.choices):
                choice.index = index
                choice.message.content = script.text
                choice.finish_reason = script.finish_reason
            output_tokens = choices * len(script.tokens)
            await asyncio.sleep(script.token_wait_s * output_tokens)
            response.usage = Usage(
                prompt_tokens=script.input_tokens,
                completion_tokens=output_tokens,
                total_tokens=script.input_tokens + output_tokens,
            )
            return response

        async def astreaming(  # type: ignore[override]  # Its type forgets that it may yield.
            self, *args: Any, **kwargs: Any
        ) -> AsyncIterator[Any]:
            script = await _begin(kwargs, CustomLLMError)
            choices = kwargs["optional_params"].get("n") or 1
            for index in range(choices):
                for token in script.tokens:
                    await asyncio.sleep(script.token_wait_s)
                    yield _chunk(text=token, index=index)
            yield _chunk(
                finish_reason=script.finish_reason,
                usage={
                    "prompt_tokens": script.input_tokens,
                    "completion_tokens": choices * len(script.tokens),
                    "total_tokens": script.input_tokens + choices * len(script.tokens),
                },
            )

        async def aembedding(self, *args: Any, **kwargs: Any) -> Any:
            response = kwargs["model_response"]
            response.model = f"demo/{kwargs['model']}"
            response.data, tokens = demo_media.embedded(kwargs, count=count_demo_tokens)
            response.usage = Usage(prompt_tokens=tokens, total_tokens=tokens)
            return response

        async def aimage_generation(self, *args: Any, **kwargs: Any) -> Any:
            response = kwargs["model_response"]
            response.data = [ImageObject(b64_json=drawn) for drawn in demo_media.drawn(kwargs)]
            return response

    return DemoProvider()


async def _begin(kwargs: dict[str, Any], error_class: Any) -> Script:
    parameters = kwargs["optional_params"]
    cap = parameters.get("max_completion_tokens") or parameters.get("max_tokens")
    script = script_of(model=kwargs["model"], messages=kwargs["messages"], cap=cap)
    await asyncio.sleep(script.wait_s)
    if script.fail_status:
        raise error_class(
            status_code=script.fail_status, message="The demo provider was asked to fail."
        )
    return script


def _chunk(
    *,
    text: str = "",
    index: int = 0,
    finish_reason: str = "",
    usage: dict[str, int] | None = None,
) -> dict[str, Any]:
    return {
        "text": text,
        "index": index,
        "is_finished": bool(finish_reason),
        "finish_reason": finish_reason,
        "usage": usage,
        "tool_use": None,
    }


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _flaky_status(model: str, prompt: str) -> int | None:
    if model != "flaky":
        return None
    return (500, 429, None)[hashlib.sha256(prompt.encode()).digest()[0] % 3]
