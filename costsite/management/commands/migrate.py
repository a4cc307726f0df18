"""Django's migrate, one at a time: two servers that start together must not both change tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

# Any number that no other program takes on this database.
LOCK = 7_305_091_147


class Command(migrate.Command):
    """Waits while another migrate runs on the same database, then finds its work done."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Migrate under the lock."""
        with one_at_a_time(options["database"]):
            return super().handle(*args, **options)


@contextmanager
def one_at_a_time(alias: str) -> Iterator[None]:
    """Hold the lock in a session of its own, so that nothing migrate does with its session frees it.

    It is asked for again and again instead of waited for: a waiting statement would keep a snapshot,
    for which a CREATE INDEX CONCURRENTLY of the lock's holder would wait in turn.
    """
    session = connections[alias].copy()
    # A session-wide lock must not go back to a pool with its connection.
    session.settings_dict["OPTIONS"] = {
        key: value for key, value in session.settings_dict["OPTIONS"].items() if key != "pool"
    }
    try:
        with session.cursor() as cursor:
            while not _taken(cursor):
                time.sleep(0.2)
            yield
    finally:
        session.close()


def _taken(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
    return bool(cursor.fetchone()[0])
