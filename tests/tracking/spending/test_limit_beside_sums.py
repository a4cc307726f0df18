"""The limit in the chart of sums: only where it counts the calls that are drawn."""

from __future__ import annotations

import pytest

from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.tracking.spending.pages import get, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


def test_draws_a_limit_only_where_it_counts_what_is_drawn(
    acme: Organization, alice: ApiKey, bob: ApiKey
) -> None:
    side = make.project(of=acme, slug="side")
    for key in (alice, bob, make.key(of=acme, user=alice.user, in_project=side)[0]):
        make.call(key=key)

    # The plan's allowance is each person's own.
    assert "the limit is $100.00" not in text(get(alice.user, "/spending/"))
    assert "the limit is $100.00" in text(get(alice.user, "/spending/", user=bob.user_id))
    assert "the limit is $100.00" in text(get(bob.user, "/spending/"))

    make.budget(organization=acme, limit="50", name="Acme together")
    assert "the limit is $50.00" in text(get(alice.user, "/spending/"))
    for user, filters in (
        (bob.user, {}),
        (alice.user, {"project": side.pk}),
        (alice.user, {"user": bob.user_id}),
        (alice.user, {"model": "gpt-4o-mini"}),
    ):
        page = text(get(user, "/spending/", **filters))
        assert "Acme together" in page
        assert "the limit is" not in page

    make.budget(organization=acme, limit="5", name="Side", scope="project", target=side.pk)
    lead = make.member(of=acme, name="lena", role="lead")
    side.leads.add(lead.memberships.get())
    assert "the limit is $5.00" in text(get(lead, "/spending/", project=side.pk))
    assert "the limit is" not in text(get(lead, "/spending/"))
