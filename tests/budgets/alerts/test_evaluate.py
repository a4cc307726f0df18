"""Thresholds, crossings, quiet hours and waits, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.alerts.evaluate import (
    TRIES_FOR,
    Judgement,
    Threshold,
    judge,
    quiet_until,
    thresholds_of,
    thresholds_of_budget,
    wait_before_next_try,
)

FIFTY, EIGHTY, FULL = thresholds_of_budget([50, 80, 100])
ALL = [FIFTY, EIGHTY, FULL]
NOTHING = Judgement(None, frozenset())
BERLIN = ZoneInfo("Europe/Berlin")

figures = st.decimals(min_value=-200, max_value=200, places=2)


def seen(value: int, before: int | None, open_at: set[int] | None = None) -> Judgement:
    return judge(
        thresholds=ALL,
        value=Decimal(value),
        before=None if before is None else Decimal(before),
        open_at={Decimal(at) for at in open_at or ()},
    )


def test_tells_a_threshold_that_is_reached() -> None:
    assert seen(49, 10) == NOTHING
    assert seen(50, 49).opens == FIFTY


def test_tells_the_highest_of_several_that_a_jump_crosses() -> None:
    assert seen(95, 10).opens == EIGHTY
    assert seen(300, 10).opens == FULL


def test_tells_the_next_one_although_a_lower_one_was_told_a_moment_ago() -> None:
    assert seen(81, 79, {50}).opens == EIGHTY


def test_tells_nothing_twice() -> None:
    assert seen(60, 55, {50}) == NOTHING
    assert seen(60, 60, {50}) == NOTHING


def test_tells_what_is_reached_already_when_it_looks_for_the_first_time() -> None:
    assert seen(85, None).opens == EIGHTY


def test_tells_no_lower_threshold_when_it_looks_anew_at_what_was_told() -> None:
    assert seen(85, None, {80}) == NOTHING


def test_lets_recover_what_no_longer_holds() -> None:
    assert seen(55, 85, {50, 80}) == Judgement(None, frozenset({Decimal(80)}))
    assert seen(0, 85, {80}).recovered == {Decimal(80)}


def test_lets_everything_recover_when_all_is_well() -> None:
    judgement = judge(
        thresholds=ALL, value=None, before=Decimal(90), open_at={Decimal(50), Decimal(80)}
    )

    assert judgement == Judgement(None, frozenset({Decimal(50), Decimal(80)}))


def test_reads_less_as_worse_where_days_are_left() -> None:
    days = [Threshold(Decimal(1), "critical"), Threshold(Decimal(7), "warning")]

    def left(value: str, before: str | None, *open_at: int) -> Judgement:
        return judge(
            thresholds=days,
            value=Decimal(value),
            before=None if before is None else Decimal(before),
            open_at={Decimal(at) for at in open_at},
            falls=True,
        )

    assert left("7.5", "8") == NOTHING
    assert left("6.9", "7.1").opens == days[1]
    assert left("0.5", "9").opens == days[0]
    assert left("0.5", "0.6", 7, 1) == NOTHING
    assert left("30", "0.5", 7, 1).recovered == {Decimal(1), Decimal(7)}


@given(
    values=st.lists(figures, min_size=1, max_size=30),
    at=st.sets(figures, min_size=1, max_size=5),
    falls=st.booleans(),
)
def test_tells_a_series_no_more_and_no_less_than_its_worst_moments(
    values: list[Decimal], at: set[Decimal], falls: bool
) -> None:
    """Against a plain rule: at each step, the worst threshold of those that were not held before."""
    thresholds = [Threshold(one, "info") for one in sorted(at)]
    sign = -1 if falls else 1
    before, open_at, held = None, set[Decimal](), set[Decimal]()
    for value in values:
        judgement = judge(
            thresholds=thresholds, value=value, before=before, open_at=open_at, falls=falls
        )
        reached = {one for one in at if sign * value >= sign * one}
        fresh = reached - held
        assert (judgement.opens.at if judgement.opens else None) == (
            max(fresh, key=lambda one: sign * one) if fresh else None
        )
        assert judgement.recovered == open_at - reached
        open_at = (open_at - judgement.recovered) | (
            {judgement.opens.at} if judgement.opens else set()
        )
        before, held = value, reached


def test_takes_the_highest_level_of_a_figure_that_has_several() -> None:
    listed = thresholds_of(
        info_at=[Decimal(5), Decimal(10)], warning_at=[Decimal("10.00")], critical_at=[Decimal(1)]
    )

    assert [(one.at, one.level) for one in listed] == [
        (Decimal(1), "critical"),
        (Decimal(5), "info"),
        (Decimal(10), "warning"),
    ]


def test_reads_a_budgets_own_thresholds() -> None:
    assert [one.level for one in ALL] == ["info", "warning", "critical"]
    assert thresholds_of_budget([120, 120])[0].level == "critical"


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-03-18 21:59", None),
        ("2026-03-18 22:00", "2026-03-19 07:00"),
        ("2026-03-19 00:30", "2026-03-19 07:00"),
        ("2026-03-19 06:59", "2026-03-19 07:00"),
        ("2026-03-19 07:00", None),
        # Clocks go forward at 2: the night is an hour shorter, and ends by the clock on the wall.
        ("2026-03-28 23:00", "2026-03-29 07:00"),
        ("2026-10-25 01:00", "2026-10-25 07:00"),
    ],
)
def test_is_quiet_through_the_night(now: str, end: str | None) -> None:
    local = datetime.fromisoformat(now).replace(tzinfo=BERLIN).astimezone(UTC)
    quiet = quiet_until(starts=time(22), ends=time(7), zone=BERLIN, now=local)

    expected = end and datetime.fromisoformat(end).replace(tzinfo=BERLIN)
    assert quiet == expected


def test_is_quiet_within_a_day() -> None:
    at = datetime(2026, 3, 18, 13, 0, tzinfo=UTC)

    assert quiet_until(starts=time(12), ends=time(14), zone=ZoneInfo("UTC"), now=at) == at.replace(
        hour=14
    )
    assert quiet_until(starts=time(14), ends=time(15), zone=ZoneInfo("UTC"), now=at) is None
    assert quiet_until(starts=None, ends=None, zone=BERLIN, now=at) is None
    assert quiet_until(starts=time(9), ends=time(9), zone=BERLIN, now=at) is None


def test_waits_longer_after_every_try_and_gives_up_after_two_days() -> None:
    waits = [wait_before_next_try(attempts=number, jitter=0.5) for number in range(1, 40)]

    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=15)
    assert wait_before_next_try(attempts=1, jitter=0) < waits[0]
    tries, waited = 0, timedelta()
    while waited + waits[tries] <= TRIES_FOR:
        waited += waits[tries]
        tries += 1
    assert 10 <= tries <= 20
