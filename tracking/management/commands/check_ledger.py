"""Compares everything that was written about money with everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from budgets.core.commands import DatabaseCommand
from tracking.ledger.queries import Audit
from tracking.usage.audit import UsageDifference, audit_all


class Command(DatabaseCommand):
    """Print whatever does not agree; exit 1 if anything does not."""

    help = "Compare balances, holds, journal, records, seals and rollups in one snapshot."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the form."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, print, and fail on a difference."""
        found, rollups = audit_all()
        count = len(found.balances) + len(found.records) + len(found.seals) + len(rollups)
        if options["json"]:
            # Amounts are text, as everywhere: JSON has no exact numbers.
            told = {**asdict(found), "rollups": [asdict(one) for one in rollups]}
            self.stdout.write(json.dumps(told | {"agrees": not count}, cls=DjangoJSONEncoder))
        else:
            for line in _lines(found, rollups):
                self.stdout.write(line)
        if count:
            raise CommandError(f"{count} differences.")
        if not options["json"]:
            self.stdout.write("Balances, open holds, journal, records, seals and rollups agree.")


def _lines(found: Audit, rollups: list[UsageDifference]) -> Iterator[str]:
    for balance in found.balances:
        yield (
            f"balance {balance.balance_id} ({balance.budget} {balance.subject}"
            f" from {balance.window_start:%Y-%m-%d %H:%M}): held {balance.held},"
            f" open holds {balance.held_by_holds}; spent {balance.spent},"
            f" journal {balance.spent_by_journal}"
        )
    for record in found.records:
        yield f"call {record.request_id}: {record.reason}"
    for seal in found.seals:
        yield f"seal of organization {seal.organization_id}, {seal.hour:%Y-%m-%d %H}h: {seal.reason}"
    for rollup in rollups:
        yield (
            f"rollup of organization {rollup.organization_id}, {rollup.span} {rollup.since}"
            f" {rollup.label} {rollup.model}: off by {rollup.calls} calls, {rollup.cost_usd} USD"
        )
