"""What every command of ours that works on the database begins with."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.migrations.executor import MigrationExecutor


class DatabaseCommand(BaseCommand):
    """A command that needs the tables: on a database without them it says what to do."""

    requires_migrations_checks = True

    def check_migrations(self) -> None:
        """Fail before anything else where the database is away, or behind this version.

        :raises CommandError: which says how to mend it
        """
        try:
            executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        except OperationalError as error:
            raise CommandError(
                f"The database cannot be reached: {str(error).strip()}. Start it, or correct"
                " DATABASE_URL, and try again."
            ) from error
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError(
                "The database is not set up for this version. Run `python3 manage.py migrate`, or"
                " `python3 manage.py up`, which does so, and try again."
            )
