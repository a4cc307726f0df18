"""Changes, sweeps and calls that come at the same moment: none is lost, and none waits in a circle."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, transaction

from budgets.core import clock
from budgets.holds import operations
from budgets.holds.models import Hold, IdempotencyKey
from budgets.holds.terms import Settlement
from budgets.limits.models import Balance, Budget, LimitRaise
from tests import make, tenants
from tests.sessions import Session, await_waiting, session
from tests.tenants import Tenant

STEP = "select code from budgets_step(%s::json, '[]'::json, %s)"


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    """An organization of its own, without a budget, which has spent 70 cents in an open window."""
    return spender(tenants.tenant(limit=None))


def spender(tenant: Tenant) -> Tenant:
    now = clock.now()
    request = make.held_call(key=tenant.key, usd="0.7", at=now)
    make.charge(key=tenant.key, request=request, usd="0.7", at=now)
    return tenant


def step(own: Session, tenant: Tenant, *, name: str = "", at: Any = None) -> tuple[UUID, str]:
    """Hold ten cents on a connection; give the id and the verdict."""
    request = uuid4()
    hold = {"id": request.hex, "key": tenant.key.pk, "model": "m", "usd": "0.1"}
    hold |= {"least_usd": "0.1", "tokens": 1, "ttl_s": 60}
    if name:
        hold |= {"name": name, "fingerprint": "f"}
    row = own.execute(STEP, [json.dumps([hold]), at]).fetchone()
    assert row is not None
    return request, str(row[0])


def beside(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Begin the second change while the first is made but not committed; both must end."""
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            first()
            backend: list[int] = []
            ending = thread.submit(_on_its_own, second, backend)
            while not backend:
                assert not ending.done(), ending.result()
            await_waiting(backend[0], ending)
        ending.result(20)


def _on_its_own(work: Callable[[], None], backend: list[int]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            backend.append(cursor.fetchone()[0])
        work()
    finally:
        connection.close()


def new_budget_beside(alice: Tenant, *, who_comes: str, comes_first: bool) -> Budget:
    """Put a budget on a plan while somebody comes onto it."""
    plan = make.plan(code=f"large-{alice.organization.pk}")
    budget = Budget(plan=plan, name="new", limit_amount=Decimal(1), window="total", each="user")

    def put() -> None:
        operations.put_budget(budget=budget)

    def come() -> None:
        if who_comes == "a member":
            member = alice.organization.memberships.get()
            operations.change_member_plan(membership=member, plan=plan)
        else:
            operations.change_plan(organization=alice.organization, plan=plan)

    beside(*((come, put) if comes_first else (put, come)))
    return budget


def spent_by(alice: Tenant, budget: Budget) -> Decimal:
    balances = Balance.objects.for_organization(alice.organization).filter(budget=budget)
    return sum((balance.spent for balance in balances), Decimal(0))


def test_who_comes_onto_a_plan_before_its_new_budget_counts(alice: Tenant) -> None:
    budget = new_budget_beside(alice, who_comes="all of it", comes_first=True)

    assert spent_by(alice, budget) == Decimal("0.7")
    assert not alice.differences()


def test_who_comes_onto_a_plan_after_its_new_budget_counts(alice: Tenant) -> None:
    budget = new_budget_beside(alice, who_comes="all of it", comes_first=False)

    assert spent_by(alice, budget) == Decimal("0.7")
    assert not alice.differences()


@pytest.mark.parametrize("comes_first", [True, False])
def test_a_member_who_comes_onto_a_plan_beside_its_new_budget_counts(
    alice: Tenant, comes_first: bool
) -> None:
    budget = new_budget_beside(alice, who_comes="a member", comes_first=comes_first)

    assert spent_by(alice, budget) == Decimal("0.7")
    assert not alice.differences()


def test_the_day_before_is_waited_for(committed_db: None) -> None:
    """A step that began before midnight holds on its day, while one after it looks at both."""
    alice = tenants.tenant(limit=None)
    make.budget(organization=alice.organization, limit="0.1", window="rolling", rolling_days=2)
    midnight = datetime(2026, 5, 2, tzinfo=UTC)
    before, after = midnight - timedelta(seconds=1), midnight + timedelta(seconds=1)
    with session() as one, session() as other, ThreadPoolExecutor(1) as thread:
        for at in (before, after):
            opened, _ = step(one, alice, at=at)
            nothing = Settlement(opened, alice.organization.pk, Decimal(0), 0, "release")
            operations.settle(settlement=nothing)
        with one.transaction():
            assert step(one, alice, at=before)[1] == "admitted"
            late = thread.submit(step, other, alice, at=after)
            await_waiting(other.info.backend_pid, late)
        assert late.result(20)[1] == "over_limit"


def test_a_raise_outlives_a_change_that_had_read_the_budget_before_it(alice: Tenant) -> None:
    budget = make.budget(organization=alice.organization, limit="0.7", window="total")
    had_read = Budget.objects.get(pk=budget.pk)
    now = clock.now()
    raised = LimitRaise(
        budget=budget,
        amount=Decimal("0.5"),
        starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=1),
        reason="more",
        made_at=now,
    )
    operations.raise_limit(limit_raise=raised)

    had_read.name = "Renamed"
    operations.put_budget(budget=had_read)

    with session() as own:
        assert step(own, alice)[1] == "admitted"


def test_a_hold_that_waited_for_a_count_is_judged_by_the_clock_after_it(alice: Tenant) -> None:
    with session() as counting, session() as own, ThreadPoolExecutor(1) as thread:
        with counting.transaction():
            counting.execute("select budgets_recount(%s)", [alice.organization.pk])
            holding = thread.submit(step, own, alice)
            await_waiting(own.info.backend_pid, holding)
            (counted_at,) = counting.execute("select clock_timestamp()").fetchone() or (None,)
        request, code = holding.result(20)

    assert code == "admitted"
    assert Hold.objects.get(request_id=request).admitted_at >= counted_at


def test_the_sweep_of_names_waits_for_no_step_that_claims_them_anew(alice: Tenant) -> None:
    """A step claims its names in their order. The sweep has no order that a step could wait for."""
    long_ago = clock.now() - timedelta(days=2)
    with session() as own:
        for name in ("a", "b"):
            assert step(own, alice, name=name, at=long_ago)[1] == "admitted"
        with own.transaction():
            assert step(own, alice, name="a")[1] == "admitted"
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("set local lock_timeout = '5s'")
                assert operations.sweep_names(now=clock.now()) >= 1
            assert step(own, alice, name="b")[1] == "admitted"

    names = IdempotencyKey.objects.filter(api_key=alice.key)
    assert sorted(names.values_list("name", flat=True)) == ["a", "b"]
    assert all(age > long_ago for age in names.values_list("claimed_at", flat=True))


def test_a_raise_keeps_no_step_from_opening_a_balance(alice: Tenant) -> None:
    budget = make.budget(organization=alice.organization, limit="5", window="total")
    now = clock.now()
    with session() as own, transaction.atomic():
        operations.raise_limit(
            limit_raise=LimitRaise(
                budget=budget,
                amount=Decimal(1),
                starts_at=now,
                ends_at=now + timedelta(hours=1),
                reason="more",
                made_at=now,
            )
        )
        own.execute("set lock_timeout = '5s'")
        try:
            assert step(own, alice)[1] == "admitted"
        except psycopg.errors.LockNotAvailable:
            pytest.fail("the step waits for the raise")
