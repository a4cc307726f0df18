"""Unusual spend on the page: with its cause and the way to its calls; each sees their own."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest

from budgets.tenancy.models import ApiKey, Organization, User
from tests import make
from tests.make import NOW
from tests.tracking.spending.pages import get, text
from tracking.anomalies.models import Anomaly

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


def anomaly(of: ApiKey, kind: str = "organization", subject: str = "", **fields: Any) -> Anomaly:
    defaults: dict[str, Any] = {
        "began_on": NOW.date(),
        "last_on": NOW.date(),
        "starts_at": NOW.replace(hour=9),
        "ends_at": NOW.replace(hour=10),
        "cost_usd": Decimal("41.5"),
        "usual_usd": Decimal("3.25"),
        "cause": ["API key Laptop: $38.00 more", "5.0 times the requests: 5 instead of 1 ($38.00)"],
        "found_at": NOW,
    }
    return Anomaly.objects.create(
        organization=of.organization, subject_kind=kind, subject=subject, **defaults | fields
    )


@pytest.fixture
def found(alice: ApiKey) -> Anomaly:
    make.call(key=alice)
    whole = anomaly(alice)
    anomaly(alice, "api_key", str(alice.pk), part_of=whole)
    return whole


def test_shows_what_was_unusual_and_why(alice: ApiKey, found: Anomaly) -> None:
    page = get(alice.user, "/spending/")

    told = text(page)
    assert "Unusual spend" in told
    assert "18 Mar, 09:00 to 10:00 Everybody together API key Laptop: $38.00 more ·" in told
    assert "$41.50 $3.25" in told
    assert told.count("Everybody together") == 1


def test_leads_to_the_calls(alice: ApiKey, found: Anomaly) -> None:
    page = get(alice.user, "/spending/", key=alice.pk).content.decode()

    (link,) = re.findall(r'href="(/spending/calls/\?[^"]*)">Show<', page)
    address = unescape(link)
    assert f"key={alice.pk}" in address
    assert "from=2026-03-18&to=2026-03-18" in address
    assert get(alice.user, address).status_code == 200


def test_says_nothing_where_nothing_was(alice: ApiKey, found: Anomaly) -> None:
    assert "Unusual spend" not in text(
        get(alice.user, "/spending/", from_="2026-03-01", to="2026-03-17")
    )


def test_shows_members_only_their_own(alice: ApiKey, bob: ApiKey, found: Anomaly) -> None:
    make.call(key=bob)
    assert "Unusual spend" not in text(get(bob.user, "/spending/"))

    anomaly(bob, "api_key", str(bob.pk))
    assert "API key Notebook" in text(get(bob.user, "/spending/"))


def test_shows_other_organizations_nothing(acme: Organization, found: Anomaly, carol: User) -> None:
    assert "Unusual spend" not in text(get(carol, "/spending/"))
