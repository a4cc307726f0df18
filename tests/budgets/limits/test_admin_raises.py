"""Limits raised for a while, and budgets retired, in the admin."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from budgets.core.clock import now
from budgets.limits.models import Budget, LimitRaise
from budgets.plans.models import Plan
from budgets.tenancy.models import Organization
from tests import make
from tests.admin_pages import act, list_of, page_of, staff, submit, superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    return make.organization()


@pytest.fixture
def budget(acme: Organization) -> Budget:
    return make.budget(limit="1", organization=acme, name="Lid")


def raise_it(budget: Budget, *, client: Client | None = None, **fields: Any) -> Any:
    end = now() + timedelta(days=1)
    wanted = {"amount": "5", "ends_at_0": f"{end:%Y-%m-%d}", "ends_at_1": f"{end:%H:%M}"}
    row = wanted | {"reason": "Launch week"} | fields
    named = {f"raises-0-{name}": value for name, value in row.items()}
    return submit(client or superuser(), page_of(budget), **named)


def can_hold(organization: Organization, usd: str) -> None:
    key, _ = make.key(of=organization, user=make.user())
    make.held_call(key=key, usd=usd, at=now() + timedelta(seconds=1))


def test_raises_a_limit_at_once(acme: Organization, budget: Budget) -> None:
    assert raise_it(budget).status_code == 302

    made = LimitRaise.objects.get()
    assert (made.amount, made.reason, str(made.made_by)) == (
        Decimal(5),
        "Launch week",
        "root@example.org",
    )
    assert abs(made.starts_at - now()) < timedelta(minutes=1)
    budget.refresh_from_db()
    assert budget.raised_until == made.ends_at
    can_hold(acme, "6")
    for address in (page_of(budget), list_of(LimitRaise), page_of(made)):
        assert "Launch week" in text_of(superuser(), address)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"amount": "0"}, "A raise adds an amount"),
        ({"reason": ""}, "This field is required"),
        ({"ends_at_0": "2020-01-01"}, "This is in the past"),
        ({"starts_at_0": "2990-01-01", "starts_at_1": "00:00"}, "A raise ends after it starts"),
        ({"subject": "alice@example.org"}, "Nobody has a balance of their own"),
    ],
)
def test_says_in_the_form_why_not(budget: Budget, fields: dict[str, Any], told: str) -> None:
    answer = raise_it(budget, **fields)

    assert told in answer.content.decode()
    assert not LimitRaise.objects.exists()


def test_raises_for_one_person_of_one_organization_on_a_plan(acme: Organization) -> None:
    plan = Plan.objects.get(code="house")
    budget = make.budget(limit="1", plan=plan, each="user")
    bob = make.member(of=acme)
    other = make.organization(slug="other", owner=make.user(name="carol"))

    alone = raise_it(budget, subject="bob@example.org")
    elsewhere = raise_it(budget, organization=str(other.pk), subject="bob@example.org")
    right = raise_it(budget, organization=str(acme.pk), subject="BOB@example.org")

    assert "Name the organization of the subject" in alone.content.decode()
    assert "has no such member" in elsewhere.content.decode()
    assert right.status_code == 302
    assert LimitRaise.objects.get().subject == str(bob.pk)
    assert "Acme, bob@example.org" in text_of(superuser(), list_of(LimitRaise))


def test_refuses_another_organization_than_the_budgets(budget: Budget) -> None:
    other = make.organization(slug="other", owner=make.user(name="carol"))

    answer = raise_it(budget, organization=str(other.pk))

    assert "The budget belongs to Acme" in answer.content.decode()


def test_ends_a_raise_once_it_is_confirmed(budget: Budget) -> None:
    raise_it(budget)
    made = LimitRaise.objects.get()
    client = superuser()

    assert "End these raises now?" in act(client, "end", made).content.decode()
    made.refresh_from_db()
    assert made.ends_at > now()
    act(client, "end", made, confirmed="yes")

    made.refresh_from_db()
    assert made.ends_at <= now()
    assert "Launch week" not in text_of(client, f"{list_of(LimitRaise)}?time=now")
    assert "Launch week" in text_of(client, f"{list_of(LimitRaise)}?time=past")


def test_lets_only_those_raise_and_end_who_may(budget: Budget) -> None:
    raise_it(budget)
    made = LimitRaise.objects.get()
    viewer = staff("view_limitraise", "change_budget", "view_budget")

    act(viewer, "end", made, confirmed="yes")
    made.refresh_from_db()

    assert made.ends_at > now()
    assert "raises-1-amount" not in text_of(viewer, page_of(budget))


def test_retires_a_budget_once_it_is_confirmed(acme: Organization, budget: Budget) -> None:
    client = superuser()

    assert "Retire these budgets?" in act(client, "retire", budget).content.decode()
    assert Budget.objects.filter(pk=budget.pk, active=True).exists()
    act(client, "retire", budget, confirmed="yes")

    budget.refresh_from_db()
    assert not budget.active
    can_hold(acme, "100")
    assert budget.limit_amount == Decimal(1)
