"""Holds and the journal in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from budgets.holds.models import Hold, JournalEntry
from budgets.holds.operations import expire
from budgets.tenancy.models import ApiKey
from tests import make
from tests.admin_pages import list_of, page_of, superuser, text_of

pytestmark = pytest.mark.django_db

LATER = make.NOW + timedelta(hours=1)


@pytest.fixture
def key() -> ApiKey:
    return make.key(of=make.organization(), user=make.user())[0]


def found(model: Any, query: str) -> list[Any]:
    return list(superuser().get(f"{list_of(model)}?{query}").context["cl"].result_list)


def test_tells_unconfirmed_estimates_from_corrected_ones(key: ApiKey) -> None:
    charged, forgotten, late = (make.held_call(key=key, usd="1") for _ in range(3))
    make.charge(key=key, request=charged, usd="0.5")
    assert expire(now=LATER) == 2
    make.charge(key=key, request=late, usd="0.25", at=LATER)

    assert [entry.request_id for entry in found(JournalEntry, "estimate=unconfirmed")] == [
        forgotten
    ]
    assert [entry.request_id for entry in found(JournalEntry, "estimate=corrected")] == [late]
    assert len(found(JournalEntry, "estimate=nonsense")) == 4


def test_shows_all_that_was_booked_for_a_request(key: ApiKey) -> None:
    make.budget(limit="5", organization=key.organization, name="Lid")
    request = make.held_call(key=key, usd="1")
    expire(now=LATER)
    make.charge(key=key, request=request, usd="0.25", at=LATER)
    first, second = JournalEntry.objects.order_by("seq")

    html = text_of(superuser(), page_of(first))

    assert page_of(second) in html
    assert '<span title="$-0.750000000000">-$0.75</span>' in html
    assert "estimate (unconfirmed)" in html
    assert "Lid" in html


@pytest.mark.parametrize("model", [Hold, JournalEntry])
def test_finds_calls_by_whole_words(key: ApiKey, model: Any) -> None:
    request = make.held_call(key=key, usd="1", model="demo/small")
    other = make.organization(slug="other", owner=make.user(name="carol"))
    carols, _ = make.key(of=other, user=make.user(name="carol"), name="Desktop")
    elsewhere = make.held_call(key=carols, usd="1", model="demo/large")
    if model is JournalEntry:
        make.charge(key=key, request=request, usd="1")
        make.charge(key=carols, request=elsewhere, usd="1")

    for term in (
        str(request),
        request.hex,
        "alice@example.org",
        "Alice@example.org",
        "Laptop",
        key.lookup_id,
        key.masked,
        "acme",
        "demo/small",
    ):
        assert [row.request_id for row in found(model, f"q={term}")] == [request], term
    assert len(found(model, "q=")) == 2
    for term in ("demo", "nobody@example.org", str(make.request_id())):
        assert found(model, f"q={term}") == [], term


def test_marks_holds_that_the_sweeper_should_have_taken(key: ApiKey) -> None:
    make.held_call(key=key, usd="1")

    html = text_of(superuser(), list_of(Hold))

    assert 'alt="True"' in html
    assert "2026-03-18 12:01:00" in html
