"""A tenant, and the keys of its owner and of a member, which most tests of spend begin with."""

from __future__ import annotations

import pytest

from budgets.tenancy.models import ApiKey, Organization
from tests import make


@pytest.fixture
def acme() -> Organization:
    return make.organization()


@pytest.fixture
def alice(acme: Organization) -> ApiKey:
    """The key of the owner."""
    return make.key(of=acme, user=make.user())[0]


@pytest.fixture
def bob(acme: Organization) -> ApiKey:
    """The key of a member."""
    return make.key(of=acme, user=make.member(of=acme))[0]
