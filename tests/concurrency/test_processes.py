"""Many processes ask for one budget at once: exactly as many calls are admitted as it pays for.

``python3 -m tests.concurrency.test_processes`` runs it large, on a durable server of its own:
64 processes, 100,000 attempts.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import forked, own_site

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

COST = Decimal("0.000123456789")


@dataclass(frozen=True)
class Asking:
    """Who asks for what: one budget that pays for ``fitting`` calls and a bit, and its keys."""

    organization: int
    keys: tuple[int, ...]
    attempts: int
    seed: int


def make_asking(*, fitting: int, attempts: int, seed: int) -> Asking:
    """Make an organization of two members under one budget, and wider ones that never bind."""
    from tests import make

    organization = make.organization(slug="exact", on_plan=make.plan(code="exact"))
    # Half a call more than fits: the rest must stay unspent.
    make.budget(organization=organization, limit=str(COST * fitting + COST / 2))
    for each in ("user", "api_key", "model"):
        make.budget(organization=organization, limit="100000", each=each)
    owner = organization.memberships.get().user
    keys = tuple(
        make.key(of=organization, user=who)[0].pk for who in (owner, make.member(of=organization))
    )
    return Asking(organization.pk, keys, attempts, seed)


def ask_alone(asking: Asking, number: int, told: SimpleQueue[dict[str, int]]) -> None:
    """Ask from one process: every other one through a lane, the rest one call at a time."""
    from django.db import connections

    from budgets.core import clock
    from budgets.core.ids import uuid7
    from budgets.holds import operations
    from budgets.holds.lane import Lane
    from budgets.holds.terms import HoldRequest

    picks = random.Random(asking.seed + number)  # noqa: S311

    def request() -> HoldRequest:
        return HoldRequest(
            request_id=uuid7(clock.now()),
            organization_id=asking.organization,
            api_key_id=picks.choice(asking.keys),
            model=picks.choice(["one", "two"]),
            usd=COST,
            least_usd=COST,
            tokens=1,
            ttl_s=3600,
        )

    async def through_a_lane() -> Counter[str]:
        lane = Lane(hold_patience_s=600)
        await lane.start()
        codes: Counter[str] = Counter()

        async def caller(times: int) -> None:
            for _ in range(times):
                codes[(await lane.hold(request())).code] += 1

        callers = picks.randint(1, 24)
        shares = [len(range(i, asking.attempts, callers)) for i in range(callers)]
        await asyncio.gather(*(caller(share) for share in shares))
        await lane.stop()
        return codes

    if number % 2:
        codes = asyncio.run(through_a_lane())
    else:
        codes = Counter(operations.hold(request=request()).code for _ in range(asking.attempts))
        connections.close_all()
    told.put(dict(codes))


def run(*, processes: int, attempts: int, fitting: int, seed: int) -> str:
    """Race them all; give what was found, and fail where it is not exact."""
    asking = make_asking(fitting=fitting, attempts=-(-attempts // processes), seed=seed)
    told: SimpleQueue[dict[str, int]] = multiprocessing.SimpleQueue()
    begun = time.monotonic()
    racing = [forked(ask_alone, asking, number, told) for number in range(processes)]
    codes: Counter[str] = Counter()
    for _ in racing:
        codes.update(told.get())
    for process in racing:
        process.join()
    took = time.monotonic() - begun

    from budgets.holds import queries
    from budgets.limits.models import Balance

    shared = Balance.objects.get(budget__organization=asking.organization, budget__each="")
    found = (
        f"processes={processes} attempts={codes.total()} admitted={codes['admitted']}"
        f" of {fitting} refused={codes['over_limit']} held={shared.held} seed={seed}"
        f" differences={len(queries.differences())} seconds={took:.0f}"
    )
    exact = (
        codes == {"admitted": fitting, "over_limit": codes.total() - fitting}
        and codes.total() == asking.attempts * processes
        and shared.held == COST * fitting
        and not queries.differences()
    )
    if not exact:
        raise SystemExit(f"NOT EXACT: {found} {dict(codes)}")
    return found


def main() -> None:
    """Run it and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=64)
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--fitting", type=int, default=12_345)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    options = parser.parse_args()
    with own_site():
        sys.stdout.write(run(**vars(options)) + "\n")


def test_admits_exactly_what_fits_over_processes() -> None:
    command = [sys.executable, "-m", "tests.concurrency.test_processes", "--processes", "6"]
    command += ["--attempts", "900", "--fitting", "321"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}

    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "admitted=321 of 321" in done.stdout


if __name__ == "__main__":
    main()
