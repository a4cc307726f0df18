"""What stands between the site and ready."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from budgets.health.models import Tick

# The tick comes every minute; three missed ones mean that beat, broker or worker is down.
MOST_TICK_AGE = timedelta(minutes=3)


def problems(*, now: datetime, site_began_at: datetime) -> list[str]:
    """List why the site is not ready: database, migrations, heartbeat. Empty means ready.

    A site that has just begun is given the time of three ticks to show its first.
    """
    try:
        connection.ensure_connection()
        if pending_migrations():
            return ["migrations: not applied"]
        tick = Tick.objects.filter(pk="tick").first()
    except DatabaseError:
        return ["database: cannot be reached"]
    heard_at = max(tick.ran_at, site_began_at) if tick else site_began_at
    if now - heard_at > MOST_TICK_AGE:
        return [f"background work: no heartbeat since {heard_at:%Y-%m-%dT%H:%M:%SZ}"]
    return []


def pending_migrations() -> bool:
    """Tell whether the code has migrations that the database has not."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
