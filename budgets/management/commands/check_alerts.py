"""Says what is wrong with spend at the moment."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from budgets.alerts.operations import check_now
from budgets.alerts.queries import alert_lines
from budgets.core import clock
from budgets.core.commands import DatabaseCommand
from budgets.tenancy.models import Organization


class Command(DatabaseCommand):
    """Look at every rule now, and print what goes on, one line each."""

    help = "Look at all alert rules now and print the alerts that go on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take an organization and a form."""
        parser.add_argument("--organization", metavar="SLUG", help="only this one")
        parser.add_argument("--json", action="store_true", help="by organization, as JSON")

    def handle(self, *, organization: str | None, json: bool, **_: Any) -> None:
        """Print the alerts of each organization."""
        organizations = Organization.objects.order_by("slug")
        if organization is not None:
            organizations = organizations.filter(slug=organization)
            if not organizations:
                raise CommandError(f"There is no organization {organization}.")
        told = {}
        for one in organizations:
            check_now(organization=one, now=clock.now())
            told[one.slug] = alert_lines(organization=one)
        self._write_json(told) if json else self._write(told)

    def _write_json(self, told: dict[str, list[str]]) -> None:
        self.stdout.write(json.dumps(told, indent=2))

    def _write(self, told: dict[str, list[str]]) -> None:
        for slug, lines in told.items():
            self.stdout.write(f"{slug}: {'' if lines else 'no cost alerts'}".rstrip())
            for line in lines:
                self.stdout.write(f"  {line}")
