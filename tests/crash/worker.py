"""A process that makes calls, eight at a time, until its time is over or it is killed."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from budgets.core.money import quantize_usd
from budgets.holds.lane import Lane, LedgerUnavailable
from budgets.holds.operations import step
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from tests.crash.told import Log

IN_FLIGHT = 8
TTL_S = 3
MODELS = ("test/plain", "test/large", "other/plain")
TAGS: tuple[tuple[str, ...], ...] = ((), ("team-a",), ("team-b", "team-a"))


@dataclass(frozen=True, slots=True)
class Key:
    """A key that calls are made with."""

    pk: int
    organization_id: int


class Worker:
    """Makes calls with random costs; writes down what it tries and what it is told."""

    def __init__(self, *, keys: list[Key], dice: random.Random, log: Log) -> None:
        self._keys = keys
        self._dice = dice
        self._log = log
        self._lane = Lane()
        self._parent = os.getppid()

    async def run(self, *, until: float) -> None:
        """Make calls until then, on the clock of the loop, which is the machine's."""
        await self._lane.start()
        await asyncio.gather(*(self._calls(until) for _ in range(IN_FLIGHT)))
        await self._lane.stop()

    async def _calls(self, until: float) -> None:
        clock = asyncio.get_running_loop()
        while clock.time() < until and os.getppid() == self._parent:
            try:
                await self._call()
            except LedgerUnavailable:
                await asyncio.sleep(0.05)
            except Exception as error:  # noqa: BLE001  # Whatever it is, the summary tells it.
                self._log.write("failed", type(error).__name__, str(error)[:300].replace("\n", " "))

    async def _call(self) -> None:
        dice = self._dice
        # Some calls take longer than their hold lasts: the sweeper comes before their settle.
        is_late = dice.random() < 0.06
        hold = self._hold(ttl_s=1 if is_late else TTL_S)
        by_step = dice.random() < 0.2
        self._log.write("hold", hold.request_id)
        held = await (self._step(hold=hold) if by_step else self._lane.hold(hold))
        self._log.write("held", hold.request_id, held.code)
        if held.code != "admitted":
            await asyncio.sleep(0.02)
            return
        assert held.amount_usd is not None
        await asyncio.sleep(1.5 if is_late else dice.random() * 0.1)
        ending = self._ending(hold, held.amount_usd)
        self._log.write("settle", hold.request_id, ending.usd)
        by_step = dice.random() < 0.2
        end: Callable[[Settlement], Awaitable[Verdict]] = (
            self._step_settle if by_step else self._lane.settle
        )
        self._log.write("settled", hold.request_id, (await end(ending)).code)
        if dice.random() < 0.1:
            other = Settlement(hold.request_id, hold.organization_id, ending.usd * 2 + 1, 7)
            self._log.write("again", hold.request_id, (await end(other)).code)

    def _hold(self, *, ttl_s: int) -> HoldRequest:
        dice = self._dice
        key = dice.choice(self._keys)
        usd = Decimal(dice.randrange(1, 4 * 10**9)).scaleb(-12)
        return HoldRequest(
            request_id=UUID(int=dice.getrandbits(128)),
            organization_id=key.organization_id,
            api_key_id=key.pk,
            model=dice.choice(MODELS),
            usd=usd,
            least_usd=quantize_usd(usd / 2) if dice.random() < 0.3 else usd,
            tokens=dice.randrange(1, 2000),
            ttl_s=ttl_s,
            tags=dice.choice(TAGS),
            session=f"run-{dice.randrange(5)}",
        )

    def _ending(self, hold: HoldRequest, held_usd: Decimal) -> Settlement:
        """Charge a part, or now and then half as much again as was held, or nothing."""
        chance = self._dice.random()
        share = Decimal("1.5") if chance < 0.05 else Decimal(self._dice.randrange(1001)) / 1000
        if chance > 0.9:
            return Settlement(hold.request_id, hold.organization_id, Decimal(0), 0, "release")
        usd = quantize_usd(held_usd * share)
        return Settlement(hold.request_id, hold.organization_id, usd, self._dice.randrange(2000))

    async def _step_settle(self, settlement: Settlement) -> Verdict:
        return await self._step(settlement=settlement)

    async def _step(
        self, *, hold: HoldRequest | None = None, settlement: Settlement | None = None
    ) -> Verdict:
        """Go through Django's connection; what breaks is repeated under the same id."""
        holds, settlements = [hold] if hold else [], [settlement] if settlement else []

        def attempt() -> Verdict | None:
            try:
                return step(holds=holds, settlements=settlements)[0]
            except (OperationalError, InterfaceError):
                connection.close()
                return None

        verdict, is_repeated = await asyncio.to_thread(attempt), False
        while verdict is None:
            await asyncio.sleep(0.05)
            verdict, is_repeated = await asyncio.to_thread(attempt), True
        if is_repeated and verdict.code == "duplicate_open":
            return Verdict("hold", verdict.request_id, "admitted", verdict.amount_usd)
        return verdict
