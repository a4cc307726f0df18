"""Reading what an address asks to see."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.spending.selection import (
    MOST_DAYS,
    Selection,
    SelectionInvalid,
    parse,
    this_month,
)
from tracking.usage.question import place_text
from tracking.usage.terms import Place

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 18)


def parsed(**params: str) -> Selection:
    named = {name.rstrip("_"): text for name, text in params.items()}
    return parse(params=named, today=TODAY, zone=BERLIN)


def days(**params: str) -> tuple[str, str]:
    selected = parsed(**params).days
    return selected.first_on.isoformat(), selected.last_on.isoformat()


def test_takes_nothing_for_the_whole_month() -> None:
    assert parsed() == this_month(today=TODAY, zone=BERLIN)
    assert days() == ("2026-03-01", "2026-03-31")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("this-month", ("2026-03-01", "2026-03-31")),
        ("last-month", ("2026-02-01", "2026-02-28")),
        ("last-7-days", ("2026-03-12", "2026-03-18")),
        ("last-30-days", ("2026-02-17", "2026-03-18")),
    ],
)
def test_knows_the_named_periods(period: str, expected: tuple[str, str]) -> None:
    assert days(period=period) == expected


@pytest.mark.parametrize(
    ("today", "expected"),
    [("2026-01-31", "2025-12-01"), ("2026-12-31", "2026-11-01"), ("2028-03-01", "2028-02-01")],
)
def test_finds_the_month_before_across_years(today: str, expected: str) -> None:
    selection = parse(params={"period": "last-month"}, today=date.fromisoformat(today), zone=BERLIN)

    assert selection.days.first_on.isoformat() == expected
    assert selection.days.last_on == date.fromisoformat(expected).replace(
        day=selection.days.last_on.day
    )


def test_takes_own_days_before_a_named_period() -> None:
    assert days(from_="2026-01-05", to="2026-02-01", period="last-month") == (
        "2026-01-05",
        "2026-02-01",
    )
    assert parsed(from_="2026-01-05").days.last_on == TODAY
    assert parsed(from_="2026-05-05").days.last_on == date(2026, 5, 5)


def test_takes_empty_fields_of_a_form_as_not_given() -> None:
    assert parsed(project="", user=" ", from_="", to="", before="") == parsed()


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"period": "decade"}, "no period “decade”"),
        ({"from_": "yesterday"}, "“yesterday” is no day"),
        ({"from_": "2026-02-30"}, "is no day"),
        ({"to": "2026-02-01"}, "Say from which day on"),
        ({"from_": "2026-02-02", "to": "2026-02-01"}, "lies after"),
        ({"from_": "0001-01-01"}, "too far away"),
        ({"from_": "2026-01-01", "to": "9999-12-31"}, "too far away"),
        ({"from_": "2025-01-01", "to": "2026-12-31"}, "730 days; at most 366"),
        ({"project": "x"}, "no project “x”"),
        ({"user": "-1"}, "no user"),
        ({"key": "9" * 19}, "no key"),
        ({"key": "²"}, "no key"),
        ({"model": "m" * 161}, "no model"),
        ({"model": "a\x00b"}, "no model"),
        ({"before": "now"}, "does not go on there"),
        ({"before": "1-"}, "does not go on there"),
        ({"before": f"{'9' * 30}-1"}, "does not go on there"),
    ],
)
def test_says_what_makes_no_sense(params: dict[str, str], says: str) -> None:
    with pytest.raises(SelectionInvalid, match=says):
        parsed(**params)


@given(
    params=st.dictionaries(
        st.sampled_from(["period", "from", "to", "project", "user", "key", "model", "before"]),
        st.text(max_size=40) | st.from_regex(r"\d{1,20}(-\d{1,20}){0,2}", fullmatch=True),
    )
)
def test_understands_or_refuses_whatever_is_sent(params: dict[str, str]) -> None:
    try:
        selection = parse(params=params, today=TODAY, zone=BERLIN)
    except SelectionInvalid:
        return
    assert 1 <= selection.days.count <= MOST_DAYS


def test_writes_an_address_that_reads_back_the_same() -> None:
    for params in (
        {},
        {"period": "last-7-days", "model": "openai/gpt 4 & more"},
        {"from": "2026-01-05", "to": "2026-02-01", "project": "3", "user": "2", "key": "1"},
    ):
        selection = parse(params=params, today=TODAY, zone=BERLIN)

        assert selection.params == params
        assert parse(params=selection.params, today=TODAY, zone=BERLIN) == selection


@given(
    microseconds=st.integers(min_value=0, max_value=4_000_000_000_000_000),
    entry_id=st.integers(min_value=1, max_value=2**63 - 1),
)
def test_finds_its_place_in_a_list_again_to_the_microsecond(
    microseconds: int, entry_id: int
) -> None:
    admitted_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    place = Place(admitted_at, entry_id)

    assert parsed(before=place_text(place)).before == place


def test_reads_groups_names_and_comparison() -> None:
    selected = parsed(group="tag", tag="blue", end_user="dave", compare="previous")

    assert (selected.group, selected.compares) == ("tag", True)
    assert selected.names == {"tag": "blue", "end_user": "dave"}
    assert parsed(**selected.params) == selected


@pytest.mark.parametrize(
    "wrong", [{"group": "weather"}, {"group": "waste"}, {"compare": "next"}, {"tag": "x" * 161}]
)
def test_refuses_groups_names_and_comparisons_that_are_none(wrong: dict[str, str]) -> None:
    with pytest.raises(SelectionInvalid):
        parsed(**wrong)
