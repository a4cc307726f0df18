"""A web process that is killed in the middle of calls: no call is free, and the next one serves."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from budgets.core import clock
from budgets.holds.operations import expire
from tests import tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import eventually, serving
from tests.tracking.gateway.calls import call, opened

TIMEOUT_S = 30


@pytest.mark.crash
def test_charges_in_full_what_a_killed_process_was_doing(
    models_listed: str, committed_db: None, upstream: Upstream, tmp_path: Path
) -> None:
    alice = tenants.tenant(limit="10")
    gate = upstream.script.gate = Gate()
    serve = partial(
        serving,
        database=models_listed,
        log=tmp_path / "web.log",
        COSTSITE_PROVIDER_TIMEOUT_S=str(TIMEOUT_S),
    )

    with (
        serve() as doomed,
        opened(doomed, alice),
        opened(doomed, alice, is_streamed=True),
    ):
        eventually(lambda: len(upstream.requests) == 2)
        doomed.kill()
    gate.open()

    # Both were sent, so both stay held: nobody knows what the provider will bill.
    held = {hold.request_id: hold.amount_usd for hold in alice.holds()}
    assert len(held) == 2
    assert not alice.journal()
    # Other tests may have left overdue holds; these two have their time.
    expire()
    assert len(alice.holds()) == 2
    assert expire(now=clock.now() + timedelta(seconds=TIMEOUT_S + 120)) >= 2
    charged = {entry.request_id: entry.amount_usd for entry in alice.journal()}
    assert charged == held
    assert {entry.kind for entry in alice.journal()} == {"estimate"}
    assert not alice.holds()
    assert not alice.differences()

    # A process that starts anew knows of it and goes on.
    upstream.forget()
    upstream.script.gate = None
    with serve() as next_one:
        assert call(next_one, alice).status == 200
        with next_one.client(alice.text) as client:
            spent = client.get("/v1/key").json()["spent_usd"]
    assert spent == f"{sum(entry.amount_usd for entry in alice.journal()):f}"
    assert len(alice.journal()) == 3
    assert len(upstream.requests) == 1
