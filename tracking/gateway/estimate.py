"""The worst case of a call, before it is sent. Pure.

Input is bounded by bytes: every token of every tokenizer in use stands for at least one byte of
text, so the bound holds for a model that nobody has a tokenizer for, and it costs nothing. What it
is too high by is released as soon as the call settles, and where a budget is nearly used up it is
the output cap that gives way, not the call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import orjson

from budgets.core.errors import DomainError
from tracking.gateway.schemas import ChatCompletionRequest, Message
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds, WorstRates, upper_bound, worst_rates
from tracking.pricing.rates import SEARCH_DIMENSIONS

# Formats wrap each message and each request in a few tokens of their own.
_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_REQUEST = 64
# Providers explain the use of tools to the model in words of their own, in up to 350 tokens.
_TOKENS_FOR_TOOL_USE = 512
_TOKENS_PER_TOOL = 32
# Names of models that search without being asked to.
_SEARCHING = ("search-preview", "sonar", "deep-research")
# Below this an answer is of no use, so the output cap is not lowered further to fit a budget.
USABLE_OUTPUT_TOKENS = 64
# Text goes in, and text comes out or, from some models, images: the rest cannot be incurred.
_NOT_TEXT = frozenset(
    {
        "audio_input",
        "cached_audio_input",
        "image_input",
        "video_input",
        "audio_output",
        "video_output",
    }
)


class MaxTokensExceeded(DomainError):
    """The call asks for more output tokens than its plan allows."""

    code = "max_tokens_exceeded"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call can cost at most, in USD and tokens, and the least it is worth sending for."""

    usd: Decimal
    least_usd: Decimal
    input_tokens: int
    output_cap_tokens: int
    choices: int
    worst: WorstRates

    @property
    def tokens(self) -> int:
        """The most tokens, in and out, that the call can use."""
        return self.input_tokens + self.choices * self.output_cap_tokens

    def output_cap_within(self, held_usd: Decimal) -> int:
        """Find the highest output cap, in tokens a choice, whose worst case a held amount pays."""
        if held_usd >= self.usd or self.worst.output_usd == 0:
            return self.output_cap_tokens
        room = held_usd - self.worst.fixed_usd - self.input_tokens * self.worst.input_usd
        return int(room // (self.choices * self.worst.output_usd))


def estimate(
    *,
    request: ChatCompletionRequest,
    model: PricedModel,
    default_output_tokens: int,
    plan_max_output: int | None,
    fits_output: bool,
) -> Estimate:
    """Bound a chat completion of a model from above, at the price in force.

    The output cap is the one asked for, else the plan's default, and never above the model's own.

    :raises MaxTokensExceeded: if more is asked for than the plan allows
    """
    asked = request.asked_output_tokens
    if asked is not None and plan_max_output is not None and asked > plan_max_output:
        raise MaxTokensExceeded(
            f"max_tokens is {asked}; the plan allows at most {plan_max_output}.", param="max_tokens"
        )
    limits = [asked or default_output_tokens, model.max_output_tokens, plan_max_output]
    cap = min(limit for limit in limits if limit)
    input_tokens = _input_bound(request)
    if model.context_window:
        # A provider refuses what does not fit, and bills nothing for it.
        input_tokens = min(input_tokens, model.context_window)

    def bounds(output_tokens: int) -> Bounds:
        return Bounds(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            choices=request.choices,
            excluded=_NOT_TEXT,
        )

    usd = upper_bound(bounds=bounds(cap), rates=model.rates)
    least = min(cap, USABLE_OUTPUT_TOKENS) if fits_output else cap
    return Estimate(
        usd=usd,
        least_usd=upper_bound(bounds=bounds(least), rates=model.rates),
        input_tokens=input_tokens,
        output_cap_tokens=cap,
        choices=request.choices,
        worst=worst_rates(bounds=bounds(cap), rates=model.rates),
    )


def searches_by_itself(model: PricedModel) -> bool:
    """Tell whether a model searches the web whenever it likes, and charges for each search."""
    prices_searches = any(name in model.rates.per_unit for name in SEARCH_DIMENSIONS)
    return prices_searches and any(mark in model.name for mark in _SEARCHING)


def _input_bound(request: ChatCompletionRequest) -> int:
    tokens = sum(len(text.encode()) for text in _texts(request.messages))
    tokens += _TOKENS_PER_MESSAGE * len(request.messages) + _TOKENS_PER_REQUEST
    if request.tools or request.response_format:
        described = request.model_dump_json(
            include={"tools", "tool_choice", "response_format"}, exclude_none=True
        )
        tokens += len(described.encode()) + _TOKENS_PER_TOOL * len(request.tools or ())
        tokens += _TOKENS_FOR_TOOL_USE
    return tokens


def _texts(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        if isinstance(message.content, str):
            yield message.content
        elif message.content is not None:
            yield from (part.text for part in message.content)
        if message.tool_calls:
            yield orjson.dumps([call.model_dump() for call in message.tool_calls]).decode()
        yield from (text for text in (message.name, message.refusal, message.tool_call_id) if text)
