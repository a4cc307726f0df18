"""Makes an empty site able to answer calls."""

from __future__ import annotations

import os
from typing import Any

from budgets.core import clock
from budgets.core.commands import DatabaseCommand
from tracking.gateway import connections


class Command(DatabaseCommand):
    """Import the catalogue, connect the demo provider and those with a key in the environment."""

    help = "Import models and prices and connect providers, where there are none. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, then say what was done."""
        for line in connections.prepare_site(environment=os.environ, now=clock.now()):
            self.stdout.write(line)
