"""Brings the catalogue of models and prices up to the installed litellm."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from budgets.core.clock import now
from tracking.pricing.operations import import_catalog


class Command(BaseCommand):
    """Import litellm's bundled price map; prices that were stated here stay."""

    help = "Import models and prices from the installed litellm. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, then say in one line what changed."""
        summary = asdict(import_catalog(now=now()))
        self.stdout.write(
            "Models: " + ", ".join(f"{count} {name}" for name, count in summary.items())
        )
