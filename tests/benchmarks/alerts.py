"""How long a tick takes over many rules: ``python3 -m tests.benchmarks.alerts [--rules 10000]``.

On a server of its own. Half of the rules watch budgets, half a day's spend; each organization has
ten of them and a hundred calls. The first tick opens an alert for every tenth rule, the second one
finds nothing new: that is what a usual minute is like.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.servers import own_site

PER_ORGANIZATION = 10
CALLS = 100


def main() -> None:
    """Read how many rules, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=5)
    options = parser.parse_args()
    with own_site():
        _run(options)


def _run(options: Any) -> None:
    from budgets.alerts.models import Alert, AlertRule, Delivery
    from tests.make import NOW

    organizations = options.rules // PER_ORGANIZATION
    for number in range(organizations):
        _make(number)
    _say(f"{AlertRule.objects.count()} rules of {organizations} organizations")
    seconds = []
    for minute in range(options.ticks):
        took_s, checked = _tick(NOW + timedelta(minutes=minute))
        seconds.append(took_s)
        told = Delivery.objects.count()
        _say(f"tick {minute}: {checked} rules in {took_s:.2f} s, {told} messages")
    usual = statistics.median(seconds[1:])
    _say(f"first {seconds[0]:.2f} s, median of the others {usual:.2f} s")
    _say(f"{Alert.objects.count()} alerts")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _tick(now: Any) -> tuple[float, int]:
    from budgets.alerts.checks import check_due

    began, checked = time.perf_counter(), 0
    while count := check_due(now=now):
        checked += count
    return time.perf_counter() - began, checked


def _make(number: int) -> None:
    """Make an organization with a key, its calls, and its rules; one in ten of them is crossed."""
    from budgets.alerts.models import AlertRule, Channel
    from budgets.holds.operations import step
    from budgets.holds.terms import HoldRequest, Settlement
    from tests import make

    organization = make.organization(slug=f"org-{number}", on_plan=make.plan(code="many"))
    make.budget(organization=organization, limit="1000", name="Team", thresholds=[])
    key, _ = make.key(of=organization, user=make.user())
    ids = [make.request_id() for _ in range(CALLS)]
    usd = Decimal("0.1")
    holds = [
        HoldRequest(
            request_id=one,
            organization_id=organization.pk,
            api_key_id=key.pk,
            model=f"model-{n % 5}",
            usd=usd,
            least_usd=usd,
            tokens=10,
            ttl_s=60,
        )
        for n, one in enumerate(ids)
    ]
    step(holds=holds, now=make.NOW)
    step(
        settlements=[Settlement(one, organization.pk, usd, 10, "charge") for one in ids],
        now=make.NOW,
    )
    Channel.objects.create(organization=organization, name="Slack", kind="slack")
    AlertRule.objects.bulk_create(
        AlertRule(
            organization=organization,
            name=f"Rule {n}",
            kind="spend" if n % 2 else "budget",
            each="model" if n % 4 == 1 else "",
            warning_at=[Decimal(9 if n == 3 else 100)],
            next_check_at=make.NOW,
        )
        for n in range(PER_ORGANIZATION)
    )


if __name__ == "__main__":
    main()
