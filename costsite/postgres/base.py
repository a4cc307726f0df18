"""The database backend that settings name in embedded mode."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.backends.postgresql.client import DatabaseClient as PostgresClient

from costsite import embedded, placement


class DatabaseClient(PostgresClient):
    """``manage.py dbshell`` with the psql that came with the server."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """Give the command line, of a server that runs."""
        _make_sure_it_runs()
        arguments, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        return [str(placement.found_binaries() / arguments[0]), *arguments[1:]], environment


class DatabaseWrapper(base.DatabaseWrapper):
    """Starts the embedded server, or adopts it, when the first connection is made.

    Commands that never touch the database start nothing. Under ``manage.py up`` the supervisor
    alone starts and heals the server.
    """

    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        """Give the connection's parameters, of a server that runs."""
        _make_sure_it_runs()
        return super().get_connection_params()


def _make_sure_it_runs() -> None:
    if "COSTSITE_SUPERVISED" not in os.environ:
        embedded.use(Path(settings.COSTSITE_DATA))
