"""Fires parallel calls at a small budget and compares the ledger with the provider's own count."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandError, CommandParser

from budgets.core.commands import DatabaseCommand
from tracking.drill import operations
from tracking.drill.operations import Findings, Orders


class Command(DatabaseCommand):
    """Prove on this machine that a budget is not overspent and no cost is lost."""

    help = "Fire parallel calls at a small budget of a throw-away organization, and count."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say how many calls, how many at once, and whether to kill servers meanwhile."""
        parser.add_argument("--calls", type=int, default=2000)
        parser.add_argument("--parallel", type=int, default=200)
        parser.add_argument("--processes", type=int, default=1, help="web servers of its own")
        parser.add_argument("--limit", default="1.00", help="the budget in USD")
        parser.add_argument("--kill", action="store_true", help="kill servers in mid-load")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the drill, print what it found, and fail if a promise did not hold."""
        orders = _orders(options)
        try:
            found = operations.run(orders)
        except (ChildProcessError, TimeoutError) as error:
            raise CommandError(str(error)) from error
        text = {key: _plain(value) for key, value in (asdict(found) | _derived(found)).items()}
        if options["json"]:
            self.stdout.write(json.dumps(text))
        else:
            for key, value in text.items():
                self.stdout.write(f"{key.replace('_', ' '):20} {value}")
        if not found.is_clean:
            raise CommandError("The drill failed: see above.")


def _orders(options: dict[str, Any]) -> Orders:
    try:
        limit = Decimal(options["limit"])
    except InvalidOperation:
        limit = Decimal("NaN")
    if not limit.is_finite():
        raise CommandError(f"--limit is an amount in USD, not {options['limit']!r}.")
    orders = Orders(
        calls=options["calls"],
        parallel=options["parallel"],
        processes=options["processes"],
        limit_usd=limit,
        kill=options["kill"],
        seed=options["seed"],
    )
    if min(orders.calls, orders.parallel, orders.processes) < 1 or limit <= 0:
        raise CommandError("--calls, --parallel, --processes and --limit are above zero.")
    return orders


def _derived(found: Findings) -> dict[str, Any]:
    return {"drift_usd": found.drift_usd, "clean": found.is_clean}


def _plain(value: Any) -> Any:
    return f"{value:.12f}" if isinstance(value, Decimal) else value
