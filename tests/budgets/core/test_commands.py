"""A command on a database that is not set up, or away, says what to do."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import OperationalError, connection
from psycopg import sql

from budgets.core.commands import DatabaseCommand
from tests.databases import on_database

# These begin before there are tables.
OF_AN_EMPTY_SITE = {"up", "migrate", "test", "check_all"}
COMMANDS = sorted(
    name
    for name, app in get_commands().items()
    if app in ("budgets", "tracking", "costsite") and name not in OF_AN_EMPTY_SITE
)
NEEDED: dict[str, list[str]] = {"rerate": ["gpt-4o-mini", "1", "--from", "2026-03-01"]}


def test_every_command_of_ours_looks_first() -> None:
    assert {"check_alerts", "check_ledger", "drill", "replay_settlements", "spend_report"} <= set(
        COMMANDS
    )
    for name in COMMANDS:
        assert isinstance(load_command_class(get_commands()[name], name), DatabaseCommand), name


@pytest.mark.parametrize("name", COMMANDS)
def test_says_what_to_do_where_nothing_is_set_up(name: str, empty_database: None) -> None:
    printed = StringIO()

    with pytest.raises(CommandError, match=r"python3 manage\.py migrate") as failed:
        call_command(name, *NEEDED.get(name, []), stdout=printed)

    assert failed.value.returncode == 1
    assert printed.getvalue() == ""


def test_says_so_where_a_migration_is_missing(committed_db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        "budgets.core.commands.MigrationExecutor.migration_plan", lambda *_: ["one"]
    )

    with pytest.raises(CommandError, match="not set up for this version"):
        call_command("check_ledger")


def test_says_so_where_the_server_is_away(monkeypatch: Any, committed_db: None) -> None:
    def away(_: object) -> None:
        raise OperationalError("nobody listens\n")

    monkeypatch.setattr("budgets.core.commands.MigrationExecutor", away)

    with pytest.raises(CommandError, match=r"cannot be reached: nobody listens\. Start it"):
        call_command("check_ledger")


@pytest.fixture
def empty_database(
    committed_db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A database without a single table, and a folder in which nothing was kept."""
    settings.COSTSITE_DATA = tmp_path
    monkeypatch.chdir(tmp_path)
    name = f"{connection.settings_dict['NAME']}_empty"
    address = {**settings.COSTSITE_POSTGRES}
    with psycopg.connect(**address, autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    with on_database(name):
        yield
    with psycopg.connect(**address, autocommit=True) as server:
        server.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))
