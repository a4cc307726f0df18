"""Acme: alice owns it, bob is a member; carol is of another organization. It is noon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from budgets.tenancy.models import ApiKey, Organization, User
from tests import make


@pytest.fixture
def noon() -> Iterator[None]:
    with time_machine.travel(make.NOW + timedelta(hours=1), tick=False):
        yield


@pytest.fixture
def acme() -> Organization:
    return make.organization(on_plan=make.plan(usd_per_user="100"))


@pytest.fixture
def alice(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user(), name="Laptop")[0]


@pytest.fixture
def bob(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.member(of=acme), name="Notebook")[0]


@pytest.fixture
def carol() -> User:
    carol = make.user(name="carol")
    make.organization(slug="globex", owner=carol)
    return carol
