"""What explains a difference: who, and why; the steps add up to what they explain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tracking.anomalies.causes import Cause, Cell, Repeats, TokenRates, cause_of, sentences
from tracking.usage.terms import Figures

KEY, OTHER = Cell(1, 11, "gpt"), Cell(1, 12, "gpt")
NO_REPEATS = Repeats()
RATES = TokenRates(Decimal("0.00001"), Decimal("0.000001"), Decimal("0.00004"))


def figures(
    *,
    calls: int,
    prompt: int = 1000,
    cached: int = 0,
    output: int = 100,
    rates: TokenRates = RATES,
) -> Figures:
    """What so many equal calls add up to, all of them answered at the first attempt."""
    of_one = (prompt - cached) * rates.input + cached * rates.cached + output * rates.output
    return Figures(
        cost_usd=calls * of_one,
        calls=calls,
        input_tokens=calls * prompt,
        cached_input_tokens=calls * cached,
        output_tokens=calls * output,
        attempts=calls,
    )


BEFORE = figures(calls=100, cached=500)


def cause(
    now: Figures, before: Figures, *, rates: TokenRates = RATES, repeats: Repeats = NO_REPEATS
) -> Cause:
    return cause_of(
        now={KEY: now},
        before={KEY: before},
        rates_now={"gpt": rates},
        rates_before={"gpt": RATES},
        repeats=repeats,
    )


@pytest.mark.parametrize(
    ("kind", "now", "rates"),
    [
        ("requests", figures(calls=400, cached=500), RATES),
        ("prompt", figures(calls=100, prompt=5000, cached=2500), RATES),
        ("cache", figures(calls=100), RATES),
        ("output", figures(calls=100, cached=500, output=900), RATES),
        (
            "price",
            figures(
                calls=100,
                cached=500,
                rates=TokenRates(
                    *(Decimal(2) * r for r in (RATES.input, RATES.cached, RATES.output))
                ),
            ),
            TokenRates(RATES.input * 2, RATES.cached * 2, RATES.output * 2),
        ),
    ],
)
def test_names_the_one_thing_that_changed(kind: str, now: Figures, rates: TokenRates) -> None:
    found = cause(now, BEFORE, rates=rates)

    (why,) = found.why
    assert why.kind == kind
    assert why.more_usd == found.more_usd == now.cost_usd - BEFORE.cost_usd


def test_the_steps_add_up() -> None:
    now = figures(calls=300, prompt=2000, cached=1000, output=300)
    found = cause(now, BEFORE)

    assert sum(why.more_usd for why in found.why) == found.more_usd
    assert {why.kind for why in found.why} == {"requests", "prompt", "output"}


@pytest.mark.parametrize(
    ("now", "repeats", "says"),
    [
        (figures(calls=400, cached=500), Repeats(400, 350), "350 of 400 sent a prompt again"),
        (replace(figures(calls=400, cached=500), failed_calls=200), Repeats(), "200 of 400 failed"),
        (
            replace(figures(calls=400, cached=500), attempts=1000),
            Repeats(),
            "1,000 attempts for 400 calls",
        ),
    ],
)
def test_tells_a_retry_storm(now: Figures, repeats: Repeats, says: str) -> None:
    (why,) = cause(now, BEFORE, repeats=repeats).why

    assert why.kind == "retries"
    assert says in why.text
    assert "4.0 times the requests: 400 instead of 100" in why.text


def test_more_requests_of_the_usual_kind_are_no_storm() -> None:
    before = replace(figures(calls=100), failed_calls=30)
    now = replace(figures(calls=400), failed_calls=120)

    (why,) = cause(now, before, repeats=Repeats(400, 40)).why
    assert why.kind == "requests"


def test_names_who_and_a_model_that_is_new() -> None:
    found = cause_of(
        now={KEY: BEFORE, Cell(2, 13, "opus"): figures(calls=50, prompt=90_000)},
        before={KEY: BEFORE, OTHER: BEFORE},
        rates_now={"gpt": RATES},
        rates_before={"gpt": RATES},
    )

    lines = sentences(cause=found, names={("api_key", "13"): "Batch", ("project", "2"): "labs"})
    assert [(who.kind, who.id, who.is_new) for who in found.who] == [
        ("api_key", "13", True),
        ("model", "opus", True),
        ("project", "2", True),
    ]
    assert lines[0] == "API key Batch: $45.20 more (new)"
    assert "models that were not called then: opus" in lines[-1]


def test_without_rates_tells_the_number_of_calls() -> None:
    found = cause_of(
        now={KEY: figures(calls=400)}, before={KEY: BEFORE}, rates_now={}, rates_before={}
    )

    assert [why.kind for why in found.why] == ["requests"]


def test_leaves_out_what_explains_next_to_nothing() -> None:
    found = cause(figures(calls=400, cached=500, output=101), BEFORE)

    assert [why.kind for why in found.why] == ["requests"]
