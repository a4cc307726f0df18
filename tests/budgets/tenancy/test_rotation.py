"""A rotated key is the same key with another secret; the one before works for a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from budgets.core.sql import read_sql
from budgets.limits.models import Balance
from budgets.tenancy.callers import Caller, Callers, InvalidApiKey
from budgets.tenancy.models import ApiKey
from budgets.tenancy.operations import pepper, rotate_key
from tests import make

pytestmark = pytest.mark.django_db

OVERLAP = timedelta(hours=1)
END = make.NOW + OVERLAP


class Memory:
    """Answers a process's question about a key with what stands in the test's transaction."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def look(self, key: ApiKey) -> None:
        """Read what is now so; loops run no queries of Django's."""
        with connection.cursor() as cursor:
            cursor.execute(read_sql("budgets.tenancy", "caller"), {"lookup_id": key.lookup_id})
            self._rows = cursor.fetchall()

    async def rows(self, statement: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Give what was read."""
        return self._rows


class Door:
    """A server process that lets callers in."""

    def __init__(self, key: ApiKey) -> None:
        self._key = key
        self._memory = Memory()
        self._callers = Callers(reader=self._memory, pepper=pepper())

    def opens(self, text: str, *, at: Any = make.NOW) -> bool:
        """Tell whether a key's text finds its caller."""
        self._memory.look(self._key)
        try:
            found: Caller = asyncio.run(self._callers.find(authorization=f"Bearer {text}", now=at))
        except InvalidApiKey:
            return False
        return found.api_key_id == self._key.pk


@pytest.fixture
def made() -> tuple[ApiKey, str]:
    organization = make.organization()
    return make.key(of=organization, user=organization.memberships.get().user)


def test_the_new_secret_works_at_once_and_the_old_one_until_the_overlap_ends(
    made: tuple[ApiKey, str],
) -> None:
    key, old = made
    door = Door(key)
    # The process remembers the key as it was.
    assert door.opens(old)

    new = rotate_key(key=key, overlap=OVERLAP, now=make.NOW)

    assert new != old
    assert door.opens(new)
    assert door.opens(old, at=END - timedelta(microseconds=1))
    assert not door.opens(old, at=END)
    assert door.opens(new, at=END)


def test_without_an_overlap_the_old_secret_opens_nothing(made: tuple[ApiKey, str]) -> None:
    key, old = made

    new = rotate_key(key=key, overlap=timedelta(0), now=make.NOW)

    assert not Door(key).opens(old)
    assert Door(key).opens(new)


def test_a_second_rotation_stops_the_oldest_secret(made: tuple[ApiKey, str]) -> None:
    key, oldest = made
    middle = rotate_key(key=key, overlap=OVERLAP, now=make.NOW)

    newest = rotate_key(key=key, overlap=OVERLAP, now=make.NOW)

    assert not Door(key).opens(oldest)
    assert Door(key).opens(middle)
    assert Door(key).opens(newest)


def test_a_new_key_that_was_never_rotated_has_no_second_secret(made: tuple[ApiKey, str]) -> None:
    key, text = made
    other = make.key(of=key.organization, user=key.user)[1]

    assert Door(key).opens(text)
    assert not Door(key).opens(other)


def test_a_revoked_key_stays_shut_with_both_secrets(made: tuple[ApiKey, str]) -> None:
    key, old = made
    new = rotate_key(key=key, overlap=OVERLAP, now=make.NOW)
    ApiKey.objects.filter(pk=key.pk).update(status=ApiKey.Status.REVOKED)

    assert not Door(key).opens(old)
    assert not Door(key).opens(new)


def test_what_the_key_spent_goes_on_counting(made: tuple[ApiKey, str]) -> None:
    key, _ = made
    make.budget(
        organization=key.organization, limit="1", scope="api_key", target=str(key.pk), window="day"
    )
    make.charge(key=key, request=make.held_call(key=key, usd="0.4"), usd="0.4")
    under_way = make.held_call(key=key, usd="0.1")

    rotate_key(key=key, overlap=OVERLAP, now=make.NOW)
    make.charge(key=key, request=under_way, usd="0.1")
    make.charge(key=key, request=make.held_call(key=key, usd="0.5"), usd="0.5")

    assert Balance.objects.get().spent == 1
    with pytest.raises(AssertionError, match="over_limit"):
        make.held_call(key=key, usd="0.1")
