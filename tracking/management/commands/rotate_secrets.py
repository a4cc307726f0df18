"""``manage.py rotate_secrets``: seal stored secrets with the newest key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from budgets.core.commands import DatabaseCommand
from tracking.gateway import rotation


class Command(DatabaseCommand):
    """Seal every stored secret anew with the first of COSTSITE_CREDENTIAL_KEYS.

    Provider keys, kept answers and channels of alerts. Once it has ended without a complaint, the
    keys behind the first may be dropped.
    """

    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and tell what became of each table."""
        rotated = rotation.rotate_secrets()
        for table in rotated:
            self.stdout.write(
                f"{table.table}: {table.resealed} sealed anew, {table.unreadable} unreadable"
            )
        if any(table.unreadable for table in rotated):
            raise CommandError(
                "No key opens some secrets: they stay as they are. Enter them again."
            )
