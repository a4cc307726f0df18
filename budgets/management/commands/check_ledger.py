"""Compares every balance with the open holds and the journal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from budgets.holds import queries


class Command(BaseCommand):
    """Print each balance that is not what the holds and the journal add up to; exit 1 if any."""

    help = "Compare balances, open holds and journal in one snapshot; exit 1 on any difference."

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, print, and fail on a difference."""
        found = queries.differences()
        for difference in found:
            self.stdout.write(
                f"balance {difference.balance_id} ({difference.budget} {difference.subject}"
                f" from {difference.window_start:%Y-%m-%d %H:%M}): held {difference.held},"
                f" open holds {difference.held_by_holds}; spent {difference.spent},"
                f" journal {difference.spent_by_journal}"
            )
        if found:
            raise CommandError(f"{len(found)} balances differ.")
        self.stdout.write("Balances, open holds and journal agree.")
