"""Reads of the asynchronous side, on a connection of their own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import psycopg

from budgets.core.errors import DomainError
from budgets.core.postgres import connect


class DatabaseUnavailable(DomainError):
    """The database cannot be reached at the moment. Try again shortly."""

    code = "ledger_unavailable"


class Reader:
    """One connection of one process, on which queries run one after the other."""

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._turn = asyncio.Lock()

    async def rows(
        self, statement: str, arguments: dict[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a query and give its rows; a connection that was lost is opened anew, once.

        The query runs in a task of its own: a caller that is cancelled must not leave the
        connection in the middle of an answer.

        :raises DatabaseUnavailable: if the server cannot be reached
        """
        return await asyncio.shield(asyncio.create_task(self._rows(statement, arguments)))

    async def close(self) -> None:
        """Close the connection."""
        async with self._turn:
            await self._drop()

    async def _rows(
        self, statement: str, arguments: dict[str, Any] | None
    ) -> list[tuple[Any, ...]]:
        async with self._turn:
            for is_last in (False, True):
                try:
                    return await self._run(statement, arguments)
                except psycopg.OperationalError as error:
                    await self._drop()
                    if is_last:
                        raise DatabaseUnavailable(retry_after_s=2) from error
        raise AssertionError("the loop above returns or raises")

    async def _run(self, statement: str, arguments: dict[str, Any] | None) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(
                statement_timeout="5s", application_name="costsite-reader"
            )
        cursor = await self._connection.execute(statement, arguments)
        return await cursor.fetchall()

    async def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                await self._connection.close()
            self._connection = None
