"""Makes the settlements that processes wrote down because the database was away."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from budgets.core.commands import DatabaseCommand
from tracking.ledger import unsettled
from tracking.ledger.unsettled import Replay


class Command(DatabaseCommand):
    """Settle what was written down; safe to repeat."""

    help = "Make the settlements that processes wrote down because the database was away."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the form."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, say what became of each, and fail if a call could not be settled."""
        replayed = unsettled.replay(folder=settings.COSTSITE_DATA / "unsettled")
        self.stdout.write(json.dumps(asdict(replayed)) if options["json"] else _line(replayed))
        if replayed.unknown or replayed.refused:
            raise CommandError("Some calls could not be settled here; their files were kept.")


def _line(replayed: Replay) -> str:
    return (
        f"{replayed.settled} settled now, {replayed.already} settled before,"
        f" {replayed.unknown} unknown to this ledger, {replayed.refused} refused by it."
    )
