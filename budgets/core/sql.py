"""Reads SQL files that stand beside the code that owns them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read_sql(package: str, name: str) -> str:
    """Read ``<package>/sql/<name>.sql`` as text; kept in memory after the first time.

    :raises FileNotFoundError: if the package has no such file
    """
    return (files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
