"""Alice's organization, with a key and a channel."""

from __future__ import annotations

import pytest

from budgets.alerts.models import Channel
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.budgets.alerts.things import channel


@pytest.fixture
def acme() -> Organization:
    return make.organization(slug="acme")


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user())[0]


@pytest.fixture
def slack(acme: Organization) -> Channel:
    return channel(of=acme)
