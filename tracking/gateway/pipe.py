"""Bytes on their way from one task to another, with a bound on how many wait. No clock, no web."""

from __future__ import annotations

import asyncio


class Pipe:
    """One task gives, another takes; whoever is ahead waits to be woken by the other."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most = most_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._is_ended = False
        self._is_cut = False
        self._giver: asyncio.Future[None] | None = None
        self._taker: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether a giver must wait."""
        return self._size >= self._most and not self._is_cut

    async def give(self, part: bytes) -> None:
        """Add bytes, as soon as fewer than the bound are waiting; for nobody when it is cut."""
        while self.is_full:
            self._giver = asyncio.get_running_loop().create_future()
            await self._giver
        if not self._is_cut:
            self._parts.append(part)
            self._size += len(part)
            _wake(self._taker)

    def end(self) -> None:
        """Say that nothing more comes."""
        self._is_ended = True
        _wake(self._taker)

    def cut(self) -> None:
        """Say that nobody takes any more: what is here is dropped, and nobody waits to give."""
        self._is_cut = True
        self._parts, self._size = [], 0
        _wake(self._giver)

    async def take(self, *, within_s: float) -> bytes | None:
        """Take all that is there, waiting for something; None after the end.

        Gives no bytes when nothing has come within so many seconds.
        """
        if not self._parts and not self._is_ended:
            await self._something(within_s)
        if not self._parts:
            return None if self._is_ended else b""
        parts, self._parts, self._size = self._parts, [], 0
        _wake(self._giver)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _something(self, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._taker = loop.create_future()
        timer = loop.call_later(within_s, _wake, self._taker)
        try:
            await self._taker
        finally:
            timer.cancel()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
