from __future__ import annotations

import pytest

from costsite.edges.body import LimitedBody
from tests.costsite.edges.asgi import Client, scope


async def read_all(client: Client, *, limit: int, **headers: str) -> tuple[bytes, bool]:
    """Read as Django does; give what was read, and whether the limit was exceeded."""
    body = LimitedBody(client.receive, scope=scope(headers=headers), limit=limit)
    read = b""
    while True:
        message = await body()
        read += message.get("body", b"")
        if not message.get("more_body"):
            return read, body.is_exceeded


@pytest.mark.parametrize("parts", [[b"12345"], [b"12", b"345"], [b"", b"12345", b""]])
async def test_passes_a_body_up_to_the_very_limit(parts: list[bytes]) -> None:
    assert await read_all(Client(parts), limit=5) == (b"12345", False)


async def test_stops_reading_at_the_first_byte_over_the_limit() -> None:
    client = Client([b"123", b"456", b"789"])

    assert await read_all(client, limit=5) == (b"123", True)

    assert client.parts_read == 2


async def test_reads_nothing_of_a_body_that_declares_itself_too_large() -> None:
    client = Client([b"1"])

    assert await read_all(client, limit=5, **{"Content-Length": "6"}) == (b"", True)

    assert client.parts_read == 0


async def test_counts_a_body_whose_declared_length_is_a_lie() -> None:
    client = Client([b"123456"])

    assert await read_all(client, limit=5, **{"Content-Length": "1"}) == (b"", True)


async def test_passes_on_that_the_client_left() -> None:
    client = Client([])
    client.left.set()

    assert await read_all(client, limit=5) == (b"", False)
