"""A second database, for tests that commit.

The journal takes no DELETE and no TRUNCATE, so what is committed stays. It stays in a copy of the
test database, where tests that roll back never see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import connection, connections
from psycopg import sql
from psycopg.conninfo import make_conninfo


@contextmanager
def on_database(name: str) -> Iterator[None]:
    """Let Django and the gateway work on another database of the same server."""
    before = connection.settings_dict["NAME"]
    _let_go()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        _let_go()
        connection.settings_dict["NAME"] = before


def name_of_copy() -> str:
    """Give the name of the present database's copy."""
    return f"{connection.settings_dict['NAME']}_committed"


_pristine: list[str] = []


def keep_pristine() -> None:
    """Put a copy of the fresh test database by, that nobody ever connects to.

    Only such a one can be copied at any time: a server of a test may still be using the others.
    """
    _let_go()
    present = str(connection.settings_dict["NAME"])
    _pristine[:] = [f"{present}_pristine"]
    _create(_pristine[0], template=present)


def copy_database(*, name: str = "") -> None:
    """Make a database as the test database was when it was made."""
    _let_go()
    _create(name or name_of_copy(), template=_pristine[0])


def _create(name: str, *, template: str) -> None:
    statement = sql.SQL("create database {} template {}")
    address = make_conninfo(**settings.COSTSITE_POSTGRES)
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


@contextmanager
def on_own_copy() -> Iterator[None]:
    """Work on a fresh database that only one test sees; it is dropped at the end."""
    present = connection.settings_dict["NAME"]
    name = f"{present}_own"
    copy_database(name=name)
    try:
        with on_database(name):
            yield
    finally:
        with psycopg.connect(
            make_conninfo(**settings.COSTSITE_POSTGRES), autocommit=True
        ) as server:
            server.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))


def _let_go() -> None:
    connections.close_all()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's, which the stubs do not see
