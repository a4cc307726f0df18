"""Limits of requests, tokens and calls under way let through exactly what fits, however many ask at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import make, tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, eventually
from tests.tenants import Tenant
from tests.tracking.gateway.calls import Told, call

AT_ONCE = 24
# A call holds its bound of the input, about a hundred tokens, and this cap.
CAP = 100
LIMITS = {
    "requests": {"unit": "requests", "window": "day", "limit": "7"},
    "tokens": {"unit": "tokens", "window": "day", "limit": "1600"},
    "in_flight": {"unit": "in_flight", "window": "total", "limit": "5"},
}


def scope(tenant: Tenant, whose: str) -> dict[str, Any]:
    """Say for whom a limit is: for one by name, or for each that there is."""
    key = tenant.key
    return {
        "organization": {"scope": "organization"},
        "project": {"scope": "project", "target": str(key.project_id)},
        "user": {"scope": "user", "target": str(key.user_id)},
        "api_key": {"scope": "api_key", "target": str(key.pk)},
        "each api_key": {"scope": "organization", "each": "api_key"},
    }[whose]


@pytest.mark.parametrize("unit", LIMITS)
@pytest.mark.parametrize("whose", ["organization", "project", "user", "api_key", "each api_key"])
def test_lets_through_exactly_what_fits(
    site: Site, upstream: Upstream, unit: str, whose: str
) -> None:
    alice = tenants.tenant(limit="100")
    limit = int(LIMITS[unit]["limit"])
    make.budget(organization=alice.organization, name="Pace", **LIMITS[unit], **scope(alice, whose))
    gate = upstream.script.gate = Gate()

    def ask(_: int) -> Told:
        return call(site, alice, max_tokens=CAP)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(ask, number) for number in range(AT_ONCE)]
        eventually(lambda: sum(one.done() for one in asked) + len(upstream.requests) == AT_ONCE)
        under_way = alice.holds()
        with site.client(alice.text) as client:
            told = next(b for b in client.get("/v1/key").json()["budgets"] if b["name"] == "Pace")
        gate.open()
        answers = [one.result() for one in asked]

    used = sum(hold.tokens for hold in under_way) if unit == "tokens" else len(under_way)
    most = max(hold.tokens for hold in under_way) if unit == "tokens" else 1
    assert limit - most < used <= limit
    assert (told["held"], told["left"], told["limit"]) == (used, limit - used, limit)
    codes = [answer.code for answer in answers if answer.status != 200]
    assert codes == ["rate_limit_exceeded"] * (AT_ONCE - len(under_way))
    assert len(alice.journal()) == len(under_way)
    assert not alice.differences()
