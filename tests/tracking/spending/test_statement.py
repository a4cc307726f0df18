"""The statement of a month: charged, adjusted, and for what, to the last digit."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from budgets.holds import operations as holds
from budgets.tenancy.models import ApiKey, Organization, User
from tests import make
from tests.tracking.spending.pages import get, text
from tracking.pricing.usage import Usage as Used

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

PAGE = "/spending/statement/"


def exact(page: str, name: str) -> Decimal:
    found = re.search(rf"{name} (-?)\$([0-9.]+)", page)
    assert found, page
    return Decimal(f"{found[1]}{found[2]}")


def test_adds_charges_and_adjustments_up(acme: Organization, alice: ApiKey, bob: ApiKey) -> None:
    request, first = make.call(key=alice)
    _, second = make.call(key=bob, model="b", used=Used(input_tokens=7))
    refund = Decimal("-0.000000000001")
    holds.adjust(
        adjustment=holds.Adjustment(acme, request, "refund", refund, "Goodwill", None),
        now=make.NOW,
    )
    make.call(key=alice, at=make.NOW - timedelta(days=31), model="february")

    page = text(get(alice.user, PAGE, month="2026-03"))

    assert exact(page, "Charged for 2 calls") == first + second
    assert exact(page, "Refund") == refund
    assert exact(page, "Total in US dollars") == first + second + refund
    for part in ("Projects", "People", "Models"):
        assert part in page
    assert "february" not in page
    assert "This month is not over" in page


def test_is_of_the_last_month_unless_told(alice: ApiKey) -> None:
    make.call(key=alice, at=make.NOW - timedelta(days=31), model="february")

    page = get(alice.user, PAGE)
    assert "Statement for February 2026" in text(page)
    assert "february" in text(page)
    assert "not over" not in text(page)
    assert 'href="?month=2026-01"' in page.content.decode()
    assert 'href="?month=2026-03"' in page.content.decode()


@pytest.mark.parametrize("month", ["2026-3", "2026-13", "soon", "2026-04", "1999-12", "٢٠٢٦-٠٣"])
def test_says_which_month_makes_no_sense(alice: ApiKey, month: str) -> None:
    page = get(alice.user, PAGE, month=month)

    assert page.status_code == 400
    assert "Shown is the last month." in text(page)


def test_shows_what_its_reader_may_see(
    acme: Organization, alice: ApiKey, bob: ApiKey, carol: User
) -> None:
    make.call(key=alice, model="canary-alice")
    side = make.project(of=acme, slug="side")
    make.call(key=make.key(of=acme, user=bob.user, in_project=side)[0], model="canary-side")
    make.call(key=bob, model="canary-bob")

    assert "canary-alice" not in text(get(bob.user, PAGE, month="2026-03"))
    of_project = text(get(alice.user, PAGE, month="2026-03", project=side.pk))
    assert "canary-side" in of_project
    assert "canary-bob" not in of_project
    assert get(carol, PAGE, organization="acme").status_code == 404
    assert get(carol, PAGE, project=side.pk).status_code == 404
    assert get(alice.user, PAGE, project="x").status_code == 404
    assert get(None, PAGE).status_code == 302
    assert "not a member" in text(get(make.user(name="nobody"), PAGE))
