"""Connections beside Django's, for tests in which one waits for another."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from tests.serving import eventually

Session = psycopg.Connection[tuple[Any, ...]]


def session() -> Session:
    """Open a connection to the database that Django works on."""
    name = str(connection.settings_dict["NAME"])
    return psycopg.connect(
        make_conninfo(**settings.COSTSITE_POSTGRES | {"dbname": name}), autocommit=True
    )


def await_waiting(backend: int, running: Future[Any] | None = None) -> None:
    """Return when a connection waits for a lock, or when what runs on it has ended."""
    statement = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
    with session() as watching:
        eventually(
            lambda: (
                watching.execute(statement, [backend]).rowcount == 1
                or (running is not None and running.done())
            )
        )
