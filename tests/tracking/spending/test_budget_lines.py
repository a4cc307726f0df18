"""Budgets as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from budgets.limits.queries import Standing
from tracking.spending.budget_lines import (
    BudgetLine,
    budget_lines,
    first_to_bind,
    percent_text,
    span_text,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
NAMES = {
    "organization": "everyone in Acme",
    "user": "you",
    "project": "project X",
    "api_key": "key K",
}


def standing(**changes: Any) -> Standing:
    defaults: dict[str, Any] = {
        "budget_id": 1,
        "name": "Limit",
        "unit": "usd",
        "scope": "organization",
        "each": "",
        "subject": "",
        "model_pattern": "",
        "window": "month",
        "window_start": datetime(2026, 2, 28, 23, tzinfo=UTC),
        "blocks": True,
        "limit": Decimal(100),
        "spent": Decimal(0),
        "held": Decimal(0),
        "thresholds": (50, 80, 100),
    }
    amounts = {
        name: Decimal(value) if name in ("limit", "spent", "held") else value
        for name, value in changes.items()
    }
    return Standing(**(defaults | amounts))


def line(**changes: Any) -> BudgetLine:
    (only,) = budget_lines(standings=[standing(**changes)], names=NAMES, zone=BERLIN, now=NOW)
    return only


def test_resets_at_local_midnight_and_counts_the_hour_that_clocks_skip() -> None:
    # April begins in summer time, at 22:00 UTC.
    assert line().resets_at == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert line().resets_in == "11 d 10 h"


def test_never_resets_what_is_in_total() -> None:
    told = line(window="total", window_start=datetime(2000, 1, 1, tzinfo=UTC))

    assert (told.window, told.resets_at, told.resets_in) == ("in total", None, "")


@pytest.mark.parametrize(
    ("spent", "held", "state", "widths"),
    [
        ("0", "0", "within limit", ("0.000%", "0.000%")),
        ("68.8", "0.3", "within limit", ("68.800%", "0.300%")),
        ("79.9", "0.1", "nearly used up", ("79.900%", "0.100%")),
        ("60", "40", "all in flight", ("60.000%", "40.000%")),
        ("100", "0", "used up", ("100.000%", "0.000%")),
        ("130", "5", "used up", ("100.000%", "0.000%")),
    ],
)
def test_fills_the_bar_and_names_the_state(
    spent: str, held: str, state: str, widths: tuple[str, str]
) -> None:
    told = line(spent=spent, held=held)

    assert (told.state, (told.spent_width, told.held_width)) == (state, widths)


def test_is_used_up_when_nothing_may_be_spent() -> None:
    assert (line(limit="0").state, line(limit="0").spent_width) == ("used up", "100.000%")


@pytest.mark.parametrize(
    ("changes", "whose"),
    [
        ({}, "everyone in Acme"),
        ({"each": "user", "subject": "7"}, "you"),
        ({"scope": "user", "target": "7"}, "you"),
        ({"scope": "project"}, "project X"),
        ({"each": "model", "subject": "gpt-4o"}, "model gpt-4o"),
        ({"model_pattern": "openai/*"}, "everyone in Acme, only openai/*"),
    ],
)
def test_says_whose_the_budget_is(changes: dict[str, str], whose: str) -> None:
    changes.pop("target", None)

    assert line(**changes).whose == whose


def test_binds_first_where_least_is_left_and_calls_are_refused() -> None:
    roomy = standing(name="roomy", spent="10")
    tight = standing(name="tight", spent="90")
    tightest_but_warning = standing(name="warning", spent="99", blocks=False)

    assert first_to_bind(standings=[roomy, tightest_but_warning, tight], shared_only=False) == tight
    assert first_to_bind(standings=[tightest_but_warning], shared_only=True) == tightest_but_warning


def test_passes_over_budgets_that_not_every_call_falls_under() -> None:
    some = [
        standing(unit="requests"),
        standing(model_pattern="openai/*"),
        standing(each="model", subject="gpt-4o"),
        standing(each="tag", subject="x"),
    ]
    own = standing(each="user", subject="7")

    assert first_to_bind(standings=some, shared_only=False) is None
    assert first_to_bind(standings=[*some, own], shared_only=True) is None
    assert first_to_bind(standings=[*some, own], shared_only=False) == own


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(days=9, hours=4, minutes=59), "9 d 4 h"),
        (timedelta(hours=4, minutes=12, seconds=59), "4 h 12 min"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(seconds=-5), "less than a minute"),
    ],
)
def test_writes_a_span_in_its_two_largest_units(span: timedelta, text: str) -> None:
    assert span_text(span) == text


@pytest.mark.parametrize(
    ("part", "of", "text"),
    [
        ("412.6", "600", "68.8 %"),
        ("0", "600", "0 %"),
        ("0.000000000001", "600", "< 0.1 %"),
        ("-3", "600", "0 %"),
        ("3", "0", "0 %"),
        ("650", "600", "108.3 %"),
    ],
)
def test_writes_no_zero_for_what_is_not_nothing(part: str, of: str, text: str) -> None:
    assert percent_text(Decimal(part), of=Decimal(of)) == text
