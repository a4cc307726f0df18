"""Run every check but the tests: ``python3 manage.py check_all``."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from costsite import checking


class Command(BaseCommand):
    """Style, types, imports, templates, migrations, deployment settings and locks."""

    help = "Run every check but the tests; all of them, even when one fails."
    # Each step loads the project by itself, and says itself what is wrong with it.
    requires_system_checks: list[str] = []

    def handle(self, **_options: Any) -> None:
        """Exit with 1 when any of them failed."""
        if not checking.run_all(say=self.say):
            sys.exit(1)

    def say(self, line: str) -> None:
        """Write a line at once, into a pipe too."""
        self.stdout.write(line)
        self.stdout.flush()
