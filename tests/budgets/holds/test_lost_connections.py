"""A lane's connection is lost, but the server has not noticed: it still runs the step."""

from __future__ import annotations

import asyncio
import socket
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from budgets.core import clock
from budgets.core.ids import uuid7
from budgets.holds.lane import Lane
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from tests import tenants
from tests.tenants import Tenant

WAITING = """
select count(*) from pg_stat_activity
where application_name = 'costsite-lane' and wait_event_type = 'Lock'
  and datname = current_database()
"""


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    """An organization of its own, under a budget of a dollar."""
    return tenants.tenant(limit="1")


def hold_of(tenant: Tenant) -> HoldRequest:
    """Ask for a tenth of it."""
    return HoldRequest(
        request_id=uuid7(clock.now()),
        organization_id=tenant.organization.pk,
        api_key_id=tenant.key.pk,
        model="test/plain",
        usd=Decimal("0.1"),
        least_usd=Decimal("0.1"),
        tokens=1,
        ttl_s=60,
    )


async def waiting(session: psycopg.AsyncConnection[Any], number: int) -> None:
    """Return when so many steps wait for a lock."""
    async with asyncio.timeout(20):
        while (await (await session.execute(WAITING)).fetchone()) != (number,):
            pass


async def lose_connection_in_mid_step(lane: Lane, tenant: Tenant, work: Any) -> Any:
    """Keep the balance locked while the step is sent, cut off, and sent again."""
    name = str(connection.settings_dict["NAME"])
    address = make_conninfo(**settings.COSTSITE_POSTGRES | {"dbname": name})
    async with await psycopg.AsyncConnection.connect(address) as blocker:
        await blocker.execute(
            "select from budgets_balance where organization_id = %s for update",
            [tenant.organization.pk],
        )
        answering = asyncio.ensure_future(work)
        async with await psycopg.AsyncConnection.connect(address, autocommit=True) as watching:
            await waiting(watching, 1)
            assert lane._connection is not None
            with socket.socket(fileno=lane._connection.fileno()) as cut:
                cut.shutdown(socket.SHUT_RDWR)
                cut.detach()
            await waiting(watching, 2)
        await blocker.rollback()
    return await answering


@pytest.mark.parametrize("number", [1, 3], ids=["alone", "in a batch"])
def test_holds_are_admitted_once_and_told_so(alice: Tenant, number: int) -> None:
    opening = hold_of(alice)
    asked = [hold_of(alice) for _ in range(number)]

    async def scenario() -> list[Verdict]:
        lane = Lane(hold_patience_s=30)
        await lane.start()
        await lane.hold(opening)

        async def hold_all() -> list[Verdict]:
            return await asyncio.gather(*(lane.hold(request) for request in asked))

        verdicts: list[Verdict] = await lose_connection_in_mid_step(lane, alice, hold_all())
        await lane.stop()
        return verdicts

    verdicts = asyncio.run(scenario())

    assert [verdict.code for verdict in verdicts] == ["admitted"] * number
    assert len(alice.holds()) == number + 1
    assert not alice.differences()


def test_a_settle_is_charged_once(alice: Tenant) -> None:
    asked = hold_of(alice)
    charge = Settlement(asked.request_id, asked.organization_id, Decimal("0.07"), 1)

    async def scenario() -> Verdict:
        lane = Lane()
        await lane.start()
        await lane.hold(asked)
        verdict: Verdict = await lose_connection_in_mid_step(lane, alice, lane.settle(charge))
        await lane.stop()
        return verdict

    # The one that ran on had settled it; the repeated one says so.
    assert asyncio.run(scenario()).code == "already"
    assert [entry.amount_usd for entry in alice.journal()] == [Decimal("0.07")]
    assert not alice.differences()
