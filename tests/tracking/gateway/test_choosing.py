"""Which way is taken, how long a failing one is left alone, and what is tried again: by property."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.gateway import failures
from tracking.gateway.choosing import (
    CoolDownRules,
    RetryRules,
    Standing,
    may_fall_back,
    shuffled,
    standing_after,
    wait_before,
)
from tracking.gateway.routes import Alias, AliasTarget

DRAWS = st.lists(st.floats(0, 1, exclude_max=True), min_size=20, max_size=20)
WEIGHTS = st.lists(st.integers(0, 9), min_size=1, max_size=8)
BILLED = (failures.ProviderTimeout, failures.ProviderInterrupted)
OF_THE_REQUEST = (failures.ProviderRefused, failures.ContextLengthExceeded)
OF_THE_ROUTE = (
    failures.ProviderError,
    failures.ProviderUnavailable,
    failures.ProviderRateLimited,
    failures.ProviderAuthFailed,
    *BILLED,
)
FAILURES = st.sampled_from([*OF_THE_ROUTE, *OF_THE_REQUEST])


def first_of(weights: list[int], draw: float) -> int:
    places = list(range(len(weights)))
    return shuffled(places, weights=weights, draws=itertools.chain([draw], itertools.repeat(0.5)))[
        0
    ]


@given(WEIGHTS, DRAWS)
def test_every_way_comes_once_and_what_weighs_nothing_last(
    weights: list[int], draws: list[float]
) -> None:
    places = list(range(len(weights)))

    ordered = shuffled(places, weights=weights, draws=iter(draws))

    assert sorted(ordered) == places
    assert [weights[place] > 0 for place in ordered] == sorted(
        (weight > 0 for weight in weights), reverse=True
    )
    assert ordered == shuffled(places, weights=weights, draws=iter(draws))


@given(WEIGHTS.filter(any))
def test_each_comes_first_exactly_as_often_as_its_share(weights: list[int]) -> None:
    whole = sum(weights)

    # One draw from the middle of each unit of weight.
    firsts = Counter(first_of(weights, (unit + 0.5) / whole) for unit in range(whole))

    assert [firsts[place] for place in range(len(weights))] == weights


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), min_size=1, max_size=8), DRAWS)
def test_a_later_position_never_goes_before_an_earlier(
    rows: list[tuple[int, int]], draws: list[float]
) -> None:
    targets = tuple(
        AliasTarget(f"model-{number}", position, weight)
        for number, (position, weight) in enumerate(sorted(rows))
    )
    alias = Alias("smart", falls_back_on_failure=True, falls_back_on_budget=True, targets=targets)

    drawn = alias.drawn(draw=iter(draws).__next__)

    assert sorted(drawn, key=lambda t: t.model) == sorted(targets, key=lambda t: t.model)
    assert [target.position for target in drawn] == sorted(position for position, _ in rows)


@given(FAILURES, st.integers(1, 9), st.booleans(), st.floats(0, 1, exclude_max=True))
def test_what_may_be_billed_is_never_tried_again_nor_made_with_another_model(
    kind: type[failures.ProviderFailure], made: int, is_other: bool, chance: float
) -> None:
    failure = kind()
    wait_s = wait_before(
        failure=failure, made=made, is_other=is_other, chance=chance, rules=RetryRules()
    )

    if failure.may_be_billed:
        assert wait_s is None
        assert not may_fall_back(failure)
    if kind in OF_THE_REQUEST:
        assert wait_s is None
    if wait_s is not None:
        assert made < RetryRules().attempts
        assert 0 <= wait_s <= RetryRules().most_wait_s


def waits(failure: failures.ProviderFailure, **asked: Any) -> float | None:
    return wait_before(failure=failure, **{"made": 1, "is_other": False, "chance": 0.0, **asked})


def test_waits_longer_each_time_and_as_long_as_the_provider_asks() -> None:
    rules = RetryRules(attempts=9, most_wait_s=10)
    failed = failures.ProviderError()
    asked = failures.ProviderRateLimited(retry_after_s=7)

    assert [waits(failed, made=n, rules=rules) for n in (1, 2, 3)] == [0.125, 0.25, 0.5]
    assert waits(failed, made=1, chance=1.0, rules=rules) == 0.25
    assert waits(asked, rules=rules) == 7
    # Another key is not limited by what the first one asked.
    assert waits(asked, is_other=True, rules=rules) == 0
    assert waits(failures.ProviderRateLimited(retry_after_s=11), rules=rules) is None
    assert waits(failures.ProviderAuthFailed(), rules=rules) is None
    assert waits(failures.ProviderAuthFailed(), is_other=True, rules=rules) == 0


def test_a_longer_prompt_may_fit_another_model_and_a_wrong_one_fits_none() -> None:
    assert may_fall_back(failures.ContextLengthExceeded())
    assert not may_fall_back(failures.ProviderRefused())


def cooled(*kinds: type[failures.ProviderFailure], at: float = 1000.0, **said: Any) -> Standing:
    standing = Standing()
    for kind in kinds:
        standing = standing_after(
            standing, failure=kind(**said), now=at, rules=CoolDownRules(after=3, first_s=30)
        )
    return standing


def test_leaves_a_route_alone_after_failures_in_a_row_and_longer_each_time() -> None:
    error = failures.ProviderError

    assert cooled(error, error) == Standing(2, 0)
    assert cooled(*[error] * 3) == Standing(3, 1030)
    assert cooled(*[error] * 4) == Standing(4, 1060)
    assert cooled(*[error] * 99) == Standing(99, 1300)


def test_leaves_a_route_alone_at_once_when_it_says_so() -> None:
    assert cooled(failures.ProviderAuthFailed) == Standing(1, 1030)
    assert cooled(failures.ProviderRateLimited) == Standing(1, 1030)
    assert cooled(failures.ProviderRateLimited, retry_after_s=12) == Standing(1, 1012)
    assert cooled(failures.ProviderRateLimited, retry_after_s=9999) == Standing(1, 1300)


@pytest.mark.parametrize("kind", OF_THE_REQUEST)
def test_what_the_request_did_wrong_is_no_fault_of_the_route(
    kind: type[failures.ProviderFailure],
) -> None:
    assert cooled(kind, kind, kind) == Standing()


@given(st.lists(FAILURES, max_size=12))
def test_a_cool_down_never_becomes_shorter_by_a_failure(
    kinds: list[type[failures.ProviderFailure]],
) -> None:
    ends = [cooled(*kinds[:n]).cools_until for n in range(len(kinds) + 1)]
    assert ends == sorted(ends)
