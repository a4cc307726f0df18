"""A call waits for room, as long as its plan says, where only calls under way stand in its way."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, eventually
from tests.tenants import ROUND, Tenant
from tests.tracking.gateway.calls import call

# A call is held for ten tokens of a millidollar and uses five: the whole budget, and then half.
LIMIT = "0.010"
ONE_AT_ONCE = {"unit": "in_flight", "window": "total", "limit": "1", "name": "One at once"}


@pytest.mark.parametrize(
    "limits",
    [{"limit": LIMIT}, {"limit": "10", "limits": [ONE_AT_ONCE]}],
    ids=["dollars", "calls in flight"],
)
def test_waits_for_the_room_that_another_call_gives_back(
    site: Site, upstream: Upstream, limits: dict[str, Any]
) -> None:
    alice = tenants.tenant(wait_for_room_ms=10_000, **limits)
    gate = upstream.script.gate = Gate()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(call, site, alice, model=ROUND, max_tokens=10)
        eventually(lambda: upstream.requests)
        second = pool.submit(call, site, alice, model=ROUND, max_tokens=5)
        with pytest.raises(TimeoutError):
            second.result(0.5)
        assert len(upstream.requests) == 1
        gate.open()

    assert (first.result().status, second.result().status) == (200, 200)
    assert len(alice.journal()) == 2
    assert not alice.differences()


@pytest.mark.parametrize("wait_ms", [0, 300])
def test_refuses_when_no_room_came_in_time(site: Site, upstream: Upstream, wait_ms: int) -> None:
    alice = tenants.tenant(limit=LIMIT, wait_for_room_ms=wait_ms)
    gate = upstream.script.gate = Gate()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(call, site, alice, model=ROUND, max_tokens=10)
        eventually(lambda: upstream.requests)
        begun = time.monotonic()
        told = call(site, alice, model=ROUND, max_tokens=5)
        waited_s = time.monotonic() - begun
        gate.open()

    assert (told.status, told.code) == (429, "budget_in_flight")
    assert told.headers["x-should-retry"] == "true"
    # It looks every 50 ms, and not again when the next look would be too late.
    assert waited_s >= (wait_ms - 50) / 1000
    assert first.result().status == 200
    assert len(alice.journal()) == 1


@pytest.mark.parametrize(
    ("spent_tokens", "code"), [(10, "budget_exceeded"), (6, "request_exceeds_budget")]
)
def test_does_not_wait_where_no_room_can_come(
    site: Site, upstream: Upstream, spent_tokens: int, code: str
) -> None:
    alice = tenants.tenant(limit=LIMIT, wait_for_room_ms=10_000, fits_output=False)
    spend(site, alice, upstream, tokens=spent_tokens)

    begun = time.monotonic()
    told = call(site, alice, model=ROUND, max_tokens=5)

    assert (told.status, told.code) == (429, code)
    assert time.monotonic() - begun < 8
    assert len(upstream.requests) == 1


def spend(site: Site, tenant: Tenant, upstream: Upstream, *, tokens: int) -> None:
    """Make one call that uses so many tokens of output."""
    upstream.script.usage = {"prompt_tokens": 1, "completion_tokens": tokens}
    assert call(site, tenant, model=ROUND, max_tokens=10).status == 200
    (entry,) = tenant.journal()
    assert entry.amount_usd == tokens * Decimal("0.001")
