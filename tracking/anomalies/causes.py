"""What explains that a span cost more than one like it: who, and why. Pure.

Who is told by differences: the project, key and model whose cost rose most. Why is told by going from
then to now a step at a time, each step at what was before it: as many calls as now; prompts as long;
as little of them from the provider's cache; answers as long; today's price. What is left over is a
different choice of models, or what is not charged by tokens. Ratios are of numbers of calls and
tokens; all amounts are decimal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from budgets.core.money import ZERO_USD, format_usd, quantize_usd
from tracking.usage.terms import Figures

_MOST_WHO, _MOST_WHY = 3, 3
# What explains less than this part of the difference is not told.
_LEAST_SHARE = Decimal("0.1")
_STORM_ATTEMPTS = Decimal("1.5")
_STORM_SHARE = Decimal("0.25")


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """The finest part that rollups tell apart here: a model called with a key of a project."""

    project_id: int
    api_key_id: int
    model: str


Cells = Mapping[Cell, Figures]


@dataclass(frozen=True, slots=True)
class TokenRates:
    """What a model's tokens cost: USD per token of input, of cached input and of output."""

    input: Decimal
    cached: Decimal
    output: Decimal


Rates = Mapping[str, TokenRates]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Of the calls whose prompts were hashed, how many sent one that had been sent before."""

    calls: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Who:
    """One project, API key or model, by id or name, and how much more it cost."""

    kind: str
    id: str
    more_usd: Decimal
    is_new: bool


@dataclass(frozen=True, slots=True)
class Why:
    """One reason: how much of the difference it makes, and what it says for people."""

    kind: str
    more_usd: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class Cause:
    """What explains a difference, the most of it first."""

    more_usd: Decimal
    who: tuple[Who, ...]
    why: tuple[Why, ...]


def cause_of(
    *,
    now: Cells,
    before: Cells,
    rates_now: Rates,
    rates_before: Rates,
    repeats: Repeats = Repeats(),
) -> Cause:
    """Explain by how much the cells of one span cost more than those of one like it.

    Rates are those in force in each of the spans, by model; of a model without any only the number
    of its calls is told.
    """
    more_usd = _cost(now) - _cost(before)
    why = _by_calls_and_tokens(now, before, rates_now, rates_before)
    why = [_as_storm(one, now, before, repeats) if one.kind == "requests" else one for one in why]
    told = sorted(why, key=lambda one: -one.more_usd)
    least_usd = more_usd * _LEAST_SHARE
    return Cause(
        more_usd=quantize_usd(more_usd),
        who=tuple(_who(now, before, least_usd)),
        why=tuple(one for one in told if one.more_usd > 0 and one.more_usd >= least_usd)[
            :_MOST_WHY
        ],
    )


def figures_in(cells: Cells) -> Figures:
    """Add up all cells."""
    return sum(cells.values(), Figures())


def _cost(cells: Cells) -> Decimal:
    return figures_in(cells).cost_usd


def _who(now: Cells, before: Cells, least_usd: Decimal) -> list[Who]:
    """Name what rose most: a model is named beside its key, a project only if it has several keys."""
    named = []
    for kind in ("api_key", "model", "project"):
        rose = _rises(kind, now, before)
        if kind == "project" and len(_rises("api_key", now, before)) < 2:
            continue
        named += [one for one in rose if one.more_usd > 0 and one.more_usd >= least_usd][:_MOST_WHO]
    return named


def _rises(kind: str, now: Cells, before: Cells) -> list[Who]:
    costs: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO_USD, ZERO_USD])
    for place, cells in enumerate((now, before)):
        for cell, figures in cells.items():
            costs[_id(kind, cell)][place] += figures.cost_usd
    rises = [
        Who(kind, who, quantize_usd(then[0] - then[1]), is_new=not then[1])
        for who, then in costs.items()
    ]
    return sorted(rises, key=lambda one: (-one.more_usd, one.id))


def _id(kind: str, cell: Cell) -> str:
    if kind == "model":
        return cell.model
    return str(cell.api_key_id if kind == "api_key" else cell.project_id)


def _by_calls_and_tokens(
    now: Cells, before: Cells, rates_now: Rates, rates_before: Rates
) -> list[Why]:
    """Go from then to now for each model, and add up what each step makes."""
    steps: dict[str, Decimal] = defaultdict(lambda: ZERO_USD)
    new_models: list[str] = []
    of_model_now, of_model_before = _by_model(now), _by_model(before)
    for model, new in of_model_now.items():
        old = of_model_before.get(model, Figures())
        if not old.calls:
            steps["model"] += new.cost_usd
            new_models.append(model)
            continue
        steps["requests"] += (new.calls - old.calls) * old.cost_usd / old.calls
        if model in rates_now and model in rates_before:
            for kind, usd in _token_steps(new, old, rates_now[model], rates_before[model]).items():
                steps[kind] += usd
    new, old = figures_in(now), figures_in(before)
    texts = {
        "requests": f"{_times(new.calls, old.calls)} requests: {new.calls:,} instead of {old.calls:,}",
        "prompt": "longer prompts: "
        f"{_per(new.input_tokens, new)} tokens a call instead of {_per(old.input_tokens, old)}",
        "cache": f"less from the provider's cache: {_share(new)} of the input instead of {_share(old)}",
        "output": "longer answers: "
        f"{_per(new.output_tokens, new)} tokens a call instead of {_per(old.output_tokens, old)}",
        "price": "a higher price than on the day it is compared with",
        "model": f"models that were not called then: {', '.join(sorted(new_models)[:3])}",
    }
    return [Why(kind, quantize_usd(usd), texts[kind]) for kind, usd in steps.items()]


def _token_steps(
    new: Figures, old: Figures, rates_now: TokenRates, rates_before: TokenRates
) -> dict[str, Decimal]:
    cached_now, cached_before = _cached(new), _cached(old)
    prompt_now, prompt_before = (Decimal(one.input_tokens) / one.calls for one in (new, old))
    output_now, output_before = (Decimal(one.output_tokens) / one.calls for one in (new, old))

    def blended(rates: TokenRates, cached: Decimal) -> Decimal:
        return rates.cached * cached + rates.input * (1 - cached)

    before, after = blended(rates_before, cached_before), blended(rates_before, cached_now)
    return {
        "prompt": new.calls * (prompt_now - prompt_before) * before,
        "cache": new.calls * prompt_now * (after - before),
        "output": new.calls * (output_now - output_before) * rates_before.output,
        "price": new.input_tokens * (blended(rates_now, cached_now) - after)
        + new.output_tokens * (rates_now.output - rates_before.output),
    }


def _as_storm(why: Why, now: Cells, before: Cells, repeats: Repeats) -> Why:
    """Call it a retry storm if more requests are the same ones, or failed ones, again."""
    new, old = figures_in(now), figures_in(before)
    again = []
    if repeats.calls and Decimal(repeats.repeated) / repeats.calls >= _STORM_SHARE:
        again.append(f"{repeats.repeated:,} of {repeats.calls:,} sent a prompt again")
    failed_now, failed_before = (_part(one.failed_calls, one.calls) for one in (new, old))
    if failed_now >= _STORM_SHARE and failed_now >= 2 * failed_before:
        again.append(f"{new.failed_calls:,} of {new.calls:,} failed")
    if _part(new.attempts, new.calls) >= _STORM_ATTEMPTS * max(
        _part(old.attempts, old.calls), Decimal(1)
    ):
        again.append(f"{new.attempts:,} attempts for {new.calls:,} calls")
    if not again or why.more_usd <= 0:
        return why
    return Why("retries", why.more_usd, f"retry storm: {'; '.join(again)}; {why.text}")


def _by_model(cells: Cells) -> dict[str, Figures]:
    found: dict[str, Figures] = defaultdict(Figures)
    for cell, figures in cells.items():
        found[cell.model] += figures
    return found


def _part(some: int, of: int) -> Decimal:
    return Decimal(some) / of if of else Decimal(0)


def _cached(figures: Figures) -> Decimal:
    return _part(figures.cached_input_tokens, figures.input_tokens)


def _share(figures: Figures) -> str:
    return f"{_cached(figures) * 100:.0f} %"


def _per(tokens: int, figures: Figures) -> str:
    return f"{_part(tokens, figures.calls):,.0f}"


def _times(new: int, old: int) -> str:
    return f"{_part(new, old):,.1f} times the" if old else "new"


def sentences(*, cause: Cause, names: Mapping[tuple[str, str], str]) -> list[str]:
    """Write a cause for people, a line each; ``names`` by kind and id."""
    words = {"api_key": "API key", "project": "project", "model": "model"}
    lines = [
        f"{words[one.kind]} {names.get((one.kind, one.id), one.id)}: "
        f"{format_usd(one.more_usd)} more{' (new)' if one.is_new else ''}"
        for one in cause.who
    ]
    return [*lines, *(f"{one.text} ({format_usd(one.more_usd)})" for one in cause.why)]


def explained_by(*, whole: Cells, whole_before: Cells, among: Sequence[Cell]) -> Decimal:
    """Tell which part of a difference some cells explain."""
    more = _cost(whole) - _cost(whole_before)
    if more <= 0:
        return Decimal(0)
    own = sum((_more(cell, whole, whole_before) for cell in among), ZERO_USD)
    return own / more


def _more(cell: Cell, now: Cells, before: Cells) -> Decimal:
    return now.get(cell, Figures()).cost_usd - before.get(cell, Figures()).cost_usd
