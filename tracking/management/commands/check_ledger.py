"""Compares everything that was written about money with everything else."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tracking.usage.audit import audit_all


class Command(BaseCommand):
    """Print whatever does not agree; exit 1 if anything does not."""

    help = "Compare balances, holds, journal, records, seals and rollups in one snapshot."

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, print, and fail on a difference."""
        found, rollups = audit_all()
        for balance in found.balances:
            self.stdout.write(
                f"balance {balance.balance_id} ({balance.budget} {balance.subject}"
                f" from {balance.window_start:%Y-%m-%d %H:%M}): held {balance.held},"
                f" open holds {balance.held_by_holds}; spent {balance.spent},"
                f" journal {balance.spent_by_journal}"
            )
        for record in found.records:
            self.stdout.write(f"call {record.request_id}: {record.reason}")
        for seal in found.seals:
            self.stdout.write(
                f"seal of organization {seal.organization_id}, {seal.hour:%Y-%m-%d %H}h: {seal.reason}"
            )
        for rollup in rollups:
            self.stdout.write(
                f"rollup of organization {rollup.organization_id}, {rollup.span} {rollup.since}"
                f" {rollup.label} {rollup.model}: off by {rollup.calls} calls, {rollup.cost_usd} USD"
            )
        count = len(found.balances) + len(found.records) + len(found.seals) + len(rollups)
        if count:
            raise CommandError(f"{count} differences.")
        self.stdout.write("Balances, open holds, journal, records, seals and rollups agree.")
