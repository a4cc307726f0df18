"""What no test noticed, or only the long one, when it was broken on purpose (tests/mutation)."""

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
from budgets.holds.models import Hold, JournalEntry
from budgets.holds.terms import HoldRequest, IdempotentName, Settlement
from budgets.limits.models import Balance, Budget, LimitRaise
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


def code_of(key: ApiKey, usd: str, **fields: Any) -> str:
    """Hold an amount, all or nothing."""
    amounts = {"usd": Decimal(usd), "least_usd": Decimal(usd)}
    return operations.hold(request=asked(key, **amounts, **fields), now=make.NOW).code


def test_a_charge_is_not_corrected_by_settling_again(key: ApiKey) -> None:
    request = make.held_call(key=key, usd="0.5")
    make.charge(key=key, request=request, usd="0.5")

    again = Settlement(request, key.organization_id, Decimal("0.1"), 1)

    assert operations.settle(settlement=again, now=make.NOW).code == "already"


def test_the_journal_knows_when_a_call_was_admitted(key: ApiKey) -> None:
    later = make.NOW + timedelta(minutes=5)
    make.charge(key=key, request=make.held_call(key=key, usd="0.5"), usd="0.5", at=later)

    entry = JournalEntry.objects.get()
    assert (entry.admitted_at, entry.booked_at) == (make.NOW, later)


def test_calls_of_one_batch_see_each_other(key: ApiKey) -> None:
    cents = {"usd": Decimal("0.6"), "least_usd": Decimal("0.6")}

    verdicts = operations.step(holds=[asked(key, **cents), asked(key, **cents)], now=make.NOW)

    assert [verdict.code for verdict in verdicts] == ["admitted", "over_limit"]


def test_tokens_and_dollars_are_counted_apart(key: ApiKey) -> None:
    make.budget(organization=key.organization, limit="100", unit="tokens", window="minute")

    verdicts = operations.step(holds=[asked(key, tokens=60) for _ in range(2)], now=make.NOW)

    assert [verdict.code for verdict in verdicts] == ["admitted", "over_limit"]
    held = Balance.objects.values_list("unit", "held")
    assert set(held) == {("usd", Decimal("0.1")), ("tokens", Decimal(60))}


def test_what_is_left_beside_a_hold_can_be_held(key: ApiKey) -> None:
    assert code_of(key, "0.6") == code_of(key, "0.4") == "admitted"


def test_each_call_of_a_batch_falls_under_its_own_session(key: ApiKey) -> None:
    make.budget(organization=key.organization, limit="0.15", each="session", window="total")

    verdicts = operations.step(holds=[asked(key, session=x) for x in ("a", "b")], now=make.NOW)

    assert [verdict.code for verdict in verdicts] == ["admitted", "admitted"]


def test_an_id_is_not_admitted_again_after_its_call(key: ApiKey) -> None:
    request = make.held_call(key=key, usd="0.5")
    make.charge(key=key, request=request, usd="0.1")

    assert code_of(key, "0.1", request_id=request) == "duplicate_resolved"


def test_a_budget_that_warns_lets_through(key: ApiKey) -> None:
    make.budget(organization=key.organization, limit="0.01", enforcement="warn")

    assert code_of(key, "0.1") == "admitted"


def test_a_budget_of_each_tag_counts_every_tag(key: ApiKey) -> None:
    make.budget(organization=key.organization, limit="0.15", each="tag")

    assert code_of(key, "0.1", tags=("a", "b")) == "admitted"
    assert code_of(key, "0.1", tags=("b",)) == "over_limit"


def test_a_budget_for_some_models_leaves_the_others_alone(key: ApiKey) -> None:
    make.budget(organization=key.organization, limit="0.01", model_pattern="openai/*")

    assert code_of(key, "0.1") == "admitted"
    assert code_of(key, "0.1", model="openai/small") == "over_limit"


def test_a_retired_budget_lets_through(key: ApiKey) -> None:
    budget = make.budget(organization=key.organization, limit="0.01")
    operations.retire_budget(budget=budget)

    assert code_of(key, "0.1") == "admitted"


def test_counting_again_counts_a_hold_once(key: ApiKey) -> None:
    make.held_call(key=key, usd="0.5")

    operations.recount(organization=key.organization, now=make.NOW)

    assert Balance.objects.get().held == Decimal("0.5")


def test_a_new_budget_leaves_out_the_day_before(key: ApiKey) -> None:
    yesterday = make.NOW - timedelta(days=1)
    request = make.held_call(key=key, usd="0.5", at=yesterday)
    make.charge(key=key, request=request, usd="0.5", at=yesterday)
    budget = Budget(
        organization=key.organization, name="new", limit_amount=Decimal("0.4"), window="day"
    )

    operations.put_budget(budget=budget, now=make.NOW)

    assert code_of(key, "0.4") == "admitted"


def test_counting_again_keeps_what_a_balance_opened_with(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="0.5"), usd="0.5")
    budget = Budget(organization=key.organization, name="new", limit_amount=Decimal(1))

    for _ in range(2):
        operations.put_budget(budget=budget, now=make.NOW)

    assert queries.differences() == []


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
            "select code from budgets_step('[]'::json, %s::json, %s)",
            [json.dumps([overdue]), early],
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


def test_gives_back_no_more_of_one_call_than_it_was_charged(key: ApiKey) -> None:
    requests = [make.held_call(key=key, usd="0.3") for _ in range(2)]
    for request in requests:
        make.charge(key=key, request=request, usd="0.3")

    adjustment = operations.Adjustment(
        organization=key.organization,
        request_id=requests[0],
        kind="refund",
        amount_usd=Decimal("-0.31"),
        reason="a test",
        actor=None,
    )
    with pytest.raises(operations.BelowZero):
        operations.adjust(adjustment=adjustment, now=make.NOW)


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
            asking.execute("select * from budgets_step(%s::json, '[]'::json)", [holds])


@contextmanager
def own_connection() -> Iterator[psycopg.Connection[Any]]:
    """A connection beside Django's; what it did is undone."""
    database = connection.settings_dict["NAME"]
    address = make_conninfo(**{**settings.COSTSITE_POSTGRES, "dbname": database})
    with psycopg.connect(address) as own:
        yield own
        own.rollback()
