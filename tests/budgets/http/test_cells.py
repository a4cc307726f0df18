"""Amounts, instants and small tables, as the admin writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from budgets.http.cells import day, instant, share, table, usd


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("1234.5", '<span title="$1234.500000000000">$1,234.50</span>'),
        ("0.000000000001", '<span title="$0.000000000001">$0.000000000001</span>'),
        ("0", '<span title="$0.000000000000">$0.00</span>'),
    ],
)
def test_writes_money_for_people_with_all_places_in_the_title(amount: str, written: str) -> None:
    assert usd(Decimal(amount)) == written


def test_writes_instants_in_utc() -> None:
    at = datetime(2026, 3, 18, 1, 30, 5, tzinfo=timezone(timedelta(hours=2)))

    assert ">2026-03-17 23:30:05<" in instant(at)
    assert ">2026-03-17<" in day(at)
    assert instant(at.astimezone(UTC)) == instant(at)


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [("0", "10", "0"), ("2.5", "10", "25"), ("12", "10", "120"), ("1", "0", "100")],
)
def test_says_the_share_in_words_too(part: str, whole: str, percent: str) -> None:
    assert share(Decimal(part), Decimal(whole)).endswith(f"{percent}\u00a0%")


def test_writes_a_dash_for_nothing() -> None:
    assert [usd(None), instant(None), day(None), table(head=["A"], rows=[])] == ["-"] * 4


def test_escapes_what_it_is_given() -> None:
    assert "<td>&lt;b&gt;</td>" in table(head=["A"], rows=[["<b>"]])
