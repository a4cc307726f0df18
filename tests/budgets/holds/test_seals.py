"""Sealed hours: a later change of any entry shows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from budgets.holds import operations, queries
from budgets.holds.models import Seal
from budgets.tenancy.models import ApiKey
from tests import make

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
BEGIN = make.NOW - 8 * HOUR


@pytest.fixture
def key() -> ApiKey:
    """A key with calls booked in the first and third of eight hours."""
    organization = make.organization()
    key, _ = make.key(of=organization, user=organization.memberships.get().user)
    for hours in (0, 0, 2):
        request = make.held_call(key=key, usd="0.5", at=BEGIN + hours * HOUR)
        make.charge(key=key, request=request, usd="0.5", at=BEGIN + hours * HOUR)
    return key


def tamper(statement: str) -> None:
    """Change what only someone with a superuser's rights can."""
    with connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("set local session_replication_role = origin")


def test_seals_each_closed_hour_once_and_in_a_chain(key: ApiKey) -> None:
    assert operations.seal(now=make.NOW) == 2
    assert operations.seal(now=make.NOW) == 0

    first, second = Seal.objects.order_by("hour")
    assert (first.entries, second.entries) == (2, 1)
    assert bytes(first.previous) == b""
    assert bytes(second.previous) == bytes(first.digest)
    assert queries.broken_seals() == []


def test_leaves_an_hour_open_until_its_last_transaction_has_surely_ended(key: ApiKey) -> None:
    assert operations.seal(now=BEGIN + HOUR + timedelta(minutes=4)) == 0
    assert operations.seal(now=BEGIN + HOUR + timedelta(minutes=5)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "update budgets_journalentry set amount_usd = amount_usd + 0.000000000001",
        "update budgets_journalentry set model = 'other'",
        "delete from budgets_journalentry where id = (select min(id) from budgets_journalentry)",
        "update budgets_journalentry set booked_at = booked_at + interval '1 hour'",
    ],
)
def test_a_changed_entry_shows(key: ApiKey, change: str) -> None:
    operations.seal(now=make.NOW)

    tamper(change)

    assert queries.broken_seals() != []


def test_a_seal_made_to_fit_breaks_the_chain(key: ApiKey) -> None:
    operations.seal(now=make.NOW)
    tamper(
        "update budgets_journalentry set amount_usd = 9 where id in (select min(id) from budgets_journalentry)"
    )
    tamper(
        "update budgets_seal s set digest = d.digest"
        " from budgets_seal x, budgets_digest(x.organization_id, x.hour, x.previous) d"
        " where x.id = s.id and s.hour = (select min(hour) from budgets_seal)"
    )

    reasons = [broken.reason for broken in queries.broken_seals()]
    assert reasons == ["the seal before it changed"]


def test_a_seal_takes_no_change(key: ApiKey) -> None:
    operations.seal(now=make.NOW)

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("delete from budgets_seal")


def test_no_difference_between_sessions_settings(key: ApiKey) -> None:
    operations.seal(now=make.NOW)

    with connection.cursor() as cursor:
        cursor.execute("set local timezone = 'Asia/Kolkata'")
        cursor.execute("set local datestyle = 'German'")
    assert queries.broken_seals() == []
