"""``python3 -m tests.benchmarks.gateway rates|memory|streams|profile``: see the package."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from tests.benchmarks.gateway import sites
from tests.benchmarks.gateway.load import Asked, ask, connected
from tests.benchmarks.gateway.processes import cpu_s, memory_mb
from tests.benchmarks.gateway.sites import BARE, BY_LIBRARY, GATEWAY, RELAY, WIRED, Bench, Served

AT_ONCE = (1, 16, 64, 256)
# Connections, plans and caches are not measured.
_WARM_CALLS = 300


@dataclass(frozen=True)
class Case:
    """Which server is asked for what."""

    name: str
    application: str
    model: str = f"{WIRED}/x-plain"
    is_streamed: bool = False


CASES = (
    Case("relay", RELAY),
    Case("relay, streamed", RELAY, is_streamed=True),
    Case("bare", BARE),
    Case("bare, streamed", BARE, is_streamed=True),
    Case("wire", GATEWAY),
    Case("wire, streamed", GATEWAY, is_streamed=True),
    Case("wire, streamed, a packet each", GATEWAY, f"{WIRED}/x-apart", is_streamed=True),
    Case("library", GATEWAY, f"{BY_LIBRARY}/x-plain"),
    Case("library, streamed", GATEWAY, f"{BY_LIBRARY}/x-plain", is_streamed=True),
)


@dataclass(frozen=True)
class Figures:
    """What one case came to at so many at once: rate a second, CPU ms a call, latency in ms."""

    name: str
    at_once: int
    rate: float
    server_cpu_ms: float
    postgres_cpu_ms: float
    p50_ms: float
    p99_ms: float
    memory_mb: float


def measure(
    bench: Bench, served: Served, case: Case, at_once: int, options: argparse.Namespace
) -> Figures:
    """Ask one case for some seconds."""
    asked = Asked(served.url, bench.key, case.model, at_once, case.is_streamed)
    before = cpu_s(served.pid), cpu_s(bench.postgres_pid)
    seen = ask(asked, seconds=options.seconds)
    after = cpu_s(served.pid), cpu_s(bench.postgres_pid)
    calls = len(seen.took_s)
    return Figures(
        case.name,
        at_once,
        seen.rate,
        (after[0] - before[0]) * 1000 / calls,
        (after[1] - before[1]) * 1000 / calls,
        seen.percentile_ms(0.5),
        seen.percentile_ms(0.99),
        memory_mb(served.pid)[0],
    )


def rates(bench: Bench, options: argparse.Namespace) -> None:
    """Measure every case, and print the table; the floors come first, in the same run."""
    found: list[Figures] = []
    served_calls = 0
    cases = [case for case in CASES if options.only in case.name]
    for application in dict.fromkeys(case.application for case in cases):
        before = bench.served_upstream()
        with bench.serving(application, workers=options.workers) as served:
            for figures in _of_one(bench, served, application, cases, options):
                found.append(figures)
                sys.stderr.write(f"{figures}\n")
        if application == GATEWAY:
            served_calls = bench.served_upstream() - before
    sys.stdout.write(table(found) + "\n")
    if options.json:
        options.json.write_text(json.dumps([asdict(figures) for figures in found], indent=1))
    check(served_calls)


def _of_one(
    bench: Bench, served: Served, application: str, cases: list[Case], options: argparse.Namespace
) -> Iterator[Figures]:
    for case in cases:
        if case.application != application:
            continue
        ask(Asked(served.url, bench.key, case.model, 16, case.is_streamed), most=_WARM_CALLS)
        for at_once in options.at_once:
            for _ in range(options.repeats):
                yield measure(bench, served, case, at_once, options)


def table(found: list[Figures]) -> str:
    """Write the medians of all repeats, one line for each case and number at once."""
    lines = [
        "| case | at once | a second | server CPU ms | Postgres CPU ms | p50 / p99 ms | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, at_once in dict.fromkeys((one.name, one.at_once) for one in found):
        same = [one for one in found if (one.name, one.at_once) == (name, at_once)]
        median = {
            field: statistics.median(getattr(one, field) for one in same)
            for field in Figures.__dataclass_fields__
            if field not in ("name", "at_once")
        }
        lines.append(
            "| {name} | {at_once} | {rate:,.0f} | {server_cpu_ms:.2f} | {postgres_cpu_ms:.2f} "
            "| {p50_ms:.1f} / {p99_ms:.1f} | {memory_mb:.0f} |".format(
                name=name, at_once=at_once, **median
            )
        )
    return "\n".join(lines)


def check(served_calls: int) -> None:
    """Hold the ledger against the provider's own count, and its balances against its journal.

    :raises SystemExit: if a call is missing or is charged twice, or a balance differs
    """
    from budgets.holds.models import Hold
    from budgets.holds.queries import differences
    from tracking.ledger.models import CostRecord

    records = CostRecord.objects.count()  # of the one tenant that there is
    sys.stdout.write(f"The provider served {served_calls:,} calls; recorded are {records:,}.\n")
    if records != served_calls or Hold.objects.exists() or differences():
        raise SystemExit("the ledger is not in order")


def memory(bench: Bench, options: argparse.Namespace) -> None:
    """Print what a worker holds after every tenth of so many calls."""
    with bench.serving(GATEWAY) as served:
        for is_streamed in (False, True):
            asked = Asked(served.url, bench.key, f"{WIRED}/x-plain", 64, is_streamed)
            for tenth in range(11):
                if tenth:
                    ask(asked, most=options.calls // 20)
                held = memory_mb(served.pid)[0]
                way = "streamed" if is_streamed else "whole"
                sys.stdout.write(f"{tenth * options.calls // 20:,} calls, {way}: {held:.0f} MB\n")
    check(bench.served_upstream())


def streams(bench: Bench, options: argparse.Namespace) -> None:
    """Print what open streams hold through which nothing comes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with bench.serving(GATEWAY, COSTSITE_DRAIN_S="0") as served:
        ask(
            Asked(served.url, bench.key, f"{WIRED}/x-plain", 16, is_streamed=True), most=_WARM_CALLS
        )
        asked = Asked(served.url, bench.key, f"{WIRED}/x-idle", 1, is_streamed=True)
        base, held = uvloop.run(_opened(served, asked, options.streams))
        sys.stdout.write(
            f"{options.streams:,} idle streams: {held - base:.0f} MB above the base of {base:.0f} MB,"
            f" {(held - base) * 1000 / options.streams:.0f} KB each\n"
        )


async def _opened(served: Served, asked: Asked, number: int) -> tuple[float, float]:
    """Open streams and give the megabytes before and while all of them are open."""
    base = memory_mb(served.pid)[0]
    connections = [await connected(asked.url) for _ in range(number)]
    answers = [connection.ask(asked.request()) for connection in connections]
    for connection in connections:
        await connection.begun.wait()
    held = memory_mb(served.pid)[0]
    for answer, connection in zip(answers, connections, strict=True):
        answer.cancel()  # It never comes, and nobody waits for it.
        connection.close()
    return base, held


def main() -> None:
    """Measure what is asked for."""
    measurements = {"rates": rates, "memory": memory, "streams": streams}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=measurements)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--at-once", type=int, nargs="*", default=AT_ONCE)
    parser.add_argument("--calls", type=int, default=100_000, help="with memory")
    parser.add_argument("--streams", type=int, default=1000, help="with streams")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with sites.bench() as bench:
        measurements[options.what](bench, options)


if __name__ == "__main__":
    main()
