"""Bytes between two tasks, of which either may be ahead of the other."""

from __future__ import annotations

import asyncio

from tracking.gateway.pipe import Pipe

SOON_S = 30.0


async def test_gives_all_that_waits_at_once_and_none_after_the_end() -> None:
    pipe = Pipe(most_bytes=100)
    await pipe.give(b"one ")
    await pipe.give(b"two ")
    pipe.end()

    assert await pipe.take(within_s=SOON_S) == b"one two "
    assert await pipe.take(within_s=SOON_S) is None


async def test_a_taker_waits_for_something() -> None:
    pipe = Pipe(most_bytes=100)
    taken = asyncio.create_task(pipe.take(within_s=SOON_S))
    await asyncio.sleep(0)
    assert not taken.done()

    await pipe.give(b"one ")

    assert await taken == b"one "


async def test_a_taker_waits_for_the_end() -> None:
    pipe = Pipe(most_bytes=100)
    taken = asyncio.create_task(pipe.take(within_s=SOON_S))
    await asyncio.sleep(0)

    pipe.end()

    assert await taken is None


async def test_a_taker_learns_that_nothing_has_come_for_a_while() -> None:
    pipe = Pipe(most_bytes=100)

    assert await pipe.take(within_s=0.001) == b""
    await pipe.give(b"one ")
    assert await pipe.take(within_s=SOON_S) == b"one "


async def test_a_giver_waits_while_the_bound_is_reached_and_nothing_is_lost() -> None:
    pipe = Pipe(most_bytes=8)
    given = []

    async def give() -> None:
        for number in range(10):
            await pipe.give(b"%d..." % number)
            given.append(number)
        pipe.end()

    giving = asyncio.create_task(give())
    await asyncio.sleep(0.01)
    assert given == [0, 1]
    assert pipe.is_full

    taken = []
    while (part := await pipe.take(within_s=SOON_S)) is not None:
        taken.append(part)

    await giving
    assert b"".join(taken) == b"".join(b"%d..." % number for number in range(10))


async def test_a_giver_who_waits_is_let_go_when_nobody_takes_any_more() -> None:
    pipe = Pipe(most_bytes=1)
    await pipe.give(b"one")
    giving = asyncio.create_task(pipe.give(b"two"))
    await asyncio.sleep(0)
    assert not giving.done()

    pipe.cut()

    await giving
    await pipe.give(b"three")
    pipe.end()
    assert await pipe.take(within_s=SOON_S) is None
