"""The worst case of a call, before it is sent. Pure.

Input is bounded by bytes: every token of every tokenizer in use stands for at least one byte of
text, so the bound holds for a model that nobody has a tokenizer for, and it costs nothing. What it
is too high by is released as soon as the call settles, and where a budget is nearly used up it is
the output cap that gives way, not the call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD
from tracking.pricing.book import ModelNotPriced, PricedModel
from tracking.pricing.cost import Bounds, WorstRates, most_usd, upper_bound, worst_rates
from tracking.pricing.usage import Usage

# Below this an answer is of no use, so the output cap is not lowered further to fit a budget.
USABLE_OUTPUT_TOKENS = 64


class MaxTokensExceeded(DomainError):
    """The call asks for more output tokens than its plan allows."""

    code = "max_tokens_exceeded"


@dataclass(frozen=True, slots=True)
class OutputRules:
    """What a plan says about output: tokens where no cap is asked for, the most, and fitting."""

    default_tokens: int
    most_tokens: int | None
    fits: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call can cost at most, in USD and tokens, and the least it is worth sending for.

    ``output_cap_tokens`` is the cap on each choice; None for a call whose output has no cap to
    lower, which is then sent as it was asked or not at all. ``beyond_cap_tokens`` are those of each
    choice that are charged as output though the cap does not count them.
    """

    usd: Decimal
    least_usd: Decimal
    bounds: Bounds
    worst: WorstRates
    output_cap_tokens: int | None = None
    beyond_cap_tokens: int = 0

    @property
    def tokens(self) -> int:
        """The most tokens, in and out, that the call can use."""
        return self.bounds.input_tokens + self.bounds.choices * self.bounds.output_tokens

    def output_cap_within(self, held_usd: Decimal) -> int | None:
        """Find the highest output cap, in tokens a choice, whose worst case a held amount pays."""
        if self.output_cap_tokens is None:
            return None
        if held_usd >= self.usd or self.worst.output_usd == 0:
            return self.output_cap_tokens
        room = held_usd - self.worst.fixed_usd - self.bounds.input_tokens * self.worst.input_usd
        a_choice = int(room // (self.bounds.choices * self.worst.output_usd))
        return a_choice - self.beyond_cap_tokens

    def most_usage(self, *, output_cap_tokens: int | None) -> Usage:
        """Give the most that the call can have used under an output cap, where nothing is known."""
        a_choice = self.bounds.output_tokens
        if output_cap_tokens is not None:
            a_choice = output_cap_tokens + self.beyond_cap_tokens
        return Usage(
            input_tokens=self.bounds.input_tokens,
            output_tokens=self.bounds.choices * a_choice,
        )


# What a call is held for that is not sent anywhere.
NOTHING = Estimate(
    usd=ZERO_USD,
    least_usd=ZERO_USD,
    bounds=Bounds(input_tokens=0, output_tokens=0),
    worst=WorstRates(input_usd=ZERO_USD, output_usd=ZERO_USD, fixed_usd=ZERO_USD),
)


def fixed(*, model: PricedModel, bounds: Bounds, readings: int = 1) -> Estimate:
    """Bound a call whose output has no cap that could be lowered.

    ``readings`` is how many times the model reads up to its context window.

    :raises ModelNotPriced: if nothing that the call uses has a rate, and other things have
    """
    held = _readable(bounds, model, readings)
    usd = upper_bound(bounds=held, rates=model.rates)
    if not usd and any(model.rates.per_unit.values()):
        raise ModelNotPriced(
            f"The price of {model.name!r} names no rate for what this call uses.", model=model.name
        )
    return Estimate(usd, usd, held, worst_rates(bounds=held, rates=model.rates))


def capped(
    *,
    model: PricedModel,
    rules: OutputRules,
    bounds: Bounds,
    asked_tokens: int | None,
    beyond_cap_tokens: int = 0,
    readings: int = 1,
) -> Estimate:
    """Bound a call by its output cap: the one asked for, else the plan's default, and never above
    the model's own. ``bounds`` says all but the output tokens.

    :raises MaxTokensExceeded: if more is asked for than the plan allows
    """
    most = rules.most_tokens
    if asked_tokens is not None and most is not None and asked_tokens > most:
        raise MaxTokensExceeded(
            f"max_tokens is {asked_tokens}; the plan allows at most {most}.", param="max_tokens"
        )
    limits = [asked_tokens or rules.default_tokens, model.max_output_tokens, most]
    cap = min(limit for limit in limits if limit)
    least = min(cap, USABLE_OUTPUT_TOKENS) if rules.fits else cap
    readable = _readable(bounds, model, readings)
    held = replace(readable, output_tokens=cap + beyond_cap_tokens)
    # The rates are those of the least answer too: they do not depend on how long it is.
    worst = worst_rates(bounds=held, rates=model.rates)

    def costs(tokens: int) -> Decimal:
        return most_usd(
            worst=worst,
            input_tokens=held.input_tokens,
            output_tokens=held.choices * (tokens + beyond_cap_tokens),
        )

    return Estimate(
        usd=costs(cap),
        least_usd=costs(least),
        bounds=held,
        worst=worst,
        output_cap_tokens=cap,
        beyond_cap_tokens=beyond_cap_tokens,
    )


def _readable(bounds: Bounds, model: PricedModel, readings: int) -> Bounds:
    """Keep the input within the context window: a provider refuses what does not fit, unbilled."""
    most = (model.context_window or 0) * readings
    if not most or bounds.input_tokens <= most:
        return bounds
    return replace(bounds, input_tokens=most)
