"""How long a tick takes over many rules: ``python3 -m tests.benchmarks.alerts [--rules 10000]``.

On a server of its own. Each organization has 25 rules of most kinds, a hundred calls of today, and
forty days before them in the rollups. The first tick opens an alert for one rule in 25, the later ones
find nothing new: that is what a usual minute is like. Then the figures are handed in that only
tracking knows. The making of the tenants, three minutes or so, is not measured.
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

PER_ORGANIZATION = 25
CALLS = 100
KINDS = (
    "budget",
    "spend",
    "spend",
    "spend_rate",
    "unconfirmed",
    "budget_spent",
    "error_rate",
    "refusals",
    "forecast",
    "anomaly",
)


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
    _fill()
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
    _feed(NOW + timedelta(minutes=options.ticks))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _tick(now: Any) -> tuple[float, int]:
    from budgets.alerts.checks import check_due

    began, checked = time.perf_counter(), 0
    while count := check_due(now=now):
        checked += count
    return time.perf_counter() - began, checked


def _feed(now: Any) -> None:
    """Measure what hands figures in, and the tick that reads them."""
    from tracking.anomalies.operations import find_anomalies
    from tracking.observations.operations import hand_in, hand_in_outlooks

    for name, work in (
        ("anomalies looked for", find_anomalies),
        ("figures handed in", hand_in),
        ("outlooks handed in", hand_in_outlooks),
    ):
        began = time.perf_counter()
        count = work(now=now)
        _say(f"{name}: {count} in {time.perf_counter() - began:.2f} s")
    took_s, checked = _tick(now)
    _say(f"tick after it: {checked} rules in {took_s:.2f} s")


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
            kind=KINDS[n % len(KINDS)],
            each="model" if n % len(KINDS) == 1 else "",
            warning_at=[Decimal(9 if n == 2 else 1000)],
            next_check_at=make.NOW,
        )
        for n in range(PER_ORGANIZATION)
    )


def _fill() -> None:
    """Fill the rollups, and copy today to forty days before."""
    from django.db import connection

    from tests.make import NOW
    from tracking.usage.operations import fill

    fill(now=NOW, batches=1000)
    with connection.cursor() as cursor:
        for table, when, step in (
            ("tracking_dayusage", "day", "n"),
            ("tracking_quarterhourusage", "starts_at", "n * interval '24 hours'"),
        ):
            cursor.execute(
                f"""
                insert into {table} (organization_id, series_id, {when}, calls, cost_usd,
                  input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
                  reasoning_tokens, attempts, failed_calls)
                select organization_id, series_id, {when} - {step}, calls, cost_usd, input_tokens,
                  cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
                  attempts, failed_calls
                from {table} cross join generate_series(1, 40) n
                """  # noqa: S608  names of our own
            )
        cursor.execute("analyze")


if __name__ == "__main__":
    main()
