"""The database goes away in the middle of calls: what was sent is charged once, and nothing else is sent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from tests import tenants
from tests.cutting import Cable, cable
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, address_of, eventually, serving
from tests.tenants import ROUND
from tests.tracking.gateway.calls import call, opened

# A token of ROUND's output costs a thousandth of a dollar, its input nothing.
TOKEN_USD = Decimal("0.001")
BOTH_WAYS = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])


@contextmanager
def far(wire: Cable, *, database: str, folder: Path) -> Iterator[Site]:
    """A site at the other end of the wire, with a data folder of its own."""
    address = address_of(database).partition("?")[0]
    host = str(wire.folder).replace("/", "%2F")
    with serving(
        database=database,
        log=folder / "web.log",
        DATABASE_URL=f"{address}?host={host}",
        COSTSITE_DATA=str(folder),
    ) as site:
        yield site


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    with cable(real=Path(django_settings.COSTSITE_POSTGRES["host"])) as laid:
        yield laid


@pytest.fixture(scope="module")
def running_far_site(
    models_listed: str, wire: Cable, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with far(wire, database=models_listed, folder=tmp_path_factory.mktemp("far")) as site:
        yield site


@pytest.fixture
def far_site(running_far_site: Site, committed_db: None) -> Site:
    """The site, and its database."""
    return running_far_site


@BOTH_WAYS
def test_a_settle_waits_for_the_database_and_is_made_once(
    far_site: Site, wire: Cable, upstream: Upstream, is_streamed: bool
) -> None:
    alice = tenants.tenant(limit="1")
    gate = upstream.script.gate = Gate()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            call, far_site, alice, model=ROUND, max_tokens=10, is_streamed=is_streamed
        )
        eventually(lambda: upstream.requests)
        wire.cut()
        gate.open()
        eventually(lambda: upstream.served == 1)
        # Meanwhile nobody else is let through, and the first is not told that all is well.
        refused = call(far_site, alice, model=ROUND, max_tokens=10)
        assert not first.done()
        assert not alice.journal()
        wire.mend()
        told = first.result(60)

    assert (refused.status, refused.code) == (503, "ledger_unavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert len(upstream.requests) == 1
    assert (told.status, told.text, told.is_ended) == (200, "one two three four five ", True)
    entry, record = alice.the_call()
    assert (entry.kind, entry.amount_usd) == ("charge", 5 * TOKEN_USD)
    assert record.usage_source == "provider"
    # It goes on as if nothing had been.
    assert call(far_site, alice, model=ROUND, max_tokens=10).status == 200
    assert len(alice.journal()) == 2
    assert not alice.differences()


def test_a_settle_that_outlives_its_process_is_written_down_and_made_later(
    models_listed: str,
    committed_db: None,
    wire: Cable,
    upstream: Upstream,
    tmp_path: Path,
    settings: Any,
) -> None:
    alice = tenants.tenant(limit="1")
    gate = upstream.script.gate = Gate()
    with (
        far(wire, database=models_listed, folder=tmp_path) as ending,
        opened(ending, alice, model=ROUND, max_tokens=10),
    ):
        eventually(lambda: upstream.requests)
        wire.cut()
        gate.open()
        eventually(lambda: upstream.served == 1)
        ending.process.terminate()
        ending.process.wait(60)
    wire.mend()
    assert not alice.journal()
    assert len(alice.holds()) == 1

    settings.COSTSITE_DATA = tmp_path
    printed = StringIO()
    call_command("replay_settlements", stdout=printed)

    assert printed.getvalue().startswith("1 settled now")
    entry, record = alice.the_call()
    assert (entry.kind, entry.amount_usd) == ("charge", 5 * TOKEN_USD)
    assert record.outcome in ("completed", "cancelled")
