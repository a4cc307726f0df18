"""Makes a demo tenant on an empty site."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from budgets.core import clock
from budgets.core.commands import DatabaseCommand
from tracking.gateway import connections, demo_bulk, demo_site


class Command(DatabaseCommand):
    """Make an administrator, an organization, an API key and a month of calls."""

    help = (
        "Make a demo organization with an API key and a month of calls, if there is none. "
        "With --records also three tenants with so many calls over a year."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how many calls to make in bulk."""
        parser.add_argument("--records", type=int, default=0, help="calls to make in bulk")

    def create(self, *, days: int = demo_site.DAYS) -> dict[str, str]:
        """Make the demo and tell what a newcomer needs; nothing where there is a tenant already."""
        now = clock.now()
        # The catalogue is listed as of the day before the first call, which it prices.
        begin = now - timedelta(days=days + 1)
        connections.prepare_site(environment=os.environ, now=begin)
        demo = demo_site.create_demo(now=now)
        return asdict(demo) if demo else {}

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the demo and print how to sign in and call."""
        if options["records"] < 0:
            raise CommandError("--records is a number of calls.")
        facts = self.create(days=demo_bulk.DAYS if options["records"] else demo_site.DAYS)
        for name, value in facts.items():
            self.stdout.write(f"{name}: {value}")
        if not facts:
            self.stdout.write("There is an organization already; nothing was made.")
        elif options["records"]:
            for line in demo_bulk.create_bulk(calls=options["records"], now=clock.now()):
                self.stdout.write(line)
