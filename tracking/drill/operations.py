"""Runs a drill and says what it saw."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
from django.db.models import Sum

from budgets.core import clock
from budgets.holds.models import Hold, JournalEntry
from budgets.holds.operations import expire
from budgets.holds.queries import differences
from budgets.limits.models import Budget
from budgets.plans.models import Plan
from budgets.tenancy import operations as tenancy
from budgets.tenancy.models import Organization, Project, User
from tracking.drill.provider import CountingProvider, counting_provider
from tracking.drill.servers import READY_S, Servers
from tracking.gateway.models import Provider
from tracking.pricing.models import CatalogModel, Price
from tracking.pricing.operations import Publication, publish_price
from tracking.pricing.rates import Rates

INPUT_USD = Decimal("0.000011000000")
OUTPUT_USD = Decimal("0.000033000000")
MAX_TOKENS = 100
_CALLS_A_KILL = 200
# Short, so that the holds of a killed server are swept within the drill.
_TIMEOUT_S = 5
_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do: how many calls, how many at once, over how many servers, with which limit."""

    calls: int
    parallel: int
    processes: int
    limit_usd: Decimal
    kill: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What happened; amounts in USD. ``answered`` is what the callers were told."""

    seed: int
    limit_usd: Decimal
    answered: int
    refused: dict[str, int]
    broken_off: int
    kills: int
    served_by_provider: int
    true_cost_usd: Decimal
    charged_usd: Decimal
    estimated_usd: Decimal
    overshoot_usd: Decimal
    leaked_holds: int
    differences: int
    seconds: float

    @property
    def drift_usd(self) -> Decimal:
        """What was charged above what the provider served; estimates of killed calls are above."""
        return self.charged_usd - self.true_cost_usd

    @property
    def is_clean(self) -> bool:
        """Whether the promise held: nothing overspent, leaked, lost, or charged without cause."""
        is_exact = self.drift_usd == 0 if not self.kills else self.drift_usd >= 0
        is_whole = not (self.overshoot_usd or self.leaked_holds or self.differences)
        return is_exact and is_whole and self.answered > 0


@dataclass(frozen=True, slots=True)
class _Tenant:
    organization: Organization
    key: str
    model: str


def run(orders: Orders) -> Findings:
    """Make a tenant, fire the calls at servers of its own, and count with the provider.

    :raises ChildProcessError: if a server ends that nobody killed
    :raises TimeoutError: if a server or the provider does not start
    """
    begun = time.monotonic()
    with counting_provider(seed=orders.seed) as provider:
        tenant = _make_tenant(provider, orders)
        log = Path(tempfile.mkdtemp(prefix="costsite-drill-")) / "servers.log"
        environment = {
            "COSTSITE_PROVIDER_TIMEOUT_S": str(_TIMEOUT_S),
            "COSTSITE_SETTLING_GRACE_S": str(_GRACE_S),
            # The calls come over loopback and plain HTTP, whatever the site's public address is.
            "ALLOWED_HOSTS": "127.0.0.1",
            "COSTSITE_BASE_URL": "http://127.0.0.1",
            # So does the provider.
            "COSTSITE_PROVIDER_NETWORKS": "127.0.0.0/8",
            "COSTSITE_PROVIDER_ATTEMPTS": "1",
        }
        servers = Servers(count=orders.processes, log=log, environment=environment)
        try:
            servers.await_ready()
            outcomes = asyncio.run(_fire(orders, tenant, servers))
        finally:
            servers.stop()
        _sweep(tenant)
        findings = _count(orders, tenant, provider, servers, outcomes, begun)
    Organization.objects.filter(pk=tenant.organization.pk).update(
        status=Organization.Status.SUSPENDED
    )
    return findings


def _make_tenant(provider: CountingProvider, orders: Orders) -> _Tenant:
    now = clock.now()
    name = f"drill-{secrets.token_hex(4)}"
    plan, _ = Plan.objects.get_or_create(code="drill", defaults={"name": "Drill"})
    owner = User.objects.create_user(f"{name}@example.com", is_active=True)
    organization = tenancy.create_organization(name=name, slug=name, plan=plan, owner=owner)
    Budget.objects.create(organization=organization, name="Drill", limit_amount=orders.limit_usd)
    # Not connected as a person would: the drill's own provider is on the loopback.
    Provider.objects.create(
        name=name,
        kind=Provider.Kind.OPENAI_COMPATIBLE,
        base_url=provider.url,
        organization=organization,
    )
    model = CatalogModel.objects.create(
        name=f"{name}/model", provider=name, max_output_tokens=MAX_TOKENS, listed_at=now
    )
    publish_price(
        model=model,
        rates=Rates({"input": INPUT_USD, "output": OUTPUT_USD}),
        publication=Publication(source=Price.Source.STATED, at=now - timedelta(seconds=1)),
    )
    project = Project.objects.for_organization(organization).get()
    _, key = tenancy.create_key(project=project, user=owner, name="Drill")
    return _Tenant(organization, key, model.name)


async def _fire(orders: Orders, tenant: _Tenant, servers: Servers) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    chance = random.Random(orders.seed)  # noqa: S311  The same drill for the same seed.
    kills = _kills(orders, chance)
    numbers = iter(range(orders.calls))
    ports = itertools.cycle(servers.ports)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def caller() -> None:
            for number in numbers:
                if number in kills:
                    servers.kill_one(chance)
                outcomes[await _call(session, tenant, ports)] += 1

        await asyncio.gather(*(caller() for _ in range(orders.parallel)))
    return outcomes


def _kills(orders: Orders, chance: random.Random) -> set[int]:
    """Choose the calls before which a server is killed: one in a few hundred, and always one."""
    if not orders.kill:
        return set()
    # Not before all callers are under way, where there are enough calls for that.
    earliest = min(orders.parallel, orders.calls - 1)
    calls = range(earliest, orders.calls)
    return set(chance.sample(calls, k=max(1, len(calls) // _CALLS_A_KILL)))


async def _call(session: aiohttp.ClientSession, tenant: _Tenant, ports: Iterator[int]) -> str:
    """Make one call; give "answered", the code of its refusal, or "broken off".

    A server that was killed takes no connection until it is back. Nothing was sent to it, so the
    call goes to the next one.

    :raises TimeoutError: if none takes a connection
    """
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            return await _call_at(session, tenant, next(ports))
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.2)
    raise TimeoutError(f"No server took a connection for {READY_S:.0f} s.")


async def _call_at(session: aiohttp.ClientSession, tenant: _Tenant, port: int) -> str:
    body = {
        "model": tenant.model,
        "messages": [{"role": "user", "content": "drill"}],
        "max_tokens": MAX_TOKENS,
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = {"Authorization": f"Bearer {tenant.key}"}
    try:
        async with session.post(url, json=body, headers=headers) as response:
            answer = await response.json()
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientError, TimeoutError):
        return "broken off"
    return "answered" if response.status == 200 else str(answer["error"]["code"])


def _sweep(tenant: _Tenant) -> None:
    """Give the holds of killed servers time to expire, and charge them as the sweeper would."""
    deadline = time.monotonic() + _TIMEOUT_S + _GRACE_S + 5
    while time.monotonic() < deadline:
        expire(most=1000)
        if not Hold.objects.for_organization(tenant.organization).exists():
            return
        time.sleep(0.5)


def _count(
    orders: Orders,
    tenant: _Tenant,
    provider: CountingProvider,
    servers: Servers,
    outcomes: Counter[str],
    begun: float,
) -> Findings:
    entries = JournalEntry.objects.for_organization(tenant.organization)
    estimates = entries.filter(kind=JournalEntry.Kind.ESTIMATE)
    true_cost = provider.input_tokens * INPUT_USD + provider.output_tokens * OUTPUT_USD
    told = ("answered", "broken off")
    return Findings(
        seed=orders.seed,
        limit_usd=orders.limit_usd,
        answered=outcomes["answered"],
        refused={code: count for code, count in sorted(outcomes.items()) if code not in told},
        broken_off=outcomes["broken off"],
        kills=servers.kills,
        served_by_provider=provider.served,
        true_cost_usd=true_cost,
        charged_usd=entries.aggregate(total=Sum("amount_usd"))["total"] or Decimal(0),
        estimated_usd=estimates.aggregate(total=Sum("amount_usd"))["total"] or Decimal(0),
        overshoot_usd=max(true_cost - orders.limit_usd, Decimal(0)),
        leaked_holds=Hold.objects.for_organization(tenant.organization).count(),
        differences=sum(d.organization_id == tenant.organization.pk for d in differences()),
        seconds=round(time.monotonic() - begun, 1),
    )
