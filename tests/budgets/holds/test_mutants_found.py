"""What no other test noticed when it was broken on purpose (tests/mutation)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from budgets.holds import operations, queries
from budgets.holds.models import Hold
from budgets.holds.terms import HoldRequest, IdempotentName, Settlement
from budgets.limits.models import LimitRaise
from budgets.tenancy.models import ApiKey, Project
from tests import make, tenants
from tests.budgets.holds import test_seals
from tests.tenants import Tenant


@pytest.fixture
def key(db: None) -> ApiKey:
    """Alice's key in an organization whose plan gives each user $1 a month."""
    organization = make.organization(on_plan=make.plan(code="tiny", usd_per_user="1"))
    return make.key(of=organization, user=organization.memberships.get().user)[0]


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    """A tenant that is committed, for what takes two connections."""
    return tenants.tenant()


def asked(key: ApiKey, **fields: Any) -> HoldRequest:
    """A hold of ten cents, unless told otherwise."""
    request = HoldRequest(
        request_id=uuid4(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal("0.1"),
        least_usd=Decimal("0.1"),
        tokens=1,
        ttl_s=60,
    )
    return replace(request, **fields)


def test_a_hold_before_its_expiry_is_not_charged_as_overdue(key: ApiKey) -> None:
    request = make.held_call(key=key, usd="0.8", ttl_s=60)
    overdue = {
        "id": str(request),
        "org": key.organization_id,
        "kind": "estimate",
        "overdue": True,
    }
    with connection.cursor() as cursor:
        early = make.NOW + timedelta(seconds=59)
        cursor.execute(
            "select code from budgets_step('[]', %s::jsonb, %s)", [json.dumps([overdue]), early]
        )
        assert cursor.fetchall() == [("unknown",)]
    assert Hold.objects.get().amount_usd == Decimal("0.8")


def test_nobody_settles_a_call_of_another_organization(key: ApiKey) -> None:
    request = make.held_call(key=key, usd="0.8")
    other = make.organization(slug="other", owner=make.user(name="carol"))

    verdict = operations.settle(settlement=Settlement(request, other.pk, Decimal(0), 0, "release"))

    assert verdict.code == "unknown"
    assert Hold.objects.get().amount_usd == Decimal("0.8")


def test_what_a_batch_settles_makes_room_for_its_holds(key: ApiKey) -> None:
    request = make.held_call(key=key, usd="1")
    settlement = Settlement(request, key.organization_id, Decimal("0.4"), 1)

    hold, settle = operations.step(
        holds=[asked(key, usd=Decimal("0.6"), least_usd=Decimal("0.6"))],
        settlements=[settlement],
        now=make.NOW,
    )

    assert (hold.code, settle.code) == ("admitted", "settled")


def test_an_archived_project_is_refused(key: ApiKey) -> None:
    Project.objects.update(archived_at=make.NOW)

    assert operations.hold(request=asked(key), now=make.NOW).code == "project_archived"


def test_a_released_call_gives_its_name_back(key: ApiKey) -> None:
    first = asked(key, named=IdempotentName("n", "b"))
    operations.hold(request=first, now=make.NOW)
    make.charge(key=key, request=first.request_id, usd="0", kind="release")

    again = asked(key, named=IdempotentName("n", "other"))

    assert operations.hold(request=again, now=make.NOW).code == "admitted"


def test_a_tags_budget_counts_calls_with_other_tags_before_it(key: ApiKey) -> None:
    make.budget(organization=key.organization, limit="0.05", scope="tag", target="b")

    assert operations.hold(request=asked(key, tags=("a",)), now=make.NOW).code == "admitted"
    refused = operations.hold(request=asked(key, tags=("a", "b")), now=make.NOW)
    assert refused.code == "over_limit"


def test_a_changed_reason_shows(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="0.1"), usd="0.1")
    operations.seal(now=make.NOW + timedelta(hours=2))

    test_seals.tamper("update budgets_journalentry set reason = 'another'")

    assert queries.broken_seals() != []


def test_an_hour_is_not_sealed_before_its_end(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="0.1"), usd="0.1")

    assert operations.seal(now=make.NOW + timedelta(minutes=59)) == 0
    assert operations.seal(now=make.NOW + timedelta(minutes=65)) == 1


def test_a_shorter_raise_leaves_a_longer_one_alone(key: ApiKey) -> None:
    budget = make.budget(organization=key.organization, limit="0.01")
    for hours in (3, 1):
        operations.raise_limit(
            limit_raise=LimitRaise(
                budget=budget,
                amount=Decimal("0.5"),
                starts_at=make.NOW,
                ends_at=make.NOW + timedelta(hours=hours),
                reason="more",
                made_at=make.NOW,
            )
        )

    later = make.NOW + timedelta(hours=2)
    assert operations.hold(request=asked(key), now=later).code == "admitted"


def test_a_hold_waits_for_a_recount_of_its_organization(alice: Tenant) -> None:
    holds = json.dumps([asked(alice.key).as_json()])
    with own_connection() as recounting, own_connection() as asking:
        recounting.execute("select budgets_recount(%s)", [alice.organization.pk])
        asking.execute("set local lock_timeout = '100ms'")

        with pytest.raises(psycopg.errors.LockNotAvailable):
            asking.execute("select * from budgets_step(%s::jsonb, '[]')", [holds])


@contextmanager
def own_connection() -> Iterator[psycopg.Connection[Any]]:
    """A connection beside Django's; what it did is undone."""
    database = connection.settings_dict["NAME"]
    address = make_conninfo(**{**settings.COSTSITE_POSTGRES, "dbname": database})
    with psycopg.connect(address) as own:
        yield own
        own.rollback()
