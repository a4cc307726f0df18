"""How many calls a second the ledger holds and settles with durable commits.

``python3 -m tests.benchmarks.ledger --repeats 3`` prints a table; ``--json FILE`` keeps it.
Machines differ, and so do hours on one machine. So every round also runs PostgreSQL's own pgbench
on the same server, and each figure is given as a ratio to it too. Beside them stands the CPU time
that the server and the asking processes took, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from costsite.embedded import Postgres
from costsite.placement import found_binaries
from tests.servers import forked, own_site

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

    from budgets.holds.lane import Lane

USD = Decimal("0.000123456789")
SPENT = Decimal("0.000098765432")
PLENTY = "100000000"
TENANTS = 1000
PGBENCH_CLIENTS = 16

Caller = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """One way of asking the ledger: who asks, how many at once, in how many processes."""

    name: str
    callers: str
    in_flight: int
    processes: int = 1


@dataclass(frozen=True)
class Ran:
    """One run of one case, or of pgbench: operations a second, and CPU time for each of them."""

    rate: float
    server_us: float
    caller_us: float
    latencies_s: list[float] = field(default_factory=list)


class Meter:
    """Counts the CPU seconds of a server, its backends and the processes that asked it."""

    def __init__(self, server: Postgres) -> None:
        pid = server.pid()
        assert pid is not None
        self._server = pid
        self._begun = self._seconds()

    def _seconds(self) -> tuple[float, float]:
        """Add up the server with the backends that have ended and those that live; and the askers."""
        ticks = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # It has ended meanwhile.
                fields = file.read_text().rpartition(")")[2].split()
                is_server = file.parent.name == str(self._server)
                if is_server or fields[1] == str(self._server):
                    ticks += sum(int(field) for field in fields[11 : 15 if is_server else 13])
        asked = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ticks / os.sysconf("SC_CLK_TCK"), asked.ru_utime + asked.ru_stime

    def ran(self, *, done: float, seconds: float, latencies_s: list[float]) -> Ran:
        """Give what was measured since the beginning, now that so many operations are done."""
        server, asked = (
            (after - before) / done * 1e6
            for after, before in zip(self._seconds(), self._begun, strict=True)
        )
        return Ran(done / seconds, server, asked, latencies_s)


@dataclass
class Measured:
    """What was measured of one case: operations a second, CPU time, milliseconds a hold; a round each."""

    rates: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    server_us: list[float] = field(default_factory=list)
    caller_us: list[float] = field(default_factory=list)
    p50s_ms: list[float] = field(default_factory=list)
    p99s_ms: list[float] = field(default_factory=list)


CASES = (
    Case("one budget, 1 in flight", "hot", 1),
    Case("one budget, 16 in flight", "hot", 16),
    Case("one budget, 64 in flight", "hot", 64),
    Case("one budget, 4 processes of 16 in flight", "hot", 16, 4),
    Case("1,000 tenants x 4 budgets, 64 in flight", "tenants", 64),
    Case("refusals, 64 in flight", "full", 64),
    Case("refusals, 4 processes of 64 in flight", "full", 64, 4),
)

# A year of a busy site: entries spread over the tenants, and the balances of budgets that they had.
FILL = """
insert into budgets_journalentry (
  organization_id, request_id, seq, kind, amount_usd, held_usd, tokens, api_key_id, project_id,
  user_id, model, tags, session, balance_ids, admitted_at, booked_at, reason)
select o.ids[1 + mod(n, cardinality(o.ids))], gen_random_uuid(), 0, 'charge', 0.0001, 0.0002, 700, 1, 1,
  1, 'openai/gpt-4o-mini', '{}', '', array[n], at, at + interval '2 seconds', ''
from generate_series(1, %(entries)s) n
cross join (select array_agg(id) as ids from budgets_organization) o
cross join lateral (select now() - interval '1 year' * (1 - n / %(entries)s::float8) as at) t
"""
FILL_BALANCES = """
insert into budgets_balance (
  organization_id, budget_id, subject, window_start, unit, rank, blocks, limit_amount, held, spent,
  excess, opening)
select d.organization_id, d.id, '', timestamptz '2020-01-01 00:00Z' + interval '1 day' * n, 'usd', 1,
  true, 1, 0, 0, 0, 0
from (select * from budgets_budget where organization_id is not null order by id) d
cross join generate_series(1, %(each)s) n
"""


def make_callers() -> dict[str, list[Caller]]:
    """Make the organizations that the cases ask as: their ids and keys."""
    from tests import make

    plan = make.plan(code="bench")
    callers: dict[str, list[Caller]] = {"hot": [], "full": [], "tenants": []}
    for slug, limit in (("hot", PLENTY), ("full", "0.0001")):
        organization = make.organization(slug=slug, on_plan=plan)
        make.budget(organization=organization, limit=limit)
        key, _ = make.key(of=organization, user=make.user())
        callers[slug] = [(organization.pk, key.pk)]
    for number in range(TENANTS):
        organization = make.organization(slug=f"tenant-{number}", on_plan=plan)
        key, _ = make.key(of=organization, user=make.user())
        make.budget(organization=organization, limit=PLENTY)
        for scope, target in (
            ("project", key.project_id),
            ("user", key.user_id),
            ("api_key", key.pk),
        ):
            make.budget(organization=organization, limit=PLENTY, scope=scope, target=str(target))
        callers["tenants"].append((organization.pk, key.pk))
    return callers


async def ask(
    lane: Lane, callers: list[Caller], in_flight: int, seconds: float
) -> tuple[int, list[float]]:
    """Hold and settle for some seconds; give how many calls were done and each hold's seconds."""
    from budgets.core import clock
    from budgets.core.ids import uuid7
    from budgets.holds.terms import HoldRequest, Settlement

    picks = random.Random(1)  # noqa: S311  # Only spreads the load.
    latencies: list[float] = []
    ends_at = time.perf_counter() + seconds
    done = 0

    async def caller() -> None:
        nonlocal done
        while (begun := time.perf_counter()) < ends_at:
            organization, key = picks.choice(callers)
            request = HoldRequest(
                request_id=uuid7(clock.now()),
                organization_id=organization,
                api_key_id=key,
                model="openai/gpt-4o-mini",
                usd=USD,
                least_usd=USD,
                tokens=1000,
                ttl_s=600,
            )
            verdict = await lane.hold(request)
            latencies.append(time.perf_counter() - begun)
            if verdict.code == "admitted":
                await lane.settle(Settlement(request.request_id, organization, SPENT, 700))
            done += 1

    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return done, latencies


def in_one_process(
    callers: list[Caller],
    in_flight: int,
    seconds: float,
    told: SimpleQueue[tuple[int, list[float]]],
) -> None:
    """Run a lane of one's own and tell what it did."""

    async def run() -> None:
        from budgets.holds.lane import Lane

        lane = Lane()
        await lane.start()
        await ask(lane, callers, in_flight, 0.2)  # Connections and plans are not measured.
        told.put(await ask(lane, callers, in_flight, seconds))
        await lane.stop()

    uvloop.run(run())


def measure(case: Case, callers: list[Caller], seconds: float, server: Postgres) -> Ran:
    """Run one case."""
    told: SimpleQueue[tuple[int, list[float]]] = multiprocessing.SimpleQueue()
    meter = Meter(server)
    processes = [
        forked(in_one_process, callers, case.in_flight, seconds, told)
        for _ in range(case.processes)
    ]
    results = [told.get() for _ in processes]
    for process in processes:
        process.join()
    latencies = [took for _, each in results for took in each]
    return meter.ran(done=sum(done for done, _ in results), seconds=seconds, latencies_s=latencies)


class Pgbench:
    """PostgreSQL's own benchmark, its TPC-B-like script, on the same server."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._address = ["-h", str(server.sockets), "-U", server.address["user"]]
        self._program = str(found_binaries() / "pgbench")

    def prepare(self, *, scale: int) -> None:
        """Make its tables: at least as many branches as clients, as its manual asks for."""
        from psycopg import connect

        host, user = self._address[1], self._address[3]
        with connect(host=host, user=user, dbname="postgres", autocommit=True) as session:
            session.execute("create database pgbench")
        self._run("-i", "-q", "-s", str(scale))

    def measure(self, *, seconds: int) -> Ran:
        """Run it with 16 clients and prepared statements."""
        meter = Meter(self._server)
        told = self._run(
            "-c", str(PGBENCH_CLIENTS), "-j", "2", "-M", "prepared", "-T", str(seconds), "-n"
        )
        line = next(line for line in told.splitlines() if line.startswith("tps = "))
        rate = float(line.split()[2])
        return meter.ran(done=rate * seconds, seconds=seconds, latencies_s=[])

    def _run(self, *arguments: str) -> str:
        command = [self._program, *self._address, *arguments, "pgbench"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout


def percentile(values: list[float], share: float) -> float:
    """Give the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def rounds(
    cases: list[Case],
    callers: dict[str, list[Caller]],
    server: Postgres,
    options: argparse.Namespace,
) -> Iterator[tuple[str, Ran, float]]:
    """Measure every case once a round, beside pgbench; give name, figures and ratio."""
    pgbench = Pgbench(server)
    pgbench.prepare(scale=PGBENCH_CLIENTS)
    beside_s = max(2, round(options.seconds / 2))
    for _ in range(options.repeats):
        for case in cases:
            before = pgbench.measure(seconds=beside_s)
            ran = measure(case, callers[case.callers], options.seconds, server)
            after = pgbench.measure(seconds=beside_s)
            base = (before.rate + after.rate) / 2
            yield "pgbench", before, before.rate / base
            yield "pgbench", after, after.rate / base
            yield case.name, ran, ran.rate / base


def fill(*, entries: int, balances: int) -> None:
    """Put a past into the database, and let the planner know of it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from budgets_budget where organization_id is not null")
        budgets = cursor.fetchone()[0]
        cursor.execute(FILL_BALANCES, {"each": -(-balances // budgets)})
        for _ in range(10):
            cursor.execute(FILL, {"entries": entries // 10})
        for name in ("budgets_journalentry", "budgets_balance", "budgets_hold"):
            cursor.execute(f"vacuum analyze {name}")
        cursor.execute("checkpoint")
    connection.close()


def compare() -> float:
    """Compare every balance with the journal, as check_ledger does; give the seconds it took.

    The past that was filled in does not add up, so it finds each of its balances.
    """
    from django.db import connection

    from budgets.holds import queries

    begun = time.perf_counter()
    queries.differences()
    took = time.perf_counter() - begun
    connection.close()
    return took


def table(found: dict[str, Measured]) -> str:
    """Write the medians of all rounds, with the least and the most."""
    lines = [
        "| case | a second: median (least-most) | x pgbench | CPU us: server, callers | hold p50 / p99 ms |",
        "|---|---|---|---|---|",
    ]
    for name, m in found.items():
        rate = f"{statistics.median(m.rates):,.0f} ({min(m.rates):,.0f}-{max(m.rates):,.0f})"
        cpu = f"{statistics.median(m.server_us):.0f}, {statistics.median(m.caller_us):.0f}"
        times = (
            f"{statistics.median(m.p50s_ms):.1f} / {statistics.median(m.p99s_ms):.1f}"
            if m.p50s_ms
            else ""
        )
        lines.append(f"| {name} | {rate} | {statistics.median(m.ratios):.2f} | {cpu} | {times} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--entries", type=int, default=0, help="first put so many into the journal")
    parser.add_argument("--balances", type=int, default=100_000, help="with --entries")
    options = parser.parse_args()
    found: dict[str, Measured] = {}
    with own_site(options={"max_wal_size": "4GB", "shared_buffers": "512MB"}) as server:
        callers = make_callers()
        if options.entries:
            fill(entries=options.entries, balances=options.balances)
            sys.stderr.write(f"all balances compared with the journal in {compare():.1f} s\n")
        cases = [case for case in CASES if options.only in case.name]
        for name, ran, ratio in rounds(cases, callers, server, options):
            m = found.setdefault(name, Measured())
            m.rates.append(ran.rate)
            m.ratios.append(ratio)
            m.server_us.append(ran.server_us)
            m.caller_us.append(ran.caller_us)
            if ran.latencies_s:
                m.p50s_ms.append(percentile(ran.latencies_s, 0.5) * 1000)
                m.p99s_ms.append(percentile(ran.latencies_s, 0.99) * 1000)
                sys.stderr.write(f"{name}: {ran.rate:,.0f}/s, {ratio:.2f} x pgbench\n")
    load = ", ".join(f"{each:.0f}" for each in os.getloadavg())
    sys.stderr.write(f"load of the machine in the last 1, 5, 15 minutes: {load}\n")
    sys.stdout.write(table(found) + "\n")
    if options.json:
        options.json.write_text(json.dumps({n: vars(m) for n, m in found.items()}, indent=1))


if __name__ == "__main__":
    main()
