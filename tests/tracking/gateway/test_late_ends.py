"""Ends that come when nobody waits for them any more: after the sweeper, after the last byte."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from budgets.core import clock
from budgets.holds.operations import expire
from tests import tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, eventually
from tests.tenants import ROUND
from tests.tracking.gateway.calls import call, opened

BOTH_WAYS = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
HELD, USED = Decimal("0.010"), Decimal("0.005")


def sweep() -> None:
    """Charge every open hold, those that other tests have left too."""
    assert expire(most=100_000, now=clock.now() + timedelta(days=365)) >= 1


@BOTH_WAYS
def test_a_call_that_outlives_its_hold_corrects_what_the_sweeper_charged(
    site: Site, upstream: Upstream, is_streamed: bool
) -> None:
    alice = tenants.tenant(limit="0.020")
    gate = upstream.script.gate = Gate()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(call, site, alice, model=ROUND, max_tokens=10, is_streamed=is_streamed)
        eventually(lambda: upstream.requests)
        sweep()
        (estimate,) = alice.journal()
        assert (estimate.kind, estimate.amount_usd) == ("estimate", HELD)
        gate.open()
        told = late.result(60)

    assert (told.status, told.is_ended) == (200, True)
    first, correction = alice.journal()
    assert first.amount_usd == HELD
    assert (correction.seq, correction.kind, correction.amount_usd) == (
        1,
        "correction",
        USED - HELD,
    )
    (record,) = alice.records()
    assert (record.cost_usd, record.usage_source) == (USED, "provider")
    (balance,) = alice.balances()
    assert (balance.spent, balance.held) == (USED, Decimal(0))
    assert not alice.differences()


@BOTH_WAYS
def test_a_provider_that_refuses_after_the_sweep_costs_nothing_in_the_end(
    site: Site, upstream: Upstream, is_streamed: bool
) -> None:
    alice = tenants.tenant(limit="0.020")
    upstream.script.status = 500
    gate = upstream.script.gate = Gate()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(call, site, alice, model=ROUND, max_tokens=10, is_streamed=is_streamed)
        eventually(lambda: upstream.requests)
        sweep()
        gate.open()
        assert late.result(60).status == 502

    assert sum(entry.amount_usd for entry in alice.journal()) == 0
    assert alice.balances()[0].spent == 0
    assert not alice.differences()


@BOTH_WAYS
def test_who_leaves_after_the_last_byte_was_charged_before_it(
    site: Site, upstream: Upstream, is_streamed: bool
) -> None:
    """The charge is durable before the answer's last byte: there is nothing to wait for."""
    alice = tenants.tenant()
    last = b"data: [DONE]\n\n" if is_streamed else b'"cost":'

    with opened(site, alice, model=ROUND, max_tokens=10, is_streamed=is_streamed) as wire:
        seen = b""
        while last not in seen:
            received = wire.recv(4096)
            assert received, seen
            seen += received
        entry, record = alice.the_call()

    assert (entry.kind, entry.amount_usd) == ("charge", USED)
    assert record.outcome == "completed"
    assert (alice.journal(), alice.records()) == ([entry], [record])
