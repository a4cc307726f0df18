"""A client who hangs up cancels the answer, never the accounting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from budgets.holds.models import JournalEntry
from tests import tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, eventually
from tests.tenants import Tenant
from tests.tracking.gateway.calls import call, request_bytes, sent
from tracking.ledger.models import CostRecord

# What the scripted provider reports: 11 tokens in, 5 out.
PRICE = 11 * Decimal(tenants.INPUT_USD) + 5 * Decimal(tenants.OUTPUT_USD)
WAVES, WAVE = 4, 64
# A stream that goes on for longer than a busy machine needs to notice that its client has left.
MANY_WORDS = ("one ", "two ", *("more ",) * 50)


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


def the_end(tenant: Tenant) -> tuple[JournalEntry, CostRecord]:
    eventually(tenant.journal)
    return tenant.the_call()


def read_until(wire: socket.socket, word: bytes) -> None:
    """Read a stream up to a word; fail when it ends without."""
    seen = b""
    while word not in seen:
        received = wire.recv(4096)
        assert received, seen
        seen += received


def test_is_charged_for_a_whole_answer_that_nobody_took(
    site: Site, alice: Tenant, upstream: Upstream
) -> None:
    gate = upstream.script.gate = Gate()

    with sent(site, alice):
        eventually(lambda: upstream.requests)
    assert len(alice.holds()) == 1
    gate.open()

    entry, record = the_end(alice)
    assert (entry.kind, entry.amount_usd) == ("charge", PRICE)
    assert record.usage_source == "provider"


def test_is_charged_the_true_usage_when_it_leaves_before_the_first_byte(
    site: Site, alice: Tenant, upstream: Upstream
) -> None:
    gate = upstream.script.gate = Gate()
    upstream.script.words, upstream.script.word_wait_s = MANY_WORDS, 0.01

    with sent(site, alice, is_streamed=True):
        eventually(lambda: upstream.requests)
    gate.open()

    entry, record = the_end(alice)
    assert (entry.kind, entry.amount_usd) == ("charge", PRICE)
    assert (record.outcome, record.usage_source) == ("cancelled", "provider")


def test_is_charged_the_true_usage_when_it_leaves_in_mid_stream(
    site: Site, alice: Tenant, upstream: Upstream
) -> None:
    gate = upstream.script.gate = Gate()
    upstream.script.gate_before_word = 2
    upstream.script.words, upstream.script.word_wait_s = MANY_WORDS, 0.01

    with sent(site, alice, is_streamed=True) as wire:
        read_until(wire, b"two ")
    gate.open()

    entry, record = the_end(alice)
    assert (entry.kind, entry.amount_usd) == ("charge", PRICE)
    assert record.outcome == "cancelled"
    assert upstream.served == 1


ASKED_AT: dict[str, dict[str, Any]] = {
    "/v1/responses": {"input": "Count to five."},
    "/v1/messages": {
        "messages": [{"role": "user", "content": "Count to five."}],
        "max_tokens": 100,
    },
}


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/responses", tenants.RESPONDING),
        ("/v1/responses", tenants.MODEL),
        ("/v1/messages", tenants.WRITING),
        ("/v1/messages", tenants.MODEL),
    ],
)
def test_is_charged_the_true_usage_in_every_dialect(
    site: Site, alice: Tenant, upstream: Upstream, path: str, model: str
) -> None:
    """Natively and as a chat: the provider is read to its end after the client has left."""
    gate = upstream.script.gate = Gate()
    upstream.script.gate_before_word = 2
    upstream.script.words, upstream.script.word_wait_s = MANY_WORDS, 0.01
    whole = {"model": model, "stream": True, **ASKED_AT[path]}

    with sent(site, alice, path=path, whole=whole) as wire:
        read_until(wire, b"two ")
    gate.open()

    entry, record = the_end(alice)
    assert (entry.kind, entry.amount_usd) == ("charge", PRICE)
    assert (record.outcome, record.usage_source) == ("cancelled", "provider")
    assert upstream.served == 1


@pytest.mark.parametrize(
    ("path", "model"),
    [("/v1/responses", tenants.RESPONDING), ("/v1/messages", tenants.WRITING)],
)
def test_is_charged_what_came_in_every_dialect_when_the_provider_does_not_end(
    impatient_site: Site, upstream: Upstream, path: str, model: str
) -> None:
    alice = tenants.tenant()
    upstream.script.gate = Gate()
    upstream.script.gate_before_word = 3
    whole = {"model": model, "stream": True, **ASKED_AT[path]}

    with sent(impatient_site, alice, path=path, whole=whole) as wire:
        read_until(wire, b"three ")

    entry, record = the_end(alice)
    assert (entry.kind, record.outcome, record.usage_source) == (
        "estimate",
        "cancelled",
        "counted",
    )
    assert 3 <= record.output_tokens <= 5
    eventually(lambda: upstream.aborted == 1)


def test_is_charged_what_came_when_the_provider_does_not_end_in_time(
    impatient_site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant()
    upstream.script.gate = Gate()
    upstream.script.gate_before_word = 3

    with sent(impatient_site, alice, is_streamed=True) as wire:
        read_until(wire, b"three ")

    entry, record = the_end(alice)
    assert (entry.kind, record.outcome, record.usage_source) == (
        "estimate",
        "cancelled",
        "counted",
    )
    assert 3 <= record.output_tokens <= 5
    # The provider is hung up on.
    eventually(lambda: upstream.aborted == 1)
    assert upstream.served == 0


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_a_provider_that_does_not_answer_in_time_is_given_up(
    impatient_site: Site, upstream: Upstream, is_streamed: bool
) -> None:
    alice = tenants.tenant()
    gate = upstream.script.gate = Gate()

    told = call(impatient_site, alice, is_streamed=is_streamed)

    gate.open()
    assert (told.status, told.code) == (504, "timeout")
    assert told.headers["x-should-retry"] == "false"
    entry, record = alice.the_call()
    assert (entry.kind, entry.amount_usd) == ("estimate", entry.held_usd)
    assert (record.outcome, record.status, record.error_code) == ("unknown", 504, "timeout")


def test_a_provider_that_falls_silent_in_mid_stream_is_given_up(
    impatient_site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant()
    gate = upstream.script.gate = Gate()
    upstream.script.gate_before_word = 2

    told = call(impatient_site, alice, is_streamed=True)

    gate.open()
    assert (told.status, told.text, told.code) == (200, "one two ", "timeout")
    assert told.is_ended
    entry, record = alice.the_call()
    assert (entry.kind, record.outcome, record.usage_source) == (
        "estimate",
        "interrupted",
        "counted",
    )


def test_leaves_nothing_behind_in_waves(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="1000")
    # One call before, so that whatever is opened once is open.
    call(site, alice)
    connections = own_connections()
    handles = own_handles(site, upstream)

    for _ in range(WAVES):
        gate = upstream.script.gate = Gate()
        upstream.script.gate_before_word = 2
        asyncio.run(hang_up(site, alice, upstream))
        gate.open()
        eventually(lambda: is_over(alice, upstream), within_s=30)

    assert len(upstream.requests) >= WAVES * WAVE / 2
    assert not alice.differences()
    # Whoever left before anything was sent cost nothing; all others paid for a whole answer.
    amounts = [(entry.kind, entry.amount_usd) for entry in alice.journal()]
    assert set(amounts) <= {("charge", PRICE), ("release", 0)}
    assert amounts.count(("charge", PRICE)) == len(alice.records()) == len(upstream.requests)
    assert own_connections() == connections
    # Connections to the provider are kept for the next calls: as many as ever were needed at once.
    assert provider_connections(site, upstream) <= WAVE
    eventually(lambda: own_handles(site, upstream) <= handles)


def is_over(tenant: Tenant, upstream: Upstream) -> bool:
    """Tell whether all that was sent is answered and recorded, and nothing else is held."""
    return (
        upstream.under_way == 0
        and len(tenant.records()) == len(upstream.requests)
        and not tenant.holds()
    )


async def hang_up(site: Site, tenant: Tenant, upstream: Upstream) -> None:
    """Leave in many ways: at once, on the way, when the provider works, and in mid-stream."""
    url = httpx.URL(site.url)
    asked_before = len(upstream.requests)

    async def one(number: int) -> None:
        reading, writing = await asyncio.open_connection(url.host, url.port)
        writing.write(request_bytes(site, tenant, is_streamed=bool(number % 2)))
        await writing.drain()
        way = number % 4
        if way == 1:
            await asyncio.sleep(number / 200)
        elif way == 2:
            await asyncio.to_thread(
                eventually, lambda: len(upstream.requests) >= asked_before + WAVE // 2
            )
        elif way == 3:
            await reading.readuntil(b"two ")
        writing.close()
        await writing.wait_closed()

    await asyncio.gather(*(one(number) for number in range(WAVE)))


def own_connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and application_name like 'costsite-%'"
        )
        return int(cursor.fetchone()[0])


def own_handles(site: Site, upstream: Upstream) -> int:
    """Count what the site has open beside its connections to the provider."""
    return len(open_files(site)) - provider_connections(site, upstream)


def provider_connections(site: Site, upstream: Upstream) -> int:
    """Count the site's connections to the provider, in use or kept: the kernel's table names both."""
    table = Path(f"/proc/{site.process.pid}/net/tcp").read_text().splitlines()[1:]
    rows = [row.split() for row in table]
    sockets = {
        f"socket:[{row[9]}]" for row in rows if int(row[2].partition(":")[2], 16) == upstream.port
    }
    return sum(file in sockets for file in open_files(site))


def open_files(site: Site) -> list[str]:
    found = []
    for handle in Path(f"/proc/{site.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # It was closed meanwhile.
            found.append(str(handle.readlink()))
    return found
