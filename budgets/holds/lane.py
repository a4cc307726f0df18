"""The lane: one per server process, through which all of its holds and settles go.

It takes whatever waits, runs it as one statement in one transaction on a connection of its own,
and gives each operation its own verdict once the commit is durable. There is no timer: a batch is
what arrived while the last one was being committed. So locks are never held while Python thinks,
and a busy process pays for one commit where it would pay for hundreds.

When the server goes away, waiting settles wait for it; holds are refused after a short patience.
A hold whose outcome is then unknown is released as soon as the server is back, since nothing was
sent for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg

from budgets.core.errors import DomainError
from budgets.core.postgres import connect, to_json
from budgets.holds.terms import HoldRequest, Settlement, Verdict

logger = logging.getLogger(__name__)

BARE_STATEMENT = (
    "select op, request_id, code, amount_usd, told"
    " from budgets_step(%(holds)s::json, %(settles)s::json, %(now)s::timestamptz)"
)
_MOST_IN_A_BATCH = 256
_MOST_WAITING = 8192
# How often one operation alone is tried again that a server within reach refuses for the moment.
_MOST_REFUSALS = 5
_RECONNECT_WAITS_S = (0.05, 0.1, 0.25, 0.5, 1.0)
# What may go another time: the server is away or short of something, or only to be read from, as a
# standby is, and a managed server whose disk is nearly full.
_PASSING = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)


# What is asked for which request; its id as a number, which is hashed faster.
_Key = tuple[str, int]


class LedgerUnavailable(DomainError):
    """The ledger cannot be reached at the moment, so nothing was sent. Try again shortly."""

    code = "ledger_unavailable"


@dataclass(slots=True, eq=False)
class _Operation:
    """One hold or one settle that waits for its verdict."""

    asked: HoldRequest | Settlement
    records: list[dict[str, Any]]
    verdict: asyncio.Future[Verdict]
    waits_until: float = field(default=float("inf"))
    was_tried: bool = False
    is_hold: bool = field(init=False)
    key: _Key = field(init=False)

    def __post_init__(self) -> None:
        self.is_hold = isinstance(self.asked, HoldRequest)
        self.key = ("hold" if self.is_hold else "settle", self.asked.request_id.int)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A settlement that was not made, with its records."""

    settlement: Settlement
    records: list[dict[str, Any]]


class Lane:
    """Batches holds and settles of one process. All methods belong to the loop it was started on.

    ``statement`` runs ``budgets_step``; one that also books records takes them as ``records``.
    """

    def __init__(self, *, statement: str = BARE_STATEMENT, hold_patience_s: float = 2.0) -> None:
        self._statement = statement
        self._hold_patience_s = hold_patience_s
        self._waiting: deque[_Operation] = deque()
        self._wake = asyncio.Event()
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._under_way: list[_Operation] = []
        self._given_up: list[Unsettled] = []

    async def start(self) -> None:
        """Begin to work; the connection is opened by the first operation."""
        self._task = asyncio.create_task(self._run(), name="ledger lane")

    async def stop(self, *, patience_s: float = 10.0) -> list[Unsettled]:
        """Finish what waits, then close the connection; give the settlements that could not be made.

        They are those for which the server stayed away, or that it refused for reasons of its own
        (a full disk, a lock held for too long, a standby). Written down, they can be made later.
        """
        self._is_stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=patience_s)
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._disconnect()
        left = [*self._under_way, *self._waiting]
        return self._given_up + [
            Unsettled(operation.asked, operation.records)
            for operation in left
            if isinstance(operation.asked, Settlement)
        ]

    async def hold(self, request: HoldRequest) -> Verdict:
        """Hold a call's worst case; the verdict says whether it was admitted.

        :raises LedgerUnavailable: if the server stays away or too many operations wait
        """
        if self._is_stopping or len(self._waiting) >= _MOST_WAITING:
            raise LedgerUnavailable(retry_after_s=1)
        verdict = self._enqueue(request, [], time.monotonic() + self._hold_patience_s)
        try:
            return await verdict
        except asyncio.CancelledError:
            # The verdict may have been given already and only not been looked at.
            if not verdict.cancelled() and not verdict.exception():
                self._release_unsent(request, verdict.result())
            raise

    async def settle(
        self, settlement: Settlement, *, records: list[dict[str, Any]] | None = None
    ) -> Verdict:
        """Charge a call and book its records; waits for as long as the server is away.

        Cancelling the caller does not take the settlement back.
        """
        return await self._enqueue(settlement, records or [], float("inf"))

    @property
    def is_connected(self) -> bool:
        """Whether the last that was heard of the server was good."""
        return self._connection is not None and not self._connection.closed

    def _enqueue(
        self,
        asked: HoldRequest | Settlement,
        records: list[dict[str, Any]],
        waits_until: float,
    ) -> asyncio.Future[Verdict]:
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Operation(asked, records, verdict, waits_until))
        self._wake.set()
        return verdict

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                if self._is_stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
            self._under_way = self._take_batch()
            await self._work(self._under_way)
            self._under_way = []
            # Those who were told go on first: what they ask next joins the next batch, instead of
            # one half of them waiting, ever after, while the other half's batch is under way.
            await asyncio.sleep(0)

    def _take_batch(self) -> list[_Operation]:
        """Take what waits, at most once for each request and kind."""
        batch: dict[_Key, _Operation] = {}
        again: list[_Operation] = []
        while self._waiting and len(batch) < _MOST_IN_A_BATCH:
            operation = self._waiting.popleft()
            if operation.is_hold and operation.verdict.cancelled():
                continue
            if batch.setdefault(operation.key, operation) is not operation:
                again.append(operation)
        self._waiting.extendleft(reversed(again))
        return list(batch.values())

    async def _work(self, batch: list[_Operation]) -> None:
        attempt = 0
        while batch:
            try:
                verdicts = await self._execute(batch)
            except (*_PASSING, psycopg.errors.UniqueViolation) as error:
                # A violation: a try of ours, whose connection was lost, ran on and came first.
                if self.is_connected and (len(batch) > 1 or attempt >= _MOST_REFUSALS):
                    # The server is there and refuses, e.g. for a deadlock.
                    await self._one_by_one(batch, error)
                    return
                batch = self._give_up_late_holds(batch)
                wait_s = _RECONNECT_WAITS_S[min(attempt, len(_RECONNECT_WAITS_S) - 1)]
                logger.warning("the ledger does not answer; trying again in %s s", wait_s)
                await self._disconnect()
                await asyncio.sleep(wait_s)
                attempt += 1
            except Exception as error:  # noqa: BLE001  # The lane outlives whatever it is given.
                await self._one_by_one(batch, error)
                return
            else:
                self._tell(batch, verdicts)
                return

    async def _one_by_one(self, batch: list[_Operation], error: Exception) -> None:
        """Run each operation alone, so that one that cannot be done does not fail the others."""
        if len(batch) == 1:
            logger.error("the ledger refused an operation", exc_info=error)
            self._give_up(batch[0], error)
            return
        for operation in batch:
            await self._work([operation])

    def _give_up(self, operation: _Operation, error: Exception) -> None:
        """Tell what an operation failed by; a settle that may be made another time is kept for it."""
        is_passing = isinstance(error, _PASSING)
        if is_passing and isinstance(operation.asked, Settlement):
            self._given_up.append(Unsettled(operation.asked, operation.records))
        if operation.verdict.done():
            return
        told = LedgerUnavailable(retry_after_s=2) if is_passing and operation.is_hold else error
        operation.verdict.set_exception(told)

    async def _execute(self, batch: list[_Operation]) -> dict[_Key, Verdict]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(
                synchronous_commit="on",
                statement_timeout="20s",
                application_name="costsite-lane",
                plan_cache_mode="force_generic_plan",
            )
        arguments: dict[str, str | None] = {
            "now": None,
            "holds": to_json([o.asked.as_json() for o in batch if o.is_hold]),
            "settles": to_json([o.asked.as_json() for o in batch if not o.is_hold]),
        }
        if "%(records)s" in self._statement:
            arguments["records"] = to_json([record for o in batch for record in o.records])
        cursor = await self._connection.execute(self._statement, arguments, binary=True)
        rows = await cursor.fetchall()
        return {(row[0], row[1].int): Verdict.from_row(row) for row in rows}

    def _tell(self, batch: list[_Operation], verdicts: dict[_Key, Verdict]) -> None:
        for operation in batch:
            verdict = verdicts[operation.key]
            if operation.was_tried and verdict.code == "duplicate_open":
                # Our own first try was committed, though its answer was lost.
                verdict = Verdict("hold", verdict.request_id, "admitted", verdict.amount_usd)
            if not operation.verdict.done():
                operation.verdict.set_result(verdict)
            elif isinstance(operation.asked, HoldRequest):
                self._release_unsent(operation.asked, verdict)

    def _give_up_late_holds(self, batch: list[_Operation]) -> list[_Operation]:
        """Refuse the holds whose patience is over, those not yet taken too; keep the rest."""
        now = time.monotonic()
        for operation in [*batch, *self._waiting]:
            operation.was_tried = operation.was_tried or operation in batch
            if operation.waits_until > now:
                continue
            if not operation.verdict.done():
                operation.verdict.set_exception(LedgerUnavailable(retry_after_s=2))
            if operation in batch and isinstance(operation.asked, HoldRequest):
                self._release_unsent(operation.asked)
        late = {id(o) for o in [*batch, *self._waiting] if o.waits_until <= now}
        self._waiting = deque(o for o in self._waiting if id(o) not in late)
        return [o for o in batch if id(o) not in late]

    def _release_unsent(self, hold: HoldRequest, verdict: Verdict | None = None) -> None:
        """Give back a hold that nobody waits for any more: nothing is sent under it.

        Without a verdict it is not known whether there is one; releasing none does no harm.
        """
        if verdict is not None and verdict.code != "admitted":
            return
        nothing = Settlement(hold.request_id, hold.organization_id, Decimal(0), 0, "release")
        self._enqueue(nothing, [], float("inf")).add_done_callback(_ignore)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                await self._connection.close()
            self._connection = None


def _ignore(verdict: asyncio.Future[Verdict]) -> None:
    """Look at an outcome nobody waits for, so that asyncio does not report it as lost."""
    if not verdict.cancelled():
        verdict.exception()
