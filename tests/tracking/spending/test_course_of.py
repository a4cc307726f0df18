"""The sums of days as lines, beside the days before, the forecast and the limit."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from tracking.spending.course import Beside, Course, course_of
from tracking.usage.forecast import Forecast
from tracking.usage.terms import DayFigures, Figures

FIRST = date(2026, 3, 1)
TOLD = Forecast(
    expected_usd=Decimal(30),
    low_usd=Decimal(20),
    high_usd=Decimal(40),
    last_on=FIRST + timedelta(days=3),
    reached_on=None,
    earliest_on=None,
    days_known=30,
)


def course(*costs: str, past: int = 99, beside: Beside = Beside()) -> Course | None:  # noqa: B008  a constant
    days = [
        DayFigures(FIRST + timedelta(days=n), Figures(cost_usd=Decimal(cost), calls=1))
        for n, cost in enumerate(costs)
    ]
    return course_of(days=days, today=FIRST + timedelta(days=past - 1), beside=beside)


def test_adds_up_day_by_day_from_nothing() -> None:
    drawn = course("5", "0", "10", "5")

    assert drawn
    assert drawn.spent == ("0.000,100.000 25.000,75.000 50.000,75.000 75.000,25.000 100.000,0.000")
    assert drawn.area == f"{drawn.spent} 100.000,100.000"
    assert (drawn.before, drawn.band, drawn.likely, drawn.limit_place) == ("", "", "", "")
    assert drawn.summary == "$20.00"


def test_ends_today_and_goes_on_as_forecast() -> None:
    drawn = course("5", "5", "0", "0", past=2, beside=Beside(forecast=TOLD))

    assert drawn
    assert drawn.spent.split()[-1] == "50.000,75.000"
    assert drawn.band == "50.000,75.000 100.000,0.000 100.000,50.000"
    assert drawn.likely == "50.000,75.000 100.000,25.000"
    assert drawn.summary == "$10.00; likely $30.00 at the end ($20.00 to $40.00)"


def test_stands_beside_the_days_before_and_the_limit() -> None:
    before = [Decimal(n) for n in (4, 4, 4, 8)]
    drawn = course("5", "5", past=2, beside=Beside(before=before[:2], limit_usd=Decimal(20)))

    assert drawn
    assert drawn.before == "0.000,100.000 50.000,80.000 100.000,60.000"
    assert drawn.limit_place == "0.000"
    assert drawn.summary == "$10.00; $8.00 by then in the days before; the limit is $20.00"


def test_leaves_out_a_limit_that_is_far_away_but_tells_it() -> None:
    drawn = course("5", "5", beside=Beside(limit_usd=Decimal(1000)))

    assert drawn
    assert drawn.limit_place == ""
    assert "the limit is $1,000.00" in drawn.summary


def test_draws_no_line_of_one_day_or_of_days_to_come() -> None:
    assert course("5") is None
    assert course("0", "0", past=0) is None


def test_stays_on_the_ground_where_refunds_outweigh() -> None:
    drawn = course("-5", "5")

    assert drawn
    assert drawn.spent == "0.000,100.000 50.000,100.000 100.000,100.000"
