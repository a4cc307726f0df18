"""What is usual: by weekday, through holidays and drift; and how well that tells anomalies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.benchmarks.anomalies import run
from tracking.anomalies.baseline import level_shift, usual_day, usual_hour
from tracking.usage.forecast import DayCost

MONDAY = date(2026, 1, 5)


def days(*costs: str | int) -> list[DayCost]:
    return [DayCost(MONDAY + timedelta(days=n), Decimal(cost)) for n, cost in enumerate(costs)]


def bound(history: Sequence[DayCost]) -> Decimal:
    usual = usual_day(history=history, weekday=(history[-1].on + timedelta(days=1)).weekday())
    assert usual is not None
    return usual.bound_usd


def test_knows_nothing_of_less_than_two_weeks_since_the_first_spend() -> None:
    assert usual_day(history=days(*[0] * 40, *[10] * 13), weekday=0) is None
    assert usual_day(history=days(*[0] * 40, *[10] * 14), weekday=0) is not None


def test_knows_nothing_where_most_days_have_no_spend() -> None:
    assert usual_day(history=days(*[10, 0, 0] * 10), weekday=0) is None


def test_tells_what_is_usual_in_dollars() -> None:
    usual = usual_day(history=days(*[10] * 28), weekday=0)

    assert usual is not None
    assert usual.usual_usd.quantize(Decimal("0.01")) == Decimal("10.00")
    assert usual.is_passed_by(Decimal(25))
    assert not usual.is_passed_by(Decimal(15))


def test_lets_small_amounts_be() -> None:
    assert bound(days(*["0.10"] * 28)) > Decimal("1.05")


def test_tells_weekdays_apart() -> None:
    history = days(*[100, 100, 100, 100, 100, 5, 5] * 6)

    on_saturday = usual_day(history=history, weekday=5)
    on_monday = usual_day(history=history, weekday=0)

    assert on_saturday is not None
    assert on_monday is not None
    assert on_saturday.is_passed_by(Decimal(100))
    assert not on_monday.is_passed_by(Decimal(130))


def test_a_spike_that_is_past_moves_nothing() -> None:
    assert bound(days(*[10, 11] * 14)) == bound(days(*[10, 11] * 12, 10, 900, 10, 11))


def test_back_from_a_holiday_is_usual() -> None:
    history = days(*[100] * 35, *[1] * 9)

    assert bound(history) > 100


def test_gets_used_to_a_new_level() -> None:
    history = days(*[10] * 28, *[40] * 9)

    assert bound(history) > 40


def test_an_hour_is_compared_with_its_like() -> None:
    likes = [Decimal(cost) for cost in ("2", "2.2", "1.9") * 4]
    usual = usual_hour(likes=likes, weeks=4, shift=0.0)

    assert usual is not None
    assert usual.is_passed_by(Decimal(20))
    assert not usual.is_passed_by(Decimal(5))


@pytest.mark.parametrize(("likes", "weeks"), [(["2"] * 6, 2), (["2", "0", "0"] * 6, 6)])
def test_knows_nothing_of_an_hour_without_enough_like_it(likes: list[str], weeks: int) -> None:
    assert usual_hour(likes=[Decimal(one) for one in likes], weeks=weeks, shift=0.0) is None


def test_a_level_that_has_risen_raises_what_is_usual_of_an_hour() -> None:
    risen = level_shift(history=days(*[10] * 35, *[30] * 7))
    fallen = level_shift(history=days(*[30] * 35, *[10] * 7))

    assert risen > 1
    assert fallen == 0


def test_tells_anomalies_and_little_else() -> None:
    """The benchmark on a few seeds of its own: docs/alerts.md has the figures of all."""
    found = run(seeds=5, first_seed=500)
    score = found["costsite"]["all"]

    assert score.precision >= 0.8
    assert score.recall >= 0.8
    assert score.false_in_60_days < 1
    for plain in ("mean + 3 sigma of 28 days", "3 x mean of 7 days"):
        assert score.precision > found[plain]["all"].precision
