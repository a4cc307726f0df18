"""Direct asynchronous connections to the site's PostgreSQL, beside the ORM's own."""

from __future__ import annotations

import json
from typing import Any

import orjson
import psycopg
from django.conf import settings
from psycopg.types.json import set_json_loads


async def connect(**options: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Open a connection of its own in autocommit mode; server settings go in ``options``.

    :raises psycopg.OperationalError: if the server cannot be reached within 5 s
    """
    from django.db import connection  # The tests' database has another name than the settings'.

    address = dict(settings.COSTSITE_POSTGRES) | {"dbname": connection.settings_dict["NAME"]}
    server_settings = " ".join(f"-c {name}={value}" for name, value in options.items())
    opened = await psycopg.AsyncConnection.connect(
        **address,
        autocommit=True,
        connect_timeout=5,
        prepare_threshold=0,
        options=server_settings,
    )
    set_json_loads(orjson.loads, opened)
    return opened


def to_json(value: Any) -> str:
    """Write a value as JSON for a statement's argument; amounts must already be text."""
    return json.dumps(value) if not value else orjson.dumps(value).decode()
