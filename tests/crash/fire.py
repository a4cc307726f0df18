"""The ledger under fire: ``python3 -m tests.crash.fire --seconds 60 --workers 4 --seed 1``.

Its own durable server and its own workers are killed again and again while calls are made, limits
change and balances are counted anew. At the end the journal is compared with what every process
was told. One line says what was done and what was found; any violation makes the exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from costsite import placement
from costsite.embedded import Postgres
from costsite.processes import alive

if TYPE_CHECKING:
    from tests.crash.told import Counts
    from tests.crash.worker import Key

ORGANIZATIONS = 3
SWEPT_WITHIN_S = 30.0
# Forked from a warm parent, which has no connection and no thread: a worker starts in milliseconds.
FORK = multiprocessing.get_context("fork")
FIXED = "Each user a minute"


class Siege:
    """One run: the server, the workers, the meddlers, and who is killed when."""

    def __init__(self, *, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.dice = _dice(options.seed, "siege")
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.server = Postgres(data=folder / "data")
        self.keys: list[Key] = []
        self.until = 0.0
        self.started = self.worker_kills = self.postgres_kills = self.crashed = 0
        self.workers: list[multiprocessing.process.BaseProcess] = []

    def run(self) -> Counts:
        """Kill until the time is over, then compare."""
        self.server.data.mkdir()
        self.server.start(die_with_parent=True)
        _set_up_django(self.server)
        self.keys = _populate()
        self.until = time.monotonic() + self.options.seconds
        meddlers = [self._fork(self._meddle, what) for what in ("sweep", "change", "check")]
        self.workers = [self._fork(self._work) for _ in range(self.options.workers)]
        self._kill_by_turns()
        for process in [*self.workers, *meddlers]:
            process.join(60)
            self.crashed += process.exitcode != 0
            process.kill()
        return self._compare()

    def _kill_by_turns(self) -> None:
        next_worker = next_server = time.monotonic()
        next_server += self.options.postgres_every
        while (now := time.monotonic()) < self.until:
            if now >= next_server:
                self._kill_server()
                next_server = max(now + self.options.postgres_every, time.monotonic() + 0.5)
            elif now >= next_worker:
                self._kill_worker()
                next_worker += self.dice.expovariate(self.options.kills_per_second)
                # After a pause, while the server came back, it catches up.
                time.sleep(0.03)
            else:
                time.sleep(0.005)

    def _kill_worker(self) -> None:
        place = self.dice.randrange(len(self.workers))
        worker = self.workers[place]
        # One that has ended by itself, before its time, has failed.
        self.crashed += worker.exitcode is not None and time.monotonic() < self.until
        worker.kill()
        worker.join()
        self.worker_kills += 1
        self.workers[place] = self._fork(self._work)

    def _kill_server(self) -> None:
        pid = self.server.pid()
        assert pid is not None
        os.kill(pid, self.dice.choice((signal.SIGKILL, signal.SIGQUIT)))
        self.postgres_kills += 1
        self._kill_worker()
        while alive(pid):
            time.sleep(0.002)
        self.server.start(die_with_parent=True)

    def _fork(self, work: Callable[..., None], *given: str) -> multiprocessing.process.BaseProcess:
        self.started += 1
        process = FORK.Process(target=work, args=(self.started, *given), daemon=True)
        process.start()
        return process

    def _work(self, number: int) -> None:
        from tests.crash.told import Log
        from tests.crash.worker import Worker

        log = Log(self.logs / str(number))
        worker = Worker(keys=self.keys, dice=_dice(self.options.seed, str(number)), log=log)
        asyncio.run(worker.run(until=self.until))

    def _meddle(self, number: int, what: str) -> None:
        from tests.crash import meddlers
        from tests.crash.told import Log

        log = Log(self.logs / str(number))
        if what == "sweep":
            meddlers.repeat(meddlers.sweeping(), until=self.until, log=log, rest_s=0.1)
        elif what == "change":
            work = meddlers.changing(dice=_dice(self.options.seed, what), log=log)
            meddlers.repeat(work, until=self.until, log=log, rest_s=0.2, rests=4)
        else:
            work = meddlers.checking(log=log)
            meddlers.repeat(work, until=self.until, log=log, rest_s=1.0, rests=4)

    def _compare(self) -> Counts:
        from budgets.holds.models import Hold, JournalEntry
        from budgets.holds.operations import expire
        from budgets.holds.queries import differences
        from tests.crash.told import Told, compare

        patience = time.monotonic() + SWEPT_WITHIN_S
        while Hold.objects.exists() and time.monotonic() < patience:
            expire()
            time.sleep(0.1)
        told = Told.read(self.logs)
        for failure in told.failures[:20]:
            sys.stderr.write(failure + "\n")
        counts = compare(told=told, journal=JournalEntry.objects.order_by("pk").iterator())
        counts.over = _overspent()
        counts.differences = len(differences())
        counts.left = Hold.objects.count()
        counts.crashed = self.crashed
        counts.deadlocks = self.server.log.read_text(errors="replace").count("deadlock detected")
        return counts


def _set_up_django(server: Postgres) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "costsite.settings",
        "DATABASE_URL": server.url,
        "COSTSITE_DATA": str(server.data),
        "COSTSITE_ENV_FILE": str(server.data / "no.env"),
        "COSTSITE_BASE_URL": "http://testserver",
        # A pool has threads, and what has threads cannot be forked.
        "COSTSITE_DB_POOL_SIZE": "0",
        "ALLOWED_HOSTS": "testserver",
        "CELERY_BROKER_URL": "memory://",
        "EMAIL_URL": "memory:",
        "SECRET_KEY": "only-for-tests-0123456789-0123456789-0123456789-0123456789",
        "COSTSITE_KEY_PEPPER": "only-for-tests-pepper-0123456789",
        "COSTSITE_PROVIDER_NETWORKS": "127.0.0.0/8",
        "COSTSITE_CREDENTIAL_KEYS": "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtMDA=",
    }
    import django
    from django.core.management import call_command

    django.setup()
    logging.disable(logging.CRITICAL)
    call_command("migrate", verbosity=0)


def _populate() -> list[Key]:
    """Make organizations of two members, under budgets of every kind; give the keys."""
    from django.db import connections

    from tests import make
    from tests.crash import meddlers, told, worker  # noqa: F401  Warm, before the forks.

    plan = make.plan(code="crash", usd_per_user="100000")
    make.budget(name="The site's", limit="100000", each="organization", window="day")
    keys = []
    for number in range(ORGANIZATIONS):
        organization = make.organization(slug=f"crash-{number}", on_plan=plan)
        bob = make.member(of=organization, name=f"bob-{number}")
        for who in (make.user(), bob):
            key, _ = make.key(of=organization, user=who)
            keys.append(worker.Key(key.pk, organization.pk))
        for name, limit, more in _BUDGETS:
            make.budget(organization=organization, name=name, limit=limit, **more)
    connections.close_all()
    return keys


_BUDGETS: tuple[tuple[str, str, dict[str, str | int]], ...] = (
    ("Moving, all", "1", {"window": "total"}),
    ("Moving, a team", "1", {"window": "month", "scope": "tag", "target": "team-a"}),
    (FIXED, "0.5", {"window": "minute", "each": "user"}),
    ("Each model a day, told only", "0.05", {"each": "model", "enforcement": "warn"}),
    ("Each run in two days", "1000", {"each": "session", "window": "rolling", "rolling_days": 2}),
    ("In flight", "40", {"unit": "in_flight", "window": "total", "each": "api_key"}),
    ("Requests", "1200", {"unit": "requests", "window": "minute", "each": "api_key"}),
    ("Tokens", "600000", {"unit": "tokens", "window": "minute", "each": "model"}),
)


def _overspent() -> int:
    """Count balances over a limit, and, of a limit that never changed, by the journal alone.

    A call may go over its own hold, as a provider may bill more than its maximum; nothing else.
    """
    from django.db.models import F

    from budgets.holds.models import JournalEntry
    from budgets.limits.models import Balance

    over = Balance.objects.filter(
        blocks=True, spent__gt=F("limit_amount") + F("excess") - F("held")
    ).count()
    fixed = {b.pk: b.limit_amount for b in Balance.objects.filter(budget__name=FIXED)}
    charged: dict[tuple[int, str], list[Decimal]] = {}
    for entry in JournalEntry.objects.iterator():
        for balance in fixed.keys() & set(entry.balance_ids):
            of_call = charged.setdefault((balance, str(entry.request_id)), [Decimal(0)] * 2)
            of_call[0] += entry.amount_usd
            of_call[1] += entry.held_usd
    within: dict[int, Decimal] = {}
    for (balance, _), (amount, held) in charged.items():
        within[balance] = within.get(balance, Decimal(0)) + min(amount, held)
    return over + sum(amount > fixed[balance] for balance, amount in within.items())


def _dice(seed: int, what: str) -> random.Random:
    return random.Random(f"{seed}/{what}")  # noqa: S311  Chance that can be repeated, no secret.


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills-per-second", type=float, default=2)
    parser.add_argument("--postgres-every", type=float, default=5, help="seconds")
    return parser.parse_args()


def main() -> int:
    """Run once and say what was found."""
    folder = Path(tempfile.mkdtemp(prefix="costsite-crash-"))
    # PostgreSQL's account must pass through when this runs as root.
    folder.chmod(0o755)
    options = _options()
    siege = Siege(options=options, folder=folder)
    try:
        counts = siege.run()
    finally:
        siege.server.destroy()
        placement.remove(siege.server.data)
        shutil.rmtree(folder, ignore_errors=True)
    kills = f"worker_kills={siege.worker_kills} postgres_kills={siege.postgres_kills}"
    sys.stdout.write(f"seed={options.seed} seconds={options.seconds:g} {kills} {counts}\n")
    return 1 if counts.violations else 0


if __name__ == "__main__":
    sys.exit(main())
