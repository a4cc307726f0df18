"""How routes have done of late, and which are left alone for a while.

A route is a model called with one key. What one process learns of a cool-down, the others read from
the database within a second; failures that lead to none yet are counted by each for itself. When
the time is over, a process lets one call through as a probe; only when it is answered do others
follow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from budgets.core.errors import DomainError
from budgets.core.sql import read_sql
from budgets.tenancy.callers import Reader
from tracking.gateway.choosing import CoolDownRules, Standing, standing_after
from tracking.gateway.failures import ProviderFailure

logger = logging.getLogger(__name__)

# Who probes and never comes back must not keep a route from being probed again.
_PROBE_LASTS_S = 60.0
_WRITTEN_EVERY_S = 1.0

Key = tuple[int, str]
Run = Callable[[Coroutine[Any, Any, None]], Any]


class Health:
    """The standing of each route that has failed; one that is not listed is well."""

    def __init__(
        self, *, reader: Reader, run: Run, rules: CoolDownRules, clock: Callable[[], datetime]
    ) -> None:
        self._reader = reader
        self._run = run
        self._rules = rules
        self._clock = clock
        self._standings: dict[Key, Standing] = {}
        self._shared: set[Key] = set()
        self._probes: dict[Key, float] = {}
        self._written: dict[Key, float] = {}

    def learn(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take over what the database knows: provider, model, failures, POSIX second of the end."""
        told = {(row[0], row[1]): Standing(row[2], row[3]) for row in rows}
        for key in self._shared - told.keys():
            # Another process has seen it answer.
            self._standings.pop(key, None)
        for key, standing in told.items():
            # What was learned here a moment ago may not be written yet.
            if standing.cools_until >= self._standings.get(key, Standing()).cools_until:
                self._standings[key] = standing
        self._shared = set(told)

    def cools_until(self, key: Key) -> float:
        """Say until which POSIX second a route is left alone; 0 when it may be called.

        While a probe is under way, everyone else leaves the route alone.
        """
        standing = self._standings.get(key)
        if standing is None or not standing.cools_until:
            return 0
        now = self._now()
        if standing.cools_until > now:
            return standing.cools_until
        probed_until = self._probes.get(key, 0)
        return probed_until if probed_until > now else 0

    def begin(self, key: Key) -> None:
        """Note that a route is called; after a cool-down that is its probe."""
        standing = self._standings.get(key)
        if standing is not None and 0 < standing.cools_until <= self._now():
            self._probes[key] = self._now() + _PROBE_LASTS_S

    def succeeded(self, key: Key) -> None:
        """Note that a route has answered: it is well again."""
        if self._standings.pop(key, None) is None:
            return
        self._probes.pop(key, None)
        self._written.pop(key, None)
        self._shared.discard(key)
        self._run(self._write("note_recovery", key, now=self._clock()))

    def failed(self, key: Key, failure: ProviderFailure) -> None:
        """Note that a route has failed, and leave it alone if that is too often."""
        now = self._clock()
        before = self._standings.get(key, Standing())
        after = standing_after(before, failure=failure, now=now.timestamp(), rules=self._rules)
        if after == before:
            self._probes.pop(key, None)
            return
        self._standings[key] = after
        self._probes.pop(key, None)
        is_news = after.cools_until != before.cools_until
        if is_news or self._written.get(key, 0) < now.timestamp() - _WRITTEN_EVERY_S:
            self._written[key] = now.timestamp()
            self._run(
                self._write(
                    "note_failure",
                    key,
                    now=now,
                    failures=after.failures,
                    code=failure.code,
                    cools_until=_instant(after.cools_until),
                )
            )

    async def _write(self, statement: str, key: Key, **values: Any) -> None:
        provider_id, model = key
        try:
            await self._reader.rows(
                read_sql("tracking.gateway", statement),
                {"provider": provider_id, "model": model, **values},
            )
        except (DomainError, psycopg.Error):
            # The calls themselves go on; the others learn of it by their own failures.
            logger.warning("the health of provider %s could not be written", provider_id)

    def _now(self) -> float:
        return self._clock().timestamp()


def _instant(second: float) -> datetime | None:
    return datetime.fromtimestamp(second, UTC) if second else None
