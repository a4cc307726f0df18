"""Two hundred calls at once against a budget that pays for some of them.

First the race that is to be prevented: the same admission written as people write it, a look and
then an update, overspends at once. Then the real site.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import aiohttp
from django.db import connection
from django.db.models import F

from budgets.core.money import PICO_USD
from budgets.limits.models import Balance
from tests import make, tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import ROUND, Tenant
from tests.tracking.gateway.calls import PATH, body, call

CALLS = 200
# A call is held for ten tokens of output and uses five. So fifty fit at once, and a hundred in all.
HELD, COST, LIMIT = Decimal("0.010"), Decimal("0.005"), Decimal("0.5")


def test_a_look_and_then_an_update_overspends(committed_db: None) -> None:
    alice = tenants.tenant(limit=str(LIMIT))
    assert alice.budget is not None
    balance = Balance.objects.create(
        organization=alice.organization,
        budget=alice.budget,
        window_start=make.NOW,
        unit="usd",
        rank=0,
        blocks=False,  # Else the database itself would stop what follows.
        limit_amount=LIMIT,
    )
    threads = 8
    all_have_looked = threading.Barrier(threads)

    def admitted_naively(_: int) -> int:
        admitted = 0
        try:
            for _ in range(CALLS // threads):
                spent = Balance.objects.get(pk=balance.pk).spent
                # The scheduler may pause a thread here as long as it likes. Once is enough.
                if not admitted:
                    all_have_looked.wait()
                if spent + COST <= LIMIT:
                    Balance.objects.filter(pk=balance.pk).update(spent=F("spent") + COST)
                    admitted += 1
        finally:
            connection.close()
        return admitted

    # As much is spent already as leaves room for one call.
    Balance.objects.filter(pk=balance.pk).update(spent=LIMIT - COST)
    with ThreadPoolExecutor(threads) as pool:
        admitted = sum(pool.map(admitted_naively, range(threads)))

    balance.refresh_from_db()
    assert admitted == threads
    assert balance.spent == LIMIT + (threads - 1) * COST


def test_calls_at_once_never_spend_more_than_the_limit(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit=str(LIMIT))

    statuses, costs = asyncio.run(calls_at_once(site, alice))

    codes = Counter(statuses)
    refusals = set(codes) - {"admitted"}
    assert refusals <= {"budget_in_flight", "budget_exceeded", "request_exceeds_budget"}
    assert sum(codes.values()) == CALLS
    entries = alice.journal()
    # The provider's own count is the witness: what it served was charged, once, and nothing else.
    assert codes["admitted"] == upstream.served == len(upstream.requests) == len(entries)
    assert len(alice.records()) == len(entries)
    assert set(costs) == {str(COST.quantize(PICO_USD))}
    # The whole budget could be held at once, and was never exceeded.
    assert LIMIT / HELD <= len(entries) <= LIMIT / COST
    (balance,) = alice.balances()
    assert balance.spent == len(entries) * COST <= LIMIT
    assert balance.held == balance.excess == 0
    assert not alice.holds()
    assert not alice.differences()

    # One by one the rest goes through, to the last cent and not beyond.
    while call(site, alice, model=ROUND, max_tokens=5).status == 200:
        pass
    (balance,) = alice.balances()
    assert balance.spent == LIMIT
    assert len(alice.journal()) == upstream.served == LIMIT / COST


async def calls_at_once(site: Site, tenant: Tenant) -> tuple[list[str], list[str]]:
    """Make the calls, half of them streamed; give how each ended and what the admitted cost."""
    costs: list[str] = []

    async def one(client: aiohttp.ClientSession, number: int) -> str:
        asked = body(model=ROUND, max_tokens=10, is_streamed=bool(number % 2))
        async with client.post(f"{site.url}{PATH}", json=asked) as response:
            if response.status != 200:
                return str((await response.json())["error"]["code"])
            costs.append(cost_told(await response.text()))
            return "admitted"

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=tenant.headers) as client:
        ended = await asyncio.gather(*(one(client, number) for number in range(CALLS)))
    return list(ended), costs


def cost_told(text: str) -> str:
    """Find the cost in an answer, whichever way it came."""
    return text.rpartition('"cost":"')[2].partition('"')[0]
