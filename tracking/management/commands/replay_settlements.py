"""Makes the settlements that processes wrote down because the database was away."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tracking.ledger import unsettled


class Command(BaseCommand):
    """Settle what was written down; safe to repeat."""

    help = "Make the settlements that processes wrote down because the database was away."

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, say what became of each, and fail if a call could not be settled."""
        replayed = unsettled.replay(folder=settings.COSTSITE_DATA / "unsettled")
        self.stdout.write(
            f"{replayed.settled} settled now, {replayed.already} settled before,"
            f" {replayed.unknown} unknown to this ledger, {replayed.refused} refused by it."
        )
        if replayed.unknown or replayed.refused:
            raise CommandError("Some calls could not be settled here; their files were kept.")
