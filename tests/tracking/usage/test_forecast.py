"""Forecasts hold about as often as they say, beat the naive ones, and admit what they cannot know."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.forecast import mean, run
from tracking.usage.forecast import DayCost, Forecast, TooLittle, Window, forecast

TODAY = date(2026, 3, 16)
ONE = Decimal(1)


def history(*costs: str | int) -> list[DayCost]:
    """Days that end yesterday."""
    begin = TODAY - timedelta(days=len(costs))
    return [DayCost(begin + timedelta(days=n), Decimal(cost)) for n, cost in enumerate(costs)]


def told(known: list[DayCost], **window: object) -> Forecast:
    given: dict[str, object] = {
        "today": TODAY,
        "last_on": date(2026, 3, 31),
        "spent_usd": Decimal(150),
        "remaining_of_today": ONE,
    }
    answer = forecast(history=known, window=Window(**(given | window)))  # type: ignore[arg-type]
    assert isinstance(answer, Forecast)
    return answer


def test_holds_the_truth_about_four_times_in_five_and_beats_naive_forecasts() -> None:
    """The table of docs/usage.md, smaller; every kind of series counts by itself for the interval."""
    found = run(seeds=24)
    scores = [score for kind in found.values() for score in kind]

    assert 0.70 <= mean([score.held for score in scores]) <= 0.90
    own = mean([score.own for score in scores])
    assert own < mean([score.month_so_far for score in scores])
    assert own < mean([score.last_week for score in scores])


@pytest.mark.parametrize("known", [[], history(*[5] * 13), history(*[0] * 60, *[5] * 13)])
def test_says_that_it_knows_too_little(known: list[DayCost]) -> None:
    window = Window(TODAY, date(2026, 3, 31), Decimal(1), ONE)

    answer = forecast(history=known, window=window)

    assert isinstance(answer, TooLittle)
    assert "14 days" in answer.reason


def test_goes_on_with_what_never_changes() -> None:
    answer = told(history(*[10] * 28))

    # 16 days are left, today among them.
    assert answer.expected_usd == pytest.approx(Decimal(310), abs=Decimal("0.01"))
    assert answer.low_usd < answer.expected_usd < answer.high_usd
    assert answer.days_known == 28


def test_knows_weekends() -> None:
    weeks = [cost for _ in range(6) for cost in (10, 10, 10, 10, 10, 0, 0)]

    saturday = told(history(*weeks), today=date(2026, 3, 21), last_on=date(2026, 3, 22))
    monday = told(history(*weeks), last_on=TODAY)

    assert saturday.expected_usd - 150 < 4
    assert 8 < monday.expected_usd - 150 < 12


def test_tells_the_day_on_which_the_limit_is_reached() -> None:
    known = history(*[10] * 28)

    assert told(known, limit_usd=Decimal(175)).reached_on == date(2026, 3, 18)
    assert told(known, limit_usd=Decimal(175)).earliest_on in (
        date(2026, 3, 17),
        date(2026, 3, 18),
    )
    assert told(known, limit_usd=Decimal(150)).reached_on == TODAY
    assert told(known, limit_usd=Decimal(1000)).reached_on is None
    assert told(known).reached_on is None


def test_counts_only_what_is_left_of_today() -> None:
    half = told(history(*[10] * 28), last_on=TODAY, remaining_of_today=Decimal("0.5"))

    assert half.expected_usd == pytest.approx(Decimal(155), abs=Decimal("0.01"))


@given(
    costs=st.lists(
        st.decimals(0, 10_000, places=12, allow_nan=False, allow_infinity=False),
        min_size=14,
        max_size=100,
    ),
    spent=st.decimals(0, 10_000, places=12, allow_nan=False, allow_infinity=False),
    days=st.integers(0, 366),
)
def test_never_tells_less_than_was_spent(costs: list[Decimal], spent: Decimal, days: int) -> None:
    begin = TODAY - timedelta(days=len(costs))
    known = [DayCost(begin + timedelta(days=n), cost) for n, cost in enumerate(costs)]
    window = Window(TODAY, TODAY + timedelta(days=days), spent, ONE)

    answer = forecast(history=known, window=window)

    if isinstance(answer, Forecast):
        assert spent <= answer.low_usd <= answer.high_usd
        assert spent <= answer.expected_usd
        assert answer.expected_usd.as_tuple().exponent == -12
