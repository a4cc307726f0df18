"""Each step of a call, cut off once at its worst moment."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from budgets.holds.lane import Lane
from budgets.holds.operations import expire, recount
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from budgets.limits.models import Balance, Budget
from tests import make, tenants
from tests.serving import eventually
from tests.tenants import Tenant

pytestmark = pytest.mark.crash

HELD, ACTUAL = Decimal("0.01"), Decimal("0.003")
SETTLE: LiteralString = "select * from budgets_step('[]', json_build_array(%s::json))"

_numbers = itertools.count(1)


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    return tenants.tenant(limit="1")


class DeafLane(Lane):
    """The server ends its connection after each of the first commits, before the answer is read."""

    def __init__(self, *, deaf_for: int) -> None:
        super().__init__(hold_patience_s=10)
        self.left = deaf_for

    async def _execute(self, batch: list[Any]) -> dict[tuple[str, int], Verdict]:
        verdicts = await super()._execute(batch)
        if self.left:
            self.left -= 1
            assert self._connection is not None
            await asyncio.to_thread(terminate, self._connection.info.backend_pid)
            await self._connection.execute("select 1")
        return verdicts


@asynccontextmanager
async def running(lane: Lane) -> AsyncIterator[Lane]:
    await lane.start()
    try:
        yield lane
    finally:
        await lane.stop()


def test_a_call_killed_before_its_hold_is_sent_leaves_nothing_and_may_come_again(
    alice: Tenant,
) -> None:
    asked = hold_of(alice)

    async def killed() -> None:
        lane = Lane()
        holding = asyncio.create_task(lane.hold(asked))
        await asyncio.sleep(0)
        assert not holding.done()
        holding.cancel()

    asyncio.run(killed())
    assert not alice.holds()

    assert told(lambda lane: lane.hold(asked)).code == "admitted"
    assert [hold.request_id for hold in alice.holds()] == [asked.request_id]
    assert not alice.differences()


def test_a_hold_whose_answer_was_cut_off_is_admitted_once(alice: Tenant) -> None:
    asked = hold_of(alice)
    lane = DeafLane(deaf_for=2)

    verdict = told(lambda lane: lane.hold(asked), by=lane)

    assert lane.left == 0
    assert (verdict.code, verdict.amount_usd) == ("admitted", HELD)
    # The next process, which knows nothing of it, is told that there is one.
    assert told(lambda lane: lane.hold(asked)).code == "duplicate_open"
    assert len(alice.holds()) == 1
    assert [balance.held for balance in alice.balances()] == [HELD]
    assert not alice.differences()


def test_a_settle_whose_answer_was_cut_off_is_charged_once(alice: Tenant) -> None:
    asked = hold_of(alice)
    told(lambda lane: lane.hold(asked))

    verdict = told(lambda lane: lane.settle(charge_of(asked)), by=DeafLane(deaf_for=2))

    assert verdict.code == "already"
    assert [(entry.seq, entry.amount_usd) for entry in alice.journal()] == [(0, ACTUAL)]
    assert not alice.differences()


def test_a_call_killed_before_its_settle_is_charged_in_full_and_corrected_once(
    alice: Tenant,
) -> None:
    asked = hold_of(alice, ttl_s=0)
    told(lambda lane: lane.hold(asked))

    sweep()
    assert [(entry.kind, entry.amount_usd) for entry in alice.journal()] == [("estimate", HELD)]
    codes = [told(lambda lane: lane.settle(charge_of(asked))).code for _ in range(2)]

    assert codes == ["corrected", "already"]
    assert [(entry.seq, entry.kind) for entry in alice.journal()] == [
        (0, "estimate"),
        (1, "correction"),
    ]
    assert [balance.spent for balance in alice.balances()] == [ACTUAL]
    assert not alice.differences()


def test_a_settle_cut_off_amid_its_transaction_charges_nothing_until_it_is_repeated(
    alice: Tenant,
) -> None:
    asked = hold_of(alice)
    told(lambda lane: lane.hold(asked))

    # By then the hold is deleted and the charge is written, in the transaction that is lost.
    cut_off_at_the_balance(alice, SETTLE, [make_json(charge_of(asked))])
    assert not alice.journal()
    assert len(alice.holds()) == 1
    assert not alice.differences()

    codes = [told(lambda lane: lane.settle(charge_of(asked))).code for _ in range(2)]
    assert codes == ["settled", "already"]
    assert [(entry.seq, entry.amount_usd) for entry in alice.journal()] == [(0, ACTUAL)]
    assert not alice.differences()


def test_a_sweep_cut_off_amid_its_transaction_is_made_by_the_next(alice: Tenant) -> None:
    sweep()
    asked = hold_of(alice, ttl_s=0)
    told(lambda lane: lane.hold(asked))

    cut_off_at_the_balance(alice, "select budgets_expire(1)", [])
    assert not alice.journal()
    assert len(alice.holds()) == 1

    sweep()
    sweep()
    assert [(entry.seq, entry.amount_usd) for entry in alice.journal()] == [(0, HELD)]
    assert not alice.holds()
    assert not alice.differences()


def test_a_recount_cut_off_amid_its_transaction_changes_nothing(committed_db: None) -> None:
    alice = tenants.tenant(limit=None)
    # The first to be counted is not in force yet; the second keeps the recount waiting.
    first = make.budget(organization=alice.organization, limit="1", window="total", active=False)
    second = make.budget(organization=alice.organization, limit="1", window="total")
    asked, under_way = hold_of(alice), hold_of(alice)
    told(lambda lane: lane.hold(asked))
    told(lambda lane: lane.hold(under_way))
    told(lambda lane: lane.settle(charge_of(asked)))
    Budget.objects.filter(pk=first.pk).update(active=True)

    cut_off_at_the_balance(alice, "select budgets_recount(%s)", [alice.organization.pk])
    assert sums(alice) == {second.pk: (ACTUAL, HELD)}
    assert not alice.differences()

    recount(organization=alice.organization)
    assert sums(alice) == {first.pk: (ACTUAL, HELD), second.pk: (ACTUAL, HELD)}
    assert not alice.differences()


def told(work: Callable[[Lane], Any], *, by: Lane | None = None) -> Verdict:
    """Do one thing through a lane of its own, as a new process would."""

    async def scenario() -> Verdict:
        async with running(by or Lane()) as lane:
            verdict: Verdict = await work(lane)
            return verdict

    return asyncio.run(scenario())


def cut_off_at_the_balance(tenant: Tenant, statement: LiteralString, given: list[Any]) -> None:
    """Run a statement until it waits for the tenant's balances, and end its connection there."""
    locked = "select from budgets_balance where organization_id = %s for update"
    with (
        psycopg.connect(address()) as other,
        psycopg.connect(address(), autocommit=True) as doomed,
        ThreadPoolExecutor(1) as thread,
    ):
        other.execute(locked, [tenant.organization.pk])
        backend = doomed.info.backend_pid
        running = thread.submit(doomed.execute, statement, given)
        eventually(lambda: waits(backend))
        terminate(backend)
        with pytest.raises(psycopg.errors.AdminShutdown):
            running.result(10)


def waits(backend: int) -> bool:
    statement = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
    with psycopg.connect(address(), autocommit=True) as other:
        return other.execute(statement, [backend]).rowcount == 1


def terminate(backend: int) -> None:
    """End a connection from the server's side, and wait until it has ended."""
    with psycopg.connect(address(), autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [backend])


def address() -> str:
    database = connection.settings_dict["NAME"]
    return make_conninfo(**{**settings.COSTSITE_POSTGRES, "dbname": database})


def sweep() -> None:
    """Charge whatever is overdue, that of tests before this one too."""
    expire(most=100_000)


def sums(tenant: Tenant) -> dict[int, tuple[Decimal, Decimal]]:
    """Give what is spent and held of each budget."""
    balances = Balance.objects.for_organization(tenant.organization)
    return {balance.budget_id: (balance.spent, balance.held) for balance in balances}


def make_json(settlement: Settlement) -> str:
    return json.dumps(settlement.as_json())


def hold_of(tenant: Tenant, **fields: Any) -> HoldRequest:
    asked = HoldRequest(
        request_id=UUID(int=(0xC4A << 100) + next(_numbers)),
        organization_id=tenant.organization.pk,
        api_key_id=tenant.key.pk,
        model="test/plain",
        usd=HELD,
        least_usd=HELD,
        tokens=10,
        ttl_s=60,
    )
    return replace(asked, **fields)


def charge_of(hold: HoldRequest) -> Settlement:
    return Settlement(hold.request_id, hold.organization_id, ACTUAL, 10)
