"""Signing in with an e-mail address."""

from __future__ import annotations

import pytest
from django.test import Client

from tests import make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("typed", ["alice@example.org", "ALICE@Example.org", "Alice@EXAMPLE.ORG"])
def test_knows_an_address_in_any_case(typed: str) -> None:
    alice = make.user(password="correct horse battery")
    client = Client()

    answer = client.post("/login/", {"username": typed, "password": "correct horse battery"})

    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_refuses_another_password() -> None:
    make.user(password="correct horse battery")

    answer = Client().post("/login/", {"username": "ALICE@example.org", "password": "wrong"})

    assert answer.status_code == 200
