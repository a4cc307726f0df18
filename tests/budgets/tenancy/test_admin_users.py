"""People in the admin."""

from __future__ import annotations

import pytest
from django.test import Client

from budgets.tenancy.models import User
from tests import make
from tests.admin_pages import new, page_of, staff, submit, superuser, text_of

pytestmark = pytest.mark.django_db

PASSWORD = "a-long-enough-pass-phrase"


def test_makes_a_user_who_signs_in_with_an_e_mail_address() -> None:
    answer = submit(
        superuser(),
        new(User),
        email="dora@example.org",
        name="Dora",
        password1=PASSWORD,
        password2=PASSWORD,
    )

    assert answer.status_code == 302
    assert Client().login(username="dora@example.org", password=PASSWORD)


def test_makes_a_user_without_a_password() -> None:
    submit(superuser(), new(User), email="dora@example.org", usable_password="false")

    assert not User.objects.get(email="dora@example.org").has_usable_password()


def test_refuses_an_address_that_is_taken_in_any_case() -> None:
    make.user(name="alice")

    answer = submit(
        superuser(), new(User), email="Alice@Example.org", password1=PASSWORD, password2=PASSWORD
    )

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()


def test_sets_another_password() -> None:
    alice = make.user(name="alice")
    client = superuser()

    answer = submit(
        client,
        page_of(alice).replace("change", "password"),
        password1=PASSWORD,
        password2=PASSWORD,
    )

    assert answer.status_code == 302
    assert Client().login(username="alice@example.org", password=PASSWORD)


def test_names_the_organizations_a_user_belongs_to() -> None:
    make.organization(owner=make.user(name="alice"))

    html = text_of(superuser(), page_of(make.user(name="alice")))

    assert "Acme</a></td><td>Owner</td>" in html


def test_lets_only_a_superuser_hand_out_powers() -> None:
    alice = make.user(name="alice")
    clerk = staff("change_user", "view_user")

    clerk.post(
        page_of(alice),
        {"email": "alice@example.org", "is_active": "on", "is_staff": "on", "is_superuser": "on"},
    )

    alice.refresh_from_db()
    assert (alice.is_active, alice.is_staff, alice.is_superuser) == (True, False, False)


def test_protects_an_account_with_powers_from_other_staff() -> None:
    boss = make.user(name="boss", is_staff=True)
    clerk = staff("change_user", "view_user")

    assert clerk.post(page_of(boss), {"email": "mine@example.org"}).status_code == 403
    password = page_of(boss).replace("change", "password")
    assert clerk.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
    assert "_save" in text_of(clerk, page_of(make.user(name="clerk")))
    assert "_save" not in text_of(clerk, page_of(boss))
