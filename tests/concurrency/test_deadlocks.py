"""Everything that locks, at random, from many connections: nobody may wait for who waits for them.

``python3 -m tests.concurrency.test_deadlocks`` runs it large, on a durable server of its own:
32 connections, ten minutes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from tests.servers import forked, own_site

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

    from budgets.holds.terms import HoldRequest, IdempotentName, Settlement
    from budgets.tenancy.models import ApiKey

COST = Decimal("0.01")
ZONES = ("UTC", "Asia/Kolkata", "America/Sao_Paulo")
NAMES = ("red", "green", "blue")


def make_tenants() -> None:
    """Make three organizations on two plans, with budgets of every rank; and the site's own."""
    from tests import make

    plans = [make.plan(code=code, usd_per_user="5") for code in ("small", "large")]
    make.budget(limit="1000", window="day", name="Site")
    make.budget(limit="300", each="organization", name="Each organization")
    for plan in plans:
        make.budget(plan=plan, limit="1000", unit="requests", window="minute", each="api_key")
    for number, slug in enumerate(("one", "two", "three")):
        organization = make.organization(slug=slug, on_plan=plans[number % 2])
        owner = organization.memberships.get().user
        for who in (owner, make.member(of=organization)):
            key, _ = make.key(of=organization, user=who)
            make.budget(organization=organization, limit="20", scope="user", target=str(who.pk))
            make.budget(organization=organization, limit="20", scope="api_key", target=str(key.pk))
        make.budget(organization=organization, limit="30")
        make.budget(organization=organization, limit="30", window="rolling", rolling_days=3)
        make.budget(organization=organization, limit="20", each="session", window="total")
        make.budget(organization=organization, limit="9", scope="tag", target="red", window="day")


@dataclass
class Mixer:
    """One connection that does whatever its dice say, and counts what came of it."""

    picks: random.Random
    keys: list[ApiKey]
    held: list[tuple[UUID, int]] = field(default_factory=list)
    charged: list[tuple[UUID, int]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def run(self, until: float) -> None:
        """Go on until the time is over."""
        from budgets.core.errors import DomainError

        often: list[Callable[[], None]] = [self.step, self.step, self.step, self.expire]
        seldom = [self.recount, self.adjust, self.change_limit, self.change_tenant, self.sweep]
        seldom += [self.change_member, self.retire]
        while time.monotonic() < until:
            what = self.picks.choice(often if self.picks.random() < 0.85 else seldom)
            try:
                what()
            except DomainError as refusal:
                self.done[f"{what.__name__} refused: {refusal.code}"] += 1
            except Exception as error:  # noqa: BLE001  # Told at the end, whatever it is.
                self.failed[f"{what.__name__}: {type(error).__name__}: {error}"[:1500]] += 1
            else:
                self.done[what.__name__] += 1

    def step(self) -> None:
        """Settle some calls and hold some, of any tenants, in one transaction."""
        from budgets.holds import operations

        ending = [self.held.pop() for _ in range(min(len(self.held), self.picks.randint(0, 6)))]
        asked = [self.hold() for _ in range(self.picks.randint(0, 6))]
        verdicts = operations.step(holds=asked, settlements=[self.ending(*x) for x in ending])
        admitted = {v.request_id for v in verdicts if v.op == "hold" and v.code == "admitted"}
        self.held += [(a.request_id, a.organization_id) for a in asked if a.request_id in admitted]
        self.charged = (self.charged + ending)[-50:]

    def hold(self) -> HoldRequest:
        """Ask for a call of anyone's, of which some expire at once and some have a name."""
        from budgets.core import clock
        from budgets.core.ids import uuid7
        from budgets.holds.terms import HoldRequest

        key = self.picks.choice(self.keys)
        name = self.picks.choice(NAMES)
        return HoldRequest(
            request_id=uuid7(clock.now()),
            organization_id=key.organization_id,
            api_key_id=key.pk,
            model=name,
            usd=COST,
            least_usd=COST / 2,
            tokens=5,
            ttl_s=self.picks.choice([0, 1, 600]),
            tags=tuple(self.picks.sample(NAMES, self.picks.randint(0, 2))),
            session=self.picks.choice(["", *NAMES]),
            named=self.named(),
        )

    def named(self) -> IdempotentName | None:
        """Give few names, so that steps ask for several that others ask for as well."""
        from budgets.holds.terms import IdempotentName

        if self.picks.random() < 0.7:
            return None
        name = self.picks.choice("abcdefgh")
        return IdempotentName(name, name)

    def ending(self, request: UUID, organization: int) -> Settlement:
        """Charge a call, sometimes more than was held."""
        from budgets.holds.terms import Settlement

        return Settlement(request, organization, COST * self.picks.choice([0, 1, 2]), 5)

    def expire(self) -> None:
        """Charge what is overdue."""
        from budgets.holds import operations

        operations.expire(most=5)

    def recount(self) -> None:
        """Count an organization again, or the site."""
        from budgets.holds import operations

        organization = self.picks.choice(self.keys).organization
        operations.recount(organization=None if self.picks.random() < 0.2 else organization)

    def adjust(self) -> None:
        """Refund a bit of a call."""
        from budgets.holds import operations

        if not self.charged:
            return
        request, owner = self.picks.choice(self.charged)
        organization = next(k.organization for k in self.keys if k.organization_id == owner)
        operations.adjust(
            adjustment=operations.Adjustment(
                organization=organization,
                request_id=request,
                kind="refund",
                amount_usd=-COST / 4,
                reason="a race",
                actor=None,
            )
        )

    def change_limit(self) -> None:
        """Change any limit, the site's and a plan's too, or raise one for a while."""
        from budgets.core import clock
        from budgets.holds import operations
        from budgets.limits.models import Budget, LimitRaise

        budget = self.picks.choice(list(Budget.objects.order_by("pk")))
        if self.picks.random() < 0.5:
            budget.limit_amount = Decimal(self.picks.randint(5, 60))
            operations.put_budget(budget=budget)
            return
        now = clock.now()
        operations.raise_limit(
            limit_raise=LimitRaise(
                budget=budget,
                amount=Decimal(1),
                starts_at=now,
                ends_at=now + timedelta(seconds=1),
                reason="a race",
                made_at=now,
            )
        )

    def change_tenant(self) -> None:
        """Change an organization's time zone or plan."""
        from budgets.holds import operations
        from budgets.plans.models import Plan
        from budgets.tenancy.models import Organization

        which = self.picks.choice(self.keys).organization_id
        organization = Organization.objects.get(pk=which)
        if self.picks.random() < 0.5:
            zone = self.picks.choice(ZONES)
            operations.change_time_zone(organization=organization, time_zone=zone)
        else:
            plan = Plan.objects.get(code=self.picks.choice(["small", "large"]))
            operations.change_plan(organization=organization, plan=plan)

    def change_member(self) -> None:
        """Give a member a plan of their own, or take it away."""
        from budgets.holds import operations
        from budgets.plans.models import Plan
        from budgets.tenancy.models import Membership

        member = self.picks.choice(list(Membership.objects.order_by("pk")))
        code = self.picks.choice(["small", "large", ""])
        plan = Plan.objects.get(code=code) if code else None
        operations.change_member_plan(membership=member, plan=plan)

    def retire(self) -> None:
        """Take any budget out of force, or bring it back."""
        from budgets.holds import operations
        from budgets.limits.models import Budget

        budget = self.picks.choice(list(Budget.objects.order_by("pk")))
        if self.picks.random() < 0.3:
            operations.retire_budget(budget=budget)
        else:
            budget.active = True
            operations.put_budget(budget=budget)

    def sweep(self) -> None:
        """Seal, and delete what is old."""
        from budgets.core import clock
        from budgets.holds import operations

        now = clock.now()
        operations.seal(now=now)
        # Names that steps are asking for at this moment, too.
        operations.sweep_names(now=now + timedelta(hours=24))
        # Sooner than in an hour, but never a minute that a call could still fall into.
        operations.sweep_rate_balances(now=now + timedelta(minutes=57))


def mix(
    seed: int, seconds: float, told: SimpleQueue[tuple[dict[str, int], dict[str, int]]]
) -> None:
    """Run one connection's mix and tell what came of it."""
    from django.db import connection

    from budgets.tenancy.models import ApiKey

    keys = list(ApiKey.objects.select_related("organization").order_by("pk"))
    mixer = Mixer(random.Random(seed), keys)  # noqa: S311
    mixer.run(time.monotonic() + seconds)
    connection.close()
    told.put((dict(mixer.done), dict(mixer.failed)))


def run(*, connections: int, seconds: float, seed: int) -> str:
    """Mix from all connections; give what was found, and fail on a deadlock or a difference."""
    make_tenants()
    told: SimpleQueue[tuple[dict[str, int], dict[str, int]]] = multiprocessing.SimpleQueue()
    mixing = [forked(mix, seed + number, seconds, told) for number in range(connections)]
    done: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for _ in mixing:
        its_done, its_failed = told.get()
        done.update(its_done)
        failed.update(its_failed)
    for process in mixing:
        process.join()

    from django.db import connection

    from budgets.holds import queries

    with connection.cursor() as cursor:
        cursor.execute("select sum(deadlocks) from pg_stat_database")
        deadlocks = int(cursor.fetchone()[0])
    differences = queries.differences()
    found = (
        f"connections={connections} seconds={seconds:.0f} done={done.total()} deadlocks={deadlocks}"
        f" failed={failed.total()} differences={len(differences)} seed={seed}"
    )
    if deadlocks or failed or differences:
        raise SystemExit(f"NOT CLEAN: {found}\n{failed.most_common(8)}\n{differences[:3]}")
    return f"{found}\n{dict(done.most_common())}"


def main() -> None:
    """Run it and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    options = parser.parse_args()
    with own_site():
        sys.stdout.write(run(**vars(options)) + "\n")


def test_nobody_waits_for_who_waits_for_them() -> None:
    command = [sys.executable, "-m", "tests.concurrency.test_deadlocks", "--connections", "8"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}

    done = subprocess.run(
        [*command, "--seconds", "5"],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "deadlocks=0 failed=0 differences=0" in done.stdout


if __name__ == "__main__":
    main()
