"""What a server process keeps for its calls: the lane, the price book, callers and routes."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings

from budgets.core import clock
from budgets.core.reader import Reader
from budgets.core.sql import read_sql
from budgets.holds.lane import Lane
from budgets.tenancy.callers import Callers
from budgets.tenancy.operations import pepper
from tracking.gateway import providers
from tracking.gateway.choosing import CoolDownRules
from tracking.gateway.health import Health
from tracking.gateway.refused import Refused
from tracking.gateway.routes import Routes
from tracking.ledger.unsettled import write_down
from tracking.pricing.book import PriceBook
from tracking.pricing.queries import book_sql, edition_sql, rules_sql

logger = logging.getLogger(__name__)

_BOOK_LOOKED_AT_EVERY_S = 1.0
# New objects, and rounds among the young and the middle-aged, before their cycles are collected.
_COLLECTED_AFTER = (10_000, 20, 50)

T = TypeVar("T")


class Runtime:
    """One for each event loop that serves calls. Everything in it is opened by first use."""

    def __init__(self) -> None:
        self.reader = Reader()
        self.lane = Lane(statement=read_sql("tracking.ledger", "book"))
        self.callers = Callers(reader=self.reader, pepper=pepper())
        self.health = Health(
            reader=self.reader,
            run=self.run,
            rules=CoolDownRules(
                after=settings.COSTSITE_COOL_DOWN_AFTER, first_s=settings.COSTSITE_COOL_DOWN_S
            ),
            clock=clock.now,
        )
        self.routes = Routes(
            reader=self.reader,
            health=self.health,
            secrets=settings.COSTSITE_CREDENTIAL_KEYS,
        )
        self.refused = Refused(reader=self.reader, run=self.run)
        self._book: PriceBook | None = None
        self._book_looked_at = 0.0
        self._book_turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Start the lane, and load the provider library in the background."""
        await self.lane.start()
        self.run(_load())

    async def stop(self) -> None:
        """Let the calls under way settle, within a bound, then close what is open.

        Settlements that the database is not there for are written down for ``replay_settlements``;
        a call that is not even answered by then is the sweeper's.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=settings.COSTSITE_SHUTDOWN_S)
        left = await self.lane.stop()
        path = write_down(
            unsettled=left, folder=settings.COSTSITE_DATA / "unsettled", now=clock.now()
        )
        if path is not None:
            logger.error("%s settlements could not be made; they are in %s", len(left), path)
        for task in [*self._tasks]:
            task.cancel()
        await self.reader.close()
        await providers.close()

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run work that a client who leaves must not cancel; stop() waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def book(self, *, now: datetime) -> PriceBook:
        """Give the price book, not more than a second behind the database.

        :raises DatabaseUnavailable: if there is none yet and the server cannot be reached
        """
        if self._book is None or time.monotonic() - self._book_looked_at > _BOOK_LOOKED_AT_EVERY_S:
            async with self._book_turn:
                await self._refresh_book(now)
        assert self._book is not None
        return self._book

    async def _refresh_book(self, now: datetime) -> None:
        if (
            self._book is not None
            and time.monotonic() - self._book_looked_at <= _BOOK_LOOKED_AT_EVERY_S
        ):
            return
        ((edition,),) = await self.reader.rows(edition_sql())
        if self._book is None or self._book.edition != edition:
            rows = await self.reader.rows(book_sql(), {"at": now})
            rules = await self.reader.rows(rules_sql(), {"at": now})
            self._book = PriceBook.of_rows(edition=edition, rows=rows, rules=rules)
        self._book_looked_at = time.monotonic()


async def _load() -> None:
    """Load the provider library, and set aside what it fills the process with for good.

    The collector of cycles would look through all of it again and again, a tenth of a second each
    time, in which no call goes on.
    """
    await asyncio.to_thread(providers.load)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)


_runtimes: dict[asyncio.AbstractEventLoop, Runtime] = {}


async def runtime() -> Runtime:
    """Give the runtime of the running loop; the first call of a loop starts it."""
    loop = asyncio.get_running_loop()
    found = _runtimes.get(loop)
    if found is None:
        found = _runtimes[loop] = Runtime()
        await found.start()
    return found


async def start_runtime() -> None:
    """Make the running loop's runtime before its first call."""
    await runtime()


async def stop_runtime() -> None:
    """Stop the running loop's runtime, if it has one."""
    found = _runtimes.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.stop()
