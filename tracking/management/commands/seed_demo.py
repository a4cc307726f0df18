"""Makes a demo tenant on an empty site."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from budgets.core import clock
from tracking.gateway import connections, demo_site


class Command(BaseCommand):
    """Make an administrator, an organization, an API key and a month of calls."""

    help = "Make a demo organization with an API key and a month of calls, if there is none."

    def create(self) -> dict[str, str]:
        """Make the demo and tell what a newcomer needs; nothing where there is a tenant already."""
        now = clock.now()
        # The catalogue is listed as of the day before the demo's first call, which it prices.
        begin = now - timedelta(days=demo_site.DAYS + 1)
        connections.prepare_site(environment=os.environ, now=begin)
        demo = demo_site.create_demo(now=now)
        return asdict(demo) if demo else {}

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the demo and print how to sign in and call."""
        facts = self.create()
        for name, value in facts.items():
            self.stdout.write(f"{name}: {value}")
        if not facts:
            self.stdout.write("There is an organization already; nothing was made.")
