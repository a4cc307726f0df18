"""Budgets and balances in the admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from budgets.core.clock import now
from budgets.limits.models import Balance, Budget
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.admin_pages import list_of, new, page_of, submit, superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    organization = make.organization()
    make.member(of=organization)
    return organization


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user())[0]


def add(**fields: Any) -> Any:
    client = superuser()
    # The page offers organizations through a search; the browser sends the one that was found.
    wanted = {"name": "Cap", "limit_amount": "5"} | fields
    return submit(client, new(Budget), **wanted)


def test_names_a_member_a_project_or_a_key_in_words(acme: Organization, key: ApiKey) -> None:
    project = make.project(of=acme)
    bob = make.user(name="bob")

    for scope, target, stored in (
        ("user", "BOB@example.org", bob.pk),
        ("project", "default", project.pk),
        ("api_key", key.masked, key.pk),
        ("api_key", key.lookup_id, key.pk),
        ("tag", "night", "night"),
    ):
        answer = add(organization=str(acme.pk), scope=scope, target=target)
        assert answer.status_code == 302, (scope, target)
        assert Budget.objects.latest("pk").target == str(stored)

    html = text_of(superuser(), list_of(Budget))
    for words in (
        "user bob@example.org",
        "project default",
        f"API key {key.lookup_id}",
        "tag night",
    ):
        assert words in html


def test_refuses_a_target_of_another_organization(acme: Organization) -> None:
    carol = make.user(name="carol")
    make.organization(slug="other", owner=carol)

    answer = add(organization=str(acme.pk), scope="user", target=carol.email)

    assert "has no such member" in answer.content.decode()
    assert not Budget.objects.filter(name="Cap").exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"each": "user", "window": "rolling"}, "Say how many days"),
        ({"organization": "acme", "plan": "house"}, "belongs to an organization or to a plan"),
        ({"organization": "acme", "scope": "user"}, "Name a target for a narrower scope"),
        ({"organization": "acme", "target": "night"}, "Name a target for a narrower scope"),
        ({"plan": "house", "scope": "tag", "target": "night"}, "Name a target for a narrower"),
        ({"organization": "acme", "thresholds": "0"}, "Item 1 in the array did not validate"),
    ],
)
def test_says_in_the_form_what_is_wrong(
    acme: Organization, fields: dict[str, str], told: str
) -> None:
    ids = {"acme": str(acme.pk), "house": str(acme.plan.pk)}

    answer = add(**{name: ids.get(value, value) for name, value in fields.items()})

    assert answer.status_code == 200
    assert told in answer.content.decode()


def test_counts_what_was_spent_before_it_was_made(acme: Organization, key: ApiKey) -> None:
    at = now()
    make.charge(key=key, request=make.held_call(key=key, usd="2", at=at), usd="2", at=at)

    add(organization=str(acme.pk))

    assert Balance.objects.get(budget__name="Cap").spent == 2


def test_changes_the_limit_of_a_narrow_budget_and_nothing_else(
    acme: Organization, key: ApiKey
) -> None:
    budget = make.budget(
        limit="5", organization=acme, scope="api_key", target=str(key.pk), name="Cap"
    )

    answer = submit(superuser(), page_of(budget), limit_amount="7.5")

    assert answer.status_code == 302
    budget.refresh_from_db()
    assert (budget.limit_amount, budget.scope, budget.target) == (
        Decimal("7.5"),
        "api_key",
        str(key.pk),
    )


def test_finds_balances_that_are_used_up(acme: Organization, key: ApiKey) -> None:
    make.budget(limit="1", organization=acme, name="Used up")
    make.budget(limit="10", organization=acme, name="Hardly touched")
    make.held_call(key=key, usd="1")
    client = superuser()

    assert "Hardly touched" in text_of(client, list_of(Balance))
    for share in ("0.5", "0.8", "1"):
        html = text_of(client, f"{list_of(Balance)}?use={share}")
        assert "Used up" in html
        assert "Hardly touched" not in html


def test_finds_balances_by_user_organization_or_budget(acme: Organization, key: ApiKey) -> None:
    make.budget(limit="1", organization=acme, name="For each", each="user")
    make.held_call(key=key, usd="0.25")
    client = superuser()

    for term in ("alice@example.org", "acme", "Acme", "for each"):
        assert "Acme: alice@example.org" in text_of(client, f"{list_of(Balance)}?q={term}")
    for term in ("carol@example.org", "nobody"):
        assert "None found" in text_of(client, f"{list_of(Balance)}?q={term}")


def test_shows_money_with_all_places_in_the_title(acme: Organization, key: ApiKey) -> None:
    make.budget(limit="1", organization=acme)
    make.held_call(key=key, usd="0.000012345678")

    html = text_of(superuser(), list_of(Balance))

    assert '<span title="$0.000012345678">$0.000012</span>' in html
    assert '<span title="$1.000000000000">$1.00</span>' in html
