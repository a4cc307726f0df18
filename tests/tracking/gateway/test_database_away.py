"""The database goes away in the middle of calls: what was sent is charged once, and nothing else is sent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from tests.tenants import ROUND, Tenant
from tests.tracking.gateway.calls import call, opened

# A token of ROUND's output costs a thousandth of a dollar, its input nothing.
TOKEN_USD = Decimal("0.001")
BOTH_WAYS = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def wire(committed_db: None) -> Iterator[Cable]:
    with cable(real=Path(django_settings.COSTSITE_POSTGRES["host"])) as laid:
        yield laid


@pytest.fixture
def far_site(models_listed: str, wire: Cable, tmp_path: Path) -> Iterator[Site]:
    """A site at the other end of the wire, with a data folder of its own."""
    address = address_of(models_listed).partition("?")[0]
    folder = str(wire.folder).replace("/", "%2F")
    with serving(
        database=models_listed,
        log=tmp_path / "web.log",
        DATABASE_URL=f"{address}?host={folder}",
        COSTSITE_DATA=str(tmp_path),
    ) as site:
        yield site


@pytest.fixture
def alice(far_site: Site) -> Tenant:
    return tenants.tenant(limit="1")


@BOTH_WAYS
def test_a_settle_waits_for_the_database_and_is_made_once(
    far_site: Site, wire: Cable, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
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
    far_site: Site, wire: Cable, alice: Tenant, upstream: Upstream, tmp_path: Path, settings: Any
) -> None:
    gate = upstream.script.gate = Gate()
    with opened(far_site, alice, model=ROUND, max_tokens=10):
        eventually(lambda: upstream.requests)
        wire.cut()
        gate.open()
        eventually(lambda: upstream.served == 1)
        far_site.process.terminate()
        far_site.process.wait(60)
    assert not alice.journal()
    assert len(alice.holds()) == 1

    settings.COSTSITE_DATA = tmp_path
    printed = StringIO()
    call_command("replay_settlements", stdout=printed)

    assert printed.getvalue().startswith("1 settled now")
    entry, record = alice.the_call()
    assert (entry.kind, entry.amount_usd) == ("charge", 5 * TOKEN_USD)
    assert record.outcome in ("completed", "cancelled")
