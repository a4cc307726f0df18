"""What changes in the middle of a window holds from the next call on, and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgets.core import clock
from budgets.holds import operations
from budgets.limits.models import Balance, Budget, LimitRaise
from budgets.tenancy.models import Membership
from budgets.tenancy.operations import rotate_key
from tests import make, tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, eventually
from tests.tenants import ROUND, Tenant
from tests.tracking.gateway.calls import PATH, Told, body, call, sent, told

# A call asks for ten tokens of a millidollar each, and uses five.
HELD, USED = Decimal("0.010"), Decimal("0.005")
EXCEEDED = "budget_exceeded"


def ask(site: Site, tenant: Tenant, **asked: Any) -> str:
    """Make a call that is not lowered to fit; give "admitted" or the code of its refusal."""
    answer = call(site, tenant, **{"model": ROUND, "max_tokens": 10} | asked)
    return answer.code or "admitted"


def spender(site: Site, **fields: Any) -> Tenant:
    """A tenant that has made one call."""
    made = tenants.tenant(fits_output=False, **fields)
    assert ask(site, made, max_tokens=5) == "admitted"
    return made


def new_budget(tenant: Tenant, limit: Decimal, **fields: Any) -> Budget:
    """Put a further budget of a tenant in mid-window."""
    budget = Budget(
        organization=tenant.organization, name="New", limit_amount=limit, window="month", **fields
    )
    operations.put_budget(budget=budget)
    return budget


def add_budget(tenant: Tenant) -> None:
    new_budget(tenant, USED)


def add_plan_budget(tenant: Tenant) -> None:
    plan = tenant.organization.plan
    operations.put_budget(budget=Budget(plan=plan, name="New", limit_amount=USED, each="user"))


def change_plan(tenant: Tenant) -> None:
    small = make.plan(code=f"small-{tenant.organization.pk}", fits_output=False)
    make.budget(plan=small, limit=str(USED), each="user")
    operations.change_plan(organization=tenant.organization, plan=small)


def change_member_plan(tenant: Tenant) -> None:
    small = make.plan(code=f"small-{tenant.organization.pk}", fits_output=False)
    make.budget(plan=small, limit=str(USED), each="user")
    member = Membership.objects.for_organization(tenant.organization).get()
    operations.change_member_plan(membership=member, plan=small)


def lower_limit(tenant: Tenant) -> None:
    assert tenant.budget is not None
    budget = Budget.objects.get(pk=tenant.budget.pk)
    budget.limit_amount = Decimal("0.001")
    operations.put_budget(budget=budget)


@pytest.mark.parametrize(
    "change", [add_budget, add_plan_budget, change_plan, change_member_plan, lower_limit]
)
def test_what_was_spent_before_counts_under_what_applies_now(
    site: Site, upstream: Upstream, change: Callable[[Tenant], None]
) -> None:
    alice = spender(site)

    change(alice)

    assert ask(site, alice) == EXCEEDED
    assert len(upstream.requests) == 1
    assert not alice.differences()


def test_a_call_under_way_keeps_what_it_holds_when_its_limit_is_lowered(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(fits_output=False)
    gate = upstream.script.gate = Gate()
    with sent(site, alice, model=ROUND, max_tokens=10):
        eventually(lambda: upstream.requests)
        lower_limit(alice)
        assert ask(site, alice) == "request_exceeds_budget"
    gate.open()

    entry = eventually(alice.journal)[0]
    assert (entry.kind, entry.amount_usd) == ("charge", USED)
    assert ask(site, alice) == EXCEEDED
    assert not alice.differences()


def test_a_budget_taken_away_no_longer_refuses(site: Site, upstream: Upstream) -> None:
    alice = spender(site)
    budget = new_budget(alice, USED)
    assert ask(site, alice) == EXCEEDED

    operations.retire_budget(budget=budget)

    assert ask(site, alice) == "admitted"
    assert not alice.differences()


def test_another_time_zone_begins_no_new_window(site: Site, upstream: Upstream) -> None:
    alice = spender(site, limit=str(USED), window="month")

    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        operations.change_time_zone(organization=alice.organization, time_zone=zone)
        # At the turn of a month one of the zones may be in another one than the call was.
        since = Balance.objects.for_organization(alice.organization).latest("window_start")
        if alice.journal()[0].admitted_at >= since.window_start:
            assert ask(site, alice) == EXCEEDED
    assert not alice.differences()


def test_a_raise_lets_through_while_it_lasts(site: Site, upstream: Upstream) -> None:
    alice = spender(site, limit=str(USED))
    assert alice.budget is not None
    assert ask(site, alice) == EXCEEDED
    now = clock.now()
    raised = LimitRaise(
        budget=alice.budget,
        amount=HELD,
        starts_at=now,
        ends_at=now + timedelta(hours=1),
        reason="End of the quarter",
        made_at=now,
    )

    operations.raise_limit(limit_raise=raised)
    assert ask(site, alice) == "admitted"
    operations.end_raise(limit_raise=raised, now=clock.now())

    assert ask(site, alice) == EXCEEDED
    assert alice.balances()[0].spent == 2 * USED
    assert not alice.differences()


def test_a_rotated_key_has_no_fresh_allowance(site: Site, upstream: Upstream) -> None:
    alice = spender(site, limits=[{"limit": str(USED), "each": "api_key"}])

    text = rotate_key(key=alice.key, overlap=timedelta(hours=1), now=clock.now())

    for secret in (alice.text, text):
        with site.client(secret) as client:
            told_to = told(client.post(PATH, json=body(model=ROUND, max_tokens=10)))
        assert told_to.code == EXCEEDED
    assert len(upstream.requests) == 1


def test_each_run_has_a_budget_from_the_same_template(site: Site, upstream: Upstream) -> None:
    template = {"limit": "0.010", "each": "session", "window": "total", "name": "A run"}
    alice = tenants.tenant(fits_output=False, limits=[template])

    def run(name: str) -> Told:
        return call(site, alice, model=ROUND, max_tokens=10, metadata={"session": name})

    first = run("run-1")
    assert (first.status, first.headers["x-budget-name"]) == (200, "A run")
    assert first.headers["x-budget-left-usd"] == "0.005000000000"
    refused = run("run-1")
    assert (refused.status, refused.code) == (429, "request_exceeds_budget")
    assert refused.error is not None
    assert (refused.error["budget"], refused.error["spent_usd"]) == ("A run", "0.005000000000")
    # Another run is opened by its first call; what belongs to no run falls under none.
    assert run("run-2").status == 200
    assert ask(site, alice) == "admitted"
    assert len(upstream.requests) == 3
    of_runs = Balance.objects.for_organization(alice.organization).filter(budget__name="A run")
    assert {b.subject: b.spent for b in of_runs} == {"run-1": USED, "run-2": USED}


@contextmanager
def site_budget(**fields: Any) -> Iterator[Budget]:
    """A budget of the whole site, for a while: other tests call the same site, and leave holds."""
    operations.expire(most=100_000, now=clock.now() + timedelta(days=365))
    budget = Budget(name="Operator's own", **fields)
    operations.put_budget(budget=budget)
    try:
        yield budget
    finally:
        operations.retire_budget(budget=budget)


def test_the_sites_cap_binds_all_tenants_and_tells_none_of_its_figures(
    site: Site, upstream: Upstream
) -> None:
    alice, bob = spender(site, limit=None), spender(site)
    with site_budget(limit_amount=Decimal(1_000_000), window="total") as cap:
        spent = Balance.objects.get(budget=cap).spent
        cap.limit_amount = spent + HELD
        operations.put_budget(budget=cap)
        one = call(site, alice, model=ROUND, max_tokens=10)
        other = call(site, bob, model=ROUND, max_tokens=10)
        cap.limit_amount = spent
        operations.put_budget(budget=cap)
        last = call(site, bob, model=ROUND, max_tokens=10)

    assert one.status == 200
    assert "x-budget-name" not in one.headers
    assert (other.code, last.code) == ("request_exceeds_budget", EXCEEDED)
    for refused in (other, last):
        assert refused.status == 429
        assert refused.error is not None
        assert not {"limit_usd", "spent_usd", "held_usd", "left_usd", "budget"} & set(refused.error)
        assert not {"budget_id", "affordable_max_tokens", "ask_for_more_url"} & set(refused.error)
        assert "Operator" not in str(refused.error)
        assert "operator of this site" in refused.error["remedy"]
        assert refused.error["asked_usd"] == "0.010000000000"
    assert len(upstream.requests) == 3
    # With the cap away bob goes on, under a budget whose figures are his own.
    after = call(site, bob, model=ROUND, max_tokens=10)
    assert bob.budget is not None
    assert after.headers["x-budget-name"] == bob.budget.name


def test_the_sites_rate_limit_tells_none_of_its_figures(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant()
    with site_budget(limit_amount=Decimal(0), unit="requests", window="day", each="organization"):
        refused = call(site, alice)

    assert (refused.status, refused.code) == (429, "request_exceeds_rate_limit")
    assert refused.error is not None
    assert not {"limit", "budget"} & set(refused.error)
    assert not upstream.requests
