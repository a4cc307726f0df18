"""The lane on a real server: what it batches, what it survives, and what it gives back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
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

from budgets.core import postgres
from budgets.core.sql import read_sql
from budgets.holds.lane import Lane, LedgerUnavailable, Unsettled
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from tests import tenants
from tests.serving import eventually
from tests.tenants import Tenant

ONE = Decimal("0.01")
IS_WAITING = "select 1 from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where pid = %s"
BOOKING = read_sql("tracking.ledger", "book")

_numbers = itertools.count(1)


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    return tenants.tenant(limit="100")


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Lane]:
    lane = Lane(**options)
    await lane.start()
    try:
        yield lane
    finally:
        await lane.stop()


def hold_of(tenant: Tenant, **fields: Any) -> HoldRequest:
    asked = HoldRequest(
        request_id=UUID(int=(0xA1A << 100) + next(_numbers)),
        organization_id=tenant.organization.pk,
        api_key_id=tenant.key.pk,
        model="test/plain",
        usd=ONE,
        least_usd=ONE,
        tokens=10,
        ttl_s=60,
    )
    return replace(asked, **fields)


def charge_of(hold: HoldRequest, **fields: Any) -> Settlement:
    charge = Settlement(hold.request_id, hold.organization_id, ONE / 2, 10)
    return replace(charge, **fields)


async def whole_calls(lane: Lane, tenant: Tenant, count: int) -> list[Verdict]:
    async def one() -> Verdict:
        asked = hold_of(tenant)
        assert (await lane.hold(asked)).code == "admitted"
        return await lane.settle(charge_of(asked))

    return await asyncio.gather(*(one() for _ in range(count)))


def test_batches_what_waits_and_gives_each_its_own_verdict(alice: Tenant) -> None:
    batches: list[int] = []

    async def scenario() -> list[Verdict]:
        async with running() as lane:
            executing = lane._execute

            async def counted(batch: list[Any]) -> Any:
                batches.append(len(batch))
                return await executing(batch)

            lane._execute = counted  # type: ignore[method-assign]
            return await whole_calls(lane, alice, 300)

    verdicts = asyncio.run(scenario())

    assert {verdict.code for verdict in verdicts} == {"settled"}
    assert len({verdict.request_id for verdict in verdicts}) == 300
    # All 300 came at once: far fewer commits than operations, and never more than a batch takes.
    assert len(batches) < 30
    assert max(batches) <= 256
    assert [entry.amount_usd for entry in alice.journal()] == [ONE / 2] * 300
    assert not alice.holds()
    assert not alice.differences()


def test_repeats_the_same_ids_when_its_connection_is_lost_under_load(alice: Tenant) -> None:
    """Kill the connection in the middle of a statement, at most once a round."""
    killed = rounds = 0

    async def scenario() -> list[Verdict]:
        nonlocal killed, rounds
        told: list[Verdict] = []
        async with (
            running(hold_patience_s=30) as lane,
            await psycopg.AsyncConnection.connect(address(), autocommit=True) as other,
        ):
            # On a busy machine a round is often over before anyone looks.
            while killed < 5 and rounds < 100:
                rounds += 1
                load = asyncio.create_task(whole_calls(lane, alice, 40))
                was_killed = False
                while not was_killed and not load.done():
                    cursor = await other.execute(
                        f"{TERMINATE} and state = 'active'", [backend_of(lane)]
                    )
                    was_killed = bool(await cursor.fetchall())
                killed += was_killed
                told += await load
        return told

    verdicts = asyncio.run(scenario())

    assert killed == 5
    assert len(verdicts) == rounds * 40
    # A settle whose first answer was lost finds that it has been booked already.
    assert {verdict.code for verdict in verdicts} <= {"settled", "already"}
    entries = alice.journal()
    assert [(entry.seq, entry.amount_usd) for entry in entries] == [(0, ONE / 2)] * rounds * 40
    assert not alice.holds()
    assert not alice.differences()


def test_an_operation_alone_survives_the_end_of_its_connection(alice: Tenant) -> None:
    """Kill the connection while its statement runs, with nothing else in the batch."""
    asked = hold_of(alice)

    async def scenario() -> Verdict:
        async with running() as lane:
            await lane.hold(asked)
            async with await psycopg.AsyncConnection.connect(address()) as other:
                # The organization's lock keeps the settle waiting in the middle of its statement.
                await other.execute(
                    "select pg_advisory_xact_lock(70701, %s)", [alice.organization.pk]
                )
                settling = asyncio.create_task(lane.settle(charge_of(asked)))
                backend = backend_of(lane)
                await asyncio.to_thread(eventually, lambda: ask(IS_WAITING, backend))
                await asyncio.to_thread(ask, TERMINATE, backend)
                await other.rollback()
            return await settling

    verdict = asyncio.run(scenario())

    assert verdict.code == "settled"
    (entry,) = alice.journal()
    assert entry.amount_usd == ONE / 2


def test_refuses_holds_and_keeps_settles_while_the_server_is_away(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = hold_of(alice)
    connect = postgres.connect

    async def nobody(**_: str) -> Any:
        raise psycopg.OperationalError("nobody listens")

    async def scenario() -> Verdict:
        async with running(hold_patience_s=0.2) as lane:
            await lane.hold(asked)
            monkeypatch.setattr("budgets.holds.lane.connect", nobody)
            await lane._disconnect()
            settling = asyncio.create_task(lane.settle(charge_of(asked)))
            with pytest.raises(LedgerUnavailable) as refused:
                await lane.hold(hold_of(alice))
            assert refused.value.details["retry_after_s"] == 2
            assert not settling.done()
            monkeypatch.setattr("budgets.holds.lane.connect", connect)
            return await settling

    assert asyncio.run(scenario()).code == "settled"
    (entry,) = alice.journal()
    assert entry.amount_usd == ONE / 2
    assert not alice.holds()


def test_gives_back_a_hold_whose_answer_was_lost_and_that_nobody_waited_for(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server commits the hold, then cannot be reached for longer than the hold's patience."""

    async def scenario() -> None:
        async with running(hold_patience_s=0.1) as lane:
            executing = lane._execute
            failures = [psycopg.OperationalError("lost")] * 3

            async def deaf(batch: list[Any]) -> Any:
                verdicts = await executing(batch)
                if failures:
                    await lane._disconnect()
                    raise failures.pop()
                return verdicts

            lane._execute = deaf  # type: ignore[method-assign]
            with pytest.raises(LedgerUnavailable):
                await lane.hold(hold_of(alice))

    asyncio.run(scenario())

    assert not alice.holds()
    assert {entry.kind for entry in alice.journal()} == {"release"}
    assert not any(entry.amount_usd for entry in alice.journal())


def test_takes_a_hold_for_its_own_when_its_first_answer_was_lost(alice: Tenant) -> None:
    async def scenario() -> Verdict:
        async with running(hold_patience_s=10) as lane:
            executing = lane._execute
            failures = [psycopg.OperationalError("lost")]

            async def deaf(batch: list[Any]) -> Any:
                verdicts = await executing(batch)
                if failures:
                    await lane._disconnect()
                    raise failures.pop()
                return verdicts

            lane._execute = deaf  # type: ignore[method-assign]
            return await lane.hold(hold_of(alice))

    verdict = asyncio.run(scenario())

    assert (verdict.code, verdict.amount_usd) == ("admitted", ONE)
    assert len(alice.holds()) == 1


@pytest.mark.parametrize("moment", ["waiting", "in the batch", "given and not looked at"])
def test_releases_a_hold_whose_caller_has_left(alice: Tenant, moment: str) -> None:
    async def scenario() -> None:
        async with running() as lane:
            await lane.hold(hold_of(alice, usd=Decimal(0), least_usd=Decimal(0)))  # Connects.
            holding = asyncio.create_task(lane.hold(hold_of(alice)))
            telling, executing = lane._tell, lane._execute

            def tell_then_cancel(*told: Any) -> None:
                telling(*told)
                holding.cancel()

            async def cancel_then_execute(batch: list[Any]) -> Any:
                holding.cancel()
                return await executing(batch)

            if moment == "waiting":
                await asyncio.sleep(0)
                holding.cancel()
            elif moment == "in the batch":
                lane._execute = cancel_then_execute  # type: ignore[method-assign]
            else:
                lane._tell = tell_then_cancel  # type: ignore[assignment,method-assign]
            with pytest.raises(asyncio.CancelledError):
                await holding

    asyncio.run(scenario())

    (first,) = alice.holds()
    assert first.amount_usd == 0
    assert not [entry for entry in alice.journal() if entry.amount_usd]
    assert not alice.differences()


@pytest.mark.parametrize(
    "poison",
    [
        {"metadata": {"a\x00b": "NUL cannot be stored"}},
        {"metadata": {"half": "\ud83d"}},
        {"price_id": 10**30},
        {"outcome": None},
        {"tags": "no array"},
    ],
    ids=str,
)
def test_a_poisoned_operation_does_not_fail_its_neighbours(
    alice: Tenant, poison: dict[str, Any]
) -> None:
    asked = [hold_of(alice) for _ in range(5)]

    async def scenario() -> list[Verdict | BaseException]:
        async with running(statement=BOOKING) as lane:
            await asyncio.gather(*(lane.hold(hold) for hold in asked))
            settles = [
                lane.settle(
                    charge_of(hold),
                    records=[record_of(hold, **(poison if number == 2 else {}))],
                )
                for number, hold in enumerate(asked)
            ]
            told = await asyncio.gather(*settles, return_exceptions=True)
            # The lane goes on.
            told += await whole_calls(lane, alice, 1)
            return told

    told = asyncio.run(scenario())

    codes = [verdict.code if isinstance(verdict, Verdict) else "failed" for verdict in told]
    assert codes == ["settled", "settled", "failed", "settled", "settled", "settled"]
    # Its hold stands, and will be charged in full when it is overdue.
    (left,) = alice.holds()
    assert left.request_id == asked[2].request_id
    assert not alice.differences()


FULL = "do $$ begin raise exception 'no space left' using errcode = 'disk_full'; end $$"
READ_ONLY = "set default_transaction_read_only = on"


class RefusedLane(Lane):
    """The server is within reach, and refuses whatever is asked after this statement."""

    refused_by = ""

    async def _execute(self, batch: list[Any]) -> Any:
        if self.refused_by and self._connection is not None and not self._connection.closed:
            await self._connection.execute(self.refused_by)
        return await super()._execute(batch)


@pytest.mark.parametrize(
    ("statement", "error"),
    [(FULL, psycopg.errors.DiskFull), (READ_ONLY, psycopg.errors.ReadOnlySqlTransaction)],
    ids=["full", "read only"],
)
def test_keeps_what_a_server_within_reach_refuses_for_the_moment(
    alice: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    error: type[psycopg.Error],
) -> None:
    monkeypatch.setattr("budgets.holds.lane._MOST_REFUSALS", 0)
    asked, refused = hold_of(alice), hold_of(alice)

    async def scenario() -> tuple[tuple[Any, Any], list[Unsettled]]:
        lane = RefusedLane(hold_patience_s=30)
        await lane.start()
        await lane.hold(asked)
        lane.refused_by = statement
        charge = lane.settle(charge_of(asked), records=[{"a": 1}])
        told = await asyncio.gather(charge, lane.hold(refused), return_exceptions=True)
        lane.refused_by = ""
        assert lane._connection is not None
        await lane._connection.execute("set default_transaction_read_only = off")
        # The lane goes on.
        await whole_calls(lane, alice, 1)
        return told, await lane.stop()

    (settled, held), left = asyncio.run(scenario())

    assert isinstance(settled, error)
    # A caller is told to come again, and not that something is broken.
    assert isinstance(held, LedgerUnavailable)
    assert left == [Unsettled(charge_of(asked), [{"a": 1}])]
    assert [hold.request_id for hold in alice.holds()] == [asked.request_id]
    assert not alice.differences()


def test_runs_the_same_id_once_however_often_it_waits(alice: Tenant) -> None:
    asked = hold_of(alice)

    async def scenario() -> tuple[list[Verdict], list[Verdict]]:
        async with running() as lane:
            held = await asyncio.gather(*(lane.hold(asked) for _ in range(3)))
            told = await asyncio.gather(*(lane.settle(charge_of(asked)) for _ in range(3)))
            return list(held), list(told)

    held, told = asyncio.run(scenario())

    assert [verdict.code for verdict in held] == ["admitted", "duplicate_open", "duplicate_open"]
    assert [verdict.code for verdict in told] == ["settled", "already", "already"]
    (entry,) = alice.journal()
    assert entry.amount_usd == ONE / 2


def test_refuses_more_than_it_can_keep_waiting(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budgets.holds.lane._MOST_WAITING", 2)

    async def scenario() -> list[Verdict | BaseException]:
        async with running() as lane:
            holds = [lane.hold(hold_of(alice)) for _ in range(3)]
            return list(await asyncio.gather(*holds, return_exceptions=True))

    first, second, third = asyncio.run(scenario())

    assert isinstance(first, Verdict)
    assert isinstance(second, Verdict)
    assert isinstance(third, LedgerUnavailable)


def test_finishes_what_waits_before_it_stops(alice: Tenant) -> None:
    asked = hold_of(alice)

    async def scenario() -> Verdict:
        async with running() as lane:
            await lane.hold(asked)
            settling = asyncio.create_task(lane.settle(charge_of(asked)))
            await asyncio.sleep(0)
        assert not lane.is_connected
        with pytest.raises(LedgerUnavailable):
            await lane.hold(hold_of(alice))
        return await settling

    assert asyncio.run(scenario()).code == "settled"


def record_of(hold: HoldRequest, **fields: Any) -> dict[str, Any]:
    return {
        "organization_id": hold.organization_id,
        "request_id": str(hold.request_id),
        "attempt": 1,
        "endpoint": "chat.completions",
        "provider": "test",
        "asked_model": "test/plain",
        "model": "test/plain",
        "price_id": 1,
        "outcome": "completed",
        "usage_source": "provider",
        "status": 200,
        "error_code": "",
        "is_streamed": False,
        "input_tokens": 5,
        "cached_input_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 5,
        "reasoning_tokens": 0,
        "lines": [],
        "cost_usd": str(ONE / 2),
        "output_cap_tokens": 5,
        "is_fitted": False,
        "finish_reason": "stop",
        "provider_request_id": "",
        "end_user": "",
        "session": "",
        "tags": [],
        "metadata": {},
        "started_at": "2026-03-18T12:00:00+00:00",
        "first_byte_ms": None,
        "duration_ms": 1,
    } | fields


def backend_of(lane: Lane) -> int:
    """Give the number of the server process that the lane is connected to; 0 for none."""
    opened = lane._connection
    return opened.info.backend_pid if opened is not None and not opened.closed else 0


def ask(statement: LiteralString, backend: int) -> list[Any]:
    with psycopg.connect(address(), autocommit=True) as other:
        return other.execute(statement, [backend]).fetchall()


def address() -> str:
    database = connection.settings_dict["NAME"]
    return make_conninfo(**{**settings.COSTSITE_POSTGRES, "dbname": database})
