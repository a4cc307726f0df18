"""Who is let through, with how many tokens of output, and what those are told who are not.

Nothing of a refused call reaches the provider or the ledger.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.conf import settings
from django.utils.dateparse import parse_datetime

from budgets.core import clock
from budgets.holds.operations import put_budget
from budgets.limits.models import Budget
from budgets.tenancy.models import ApiKey, Organization, Project, User
from budgets.tenancy.operations import set_key_status
from tests import tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, eventually
from tests.tenants import MODEL, ROUND, Tenant
from tests.tracking.gateway.calls import Told, call, sent

# A token of ROUND's output costs a thousandth of a dollar, its input nothing.
TOKEN_USD = Decimal("0.001")


def refused(told: Told, upstream: Upstream, tenant: Tenant, *, status: int, code: str) -> Any:
    """Check that a call was refused as documented and left no trace; give its error."""
    assert (told.status, told.code) == (status, code)
    assert told.error is not None
    assert told.error["message"]
    assert not upstream.requests
    assert not tenant.journal()
    assert not tenant.records()
    assert not tenant.holds()
    return told.error


def test_sends_the_asked_cap_when_the_budget_pays_for_it(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="0.1")

    told = call(site, alice, model=ROUND, max_tokens=100)

    assert told.status == 200
    assert "x-max-tokens-fitted" not in told.headers
    assert upstream.requests[0]["max_tokens"] == 100
    entry, record = alice.the_call()
    assert (entry.held_usd, record.is_fitted) == (Decimal("0.1"), False)


def test_sends_the_default_cap_when_none_is_asked(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(default_output_tokens=333)

    call(site, alice, model=ROUND)

    assert upstream.requests[0]["max_tokens"] == 333
    assert alice.the_call()[0].held_usd == 333 * TOKEN_USD


def test_never_sends_more_than_the_model_can(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="100")

    call(site, alice, model=ROUND, max_tokens=1_000_000)

    assert upstream.requests[0]["max_tokens"] == 16_384


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_lowers_the_cap_to_what_the_budget_left_pays_for(
    site: Site, upstream: Upstream, is_streamed: bool
) -> None:
    alice = tenants.tenant(limit="0.5")

    told = call(site, alice, model=ROUND, max_tokens=4000, is_streamed=is_streamed)

    assert told.status == 200
    assert told.headers["x-max-tokens-fitted"] == "500"
    assert upstream.requests[0]["max_tokens"] == 500
    entry, record = alice.the_call()
    assert (entry.held_usd, entry.amount_usd) == (Decimal("0.5"), 5 * TOKEN_USD)
    assert (record.is_fitted, record.output_cap_tokens) == (True, 500)


def test_fits_every_choice_beside_the_input(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="0.001")

    told = call(site, alice, model=MODEL, max_tokens=4000, n=3)

    cap = int(told.headers["x-max-tokens-fitted"])
    assert upstream.requests[0]["max_tokens"] == cap
    entry, _ = alice.the_call()
    assert entry.held_usd == Decimal("0.001")
    # The highest whole number of tokens a choice that the hold pays for.
    worst = 3 * Fraction(tenants.OUTPUT_USD)
    room = Fraction(entry.held_usd) - cap * worst
    assert room >= 0
    assert 64 <= cap < 4000


def test_refuses_when_less_than_a_usable_answer_fits(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="0.063")

    told = call(site, alice, model=ROUND)

    error = refused(told, upstream, alice, status=429, code="request_exceeds_budget")
    assert error["type"] == "insufficient_quota"
    assert error["affordable_max_tokens"] == 63
    assert error["left_usd"] == "0.063000000000"
    assert told.headers["x-should-retry"] == "false"
    # It says what would pass, and that passes.
    passed = call(site, alice, model=ROUND, max_tokens=error["affordable_max_tokens"])
    assert passed.status == 200


def test_refuses_instead_of_fitting_when_the_plan_says_so(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="0.5", fits_output=False)

    told = call(site, alice, model=ROUND, max_tokens=501)

    refused(told, upstream, alice, status=429, code="request_exceeds_budget")
    assert call(site, alice, model=ROUND, max_tokens=500).status == 200


def test_refuses_more_than_the_plan_allows(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(default_output_tokens=100, max_output_tokens=200)

    told = call(site, alice, max_tokens=201)

    error = refused(told, upstream, alice, status=400, code="max_tokens_exceeded")
    assert error["param"] == "max_tokens"
    assert "200" in error["message"]
    assert call(site, alice, max_tokens=200).status == 200


def test_tells_a_budget_that_is_used_up_and_lets_through_when_it_is_raised(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(limit="0.005", window="day")
    assert alice.budget is not None
    assert call(site, alice, model=ROUND, max_tokens=5).status == 200
    upstream.forget()

    told = call(site, alice, model=ROUND, max_tokens=5)

    assert (told.status, told.code) == (429, "budget_exceeded")
    assert told.error is not None
    assert not upstream.requests
    assert len(alice.journal()) == 1
    assert told.headers["x-should-retry"] == "false"
    assert 0 < int(told.headers["Retry-After"]) <= 86_400
    figures = {name: told.error[f"{name}_usd"] for name in ("limit", "spent", "held", "left")}
    assert figures == {
        "limit": "0.005000000000",
        "spent": "0.005000000000",
        "held": "0.000000000000",
        "left": "0.000000000000",
    }
    assert told.error["budget"] == alice.budget.name
    assert told.error["remedy"]
    url = told.error["ask_for_more_url"]
    slug, pk = alice.organization.slug, alice.budget.pk
    assert url == f"{settings.COSTSITE_BASE_URL}/requests/?organization={slug}&budget={pk}"
    assert told.error["message"].endswith(f" Ask for more: {url}")
    ends_at = parse_datetime(told.error["resets_at"])
    assert ends_at is not None
    assert clock.now() < ends_at <= clock.now() + timedelta(days=1)

    budget = Budget.objects.get(pk=alice.budget.pk)
    budget.limit_amount = Decimal("0.010")
    put_budget(budget=budget)
    assert call(site, alice, model=ROUND, max_tokens=5).status == 200
    assert not alice.differences()


def test_tells_apart_when_only_calls_under_way_stand_in_the_way(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(limit="1.05")
    gate = upstream.script.gate = Gate()

    with sent(site, alice, model=ROUND):  # Holds 1.024.
        eventually(lambda: upstream.requests)
        told = call(site, alice, model=ROUND)
    gate.open()

    assert (told.status, told.code) == (429, "budget_in_flight")
    assert told.error is not None
    assert told.error["held_usd"] == "1.024000000000"
    assert (told.headers["Retry-After"], told.headers["x-should-retry"]) == ("1", "true")
    assert len(upstream.requests) == 1
    eventually(alice.journal)
    assert call(site, alice, model=ROUND).status == 200


def test_limits_requests_in_a_minute(site: Site, upstream: Upstream) -> None:
    per_minute = {"unit": "requests", "window": "minute", "limit": "1", "name": "Pace"}
    alice = tenants.tenant(limits=[per_minute])

    # A minute may end between two of the calls, but not twice.
    told = [call(site, alice) for _ in range(3)]

    refusal = next(answer for answer in told if answer.status != 200)
    assert (refusal.status, refusal.code) == (429, "rate_limit_exceeded")
    assert refusal.error is not None
    assert refusal.error["type"] == "rate_limit_error"
    assert 1 <= int(refusal.headers["Retry-After"]) <= 60
    assert refusal.headers["x-should-retry"] == "true"
    assert len(upstream.requests) == len(alice.journal()) == [a.status for a in told].count(200)


@pytest.mark.parametrize(
    "limit",
    [
        # A call counts for its bound of the input, about a hundred, and its cap of 1024.
        {"unit": "tokens", "window": "minute", "limit": "500"},
        {"unit": "requests", "window": "day", "limit": "0"},
        {"unit": "in_flight", "window": "total", "limit": "0"},
    ],
    ids=lambda limit: limit["unit"],
)
def test_a_call_larger_than_a_rate_limit_is_not_told_to_try_again(
    site: Site, upstream: Upstream, limit: dict[str, str]
) -> None:
    alice = tenants.tenant(limits=[{**limit, "name": "Pace"}])

    told = call(site, alice)

    error = refused(told, upstream, alice, status=429, code="request_exceeds_rate_limit")
    assert (error["type"], error["budget"]) == ("rate_limit_error", "Pace")
    assert error["asked"] > error["limit"] == int(limit["limit"])
    assert told.headers["x-should-retry"] == "false"
    assert "Retry-After" not in told.headers


def test_what_passes_a_rate_limit_is_what_fits_into_it(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limits=[{"unit": "tokens", "window": "day", "limit": "500"}])

    assert call(site, alice).code == "request_exceeds_rate_limit"
    assert call(site, alice, max_tokens=300).status == 200
    # What is left of the day's tokens is too little, and tomorrow they begin anew.
    told = [call(site, alice, max_tokens=390 - len(upstream.requests)) for _ in range(2)][-1]

    assert (told.status, told.code) == (429, "rate_limit_exceeded")
    assert told.error is not None
    assert "tokens a day" in told.error["message"]
    assert 0 < int(told.headers["Retry-After"]) <= 86_400


def test_tells_what_is_left_of_the_rate_limits(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(
        limits=[
            {"limit": "10", "unit": "requests", "window": "minute"},
            {"limit": "1000", "unit": "requests", "window": "day"},
            {"limit": "50000", "unit": "tokens", "window": "minute"},
        ]
    )

    for is_streamed in (False, True):
        seen = call(site, alice, is_streamed=is_streamed, max_tokens=100).headers

    assert seen["x-ratelimit-limit-requests"] == "10"
    assert seen["x-ratelimit-remaining-requests"] in ("8", "9")  # A minute may have begun between.
    assert seen["x-ratelimit-limit-tokens"] == "50000"
    held = alice.journal()[-1].tokens
    assert 50_000 - 1000 < int(seen["x-ratelimit-remaining-tokens"]) < 50_000 - held
    assert 0 <= int(seen["x-ratelimit-reset-requests"].removesuffix("s")) <= 60


def test_tells_no_rate_limits_where_there_are_none(site: Site, upstream: Upstream) -> None:
    seen = call(site, tenants.tenant()).headers

    assert not [name for name in seen if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(
    "limit",
    [
        {"unit": "in_flight", "window": "total", "limit": "1"},
        # A call holds its bound of the input, about a hundred, and its cap of 1024.
        {"unit": "tokens", "window": "minute", "limit": "1500"},
    ],
    ids=lambda limit: limit["unit"],
)
def test_limits_what_is_under_way(site: Site, upstream: Upstream, limit: dict[str, str]) -> None:
    alice = tenants.tenant(limits=[{**limit, "name": "Pace"}])
    gate = upstream.script.gate = Gate()

    with sent(site, alice):
        eventually(lambda: upstream.requests)
        told = call(site, alice)
    gate.open()

    # At the turn of a minute the tokens of the first call no longer count.
    if told.status != 200 or limit["unit"] == "in_flight":
        assert (told.status, told.code) == (429, "rate_limit_exceeded")
        assert int(told.headers["Retry-After"]) <= 60
    eventually(alice.journal)
    eventually(lambda: call(site, alice).status == 200)


def test_names_the_budget_that_binds(site: Site, upstream: Upstream) -> None:
    narrow = {"limit": "0.2", "name": "Narrow ☂"}
    alice = tenants.tenant(limit="5", limits=[narrow])

    told = call(site, alice, model=ROUND, max_tokens=10)

    assert told.headers["x-budget-name"] == "Narrow ?"
    assert told.headers["x-budget-left-usd"] == "0.195000000000"
    assert "x-budget-resets-at" in told.headers  # It is a month's; the other never ends.


@pytest.mark.parametrize("whose", ["plan", "key"])
def test_refuses_models_that_are_not_allowed(site: Site, upstream: Upstream, whose: str) -> None:
    patterns = ["other/*", "test/other"]
    alice = (
        tenants.tenant(allowed_models=patterns)
        if whose == "plan"
        else tenants.tenant(key={"allowed_models": patterns})
    )

    told = call(site, alice)

    refused(told, upstream, alice, status=403, code="model_not_allowed")
    with site.client(alice.text) as client:
        assert client.get("/v1/models").json()["data"] == []
        assert client.get(f"/v1/models/{MODEL}").status_code == 403


def suspend_organization(tenant: Tenant) -> None:
    Organization.objects.filter(pk=tenant.organization.pk).update(status="suspended")


def archive_project(tenant: Tenant) -> None:
    Project.objects.filter(pk=tenant.key.project_id).update(archived_at=clock.now())


def revoke_key(tenant: Tenant) -> None:
    set_key_status(key=tenant.key, status=ApiKey.Status.REVOKED)


def suspend_key(tenant: Tenant) -> None:
    set_key_status(key=tenant.key, status=ApiKey.Status.SUSPENDED)


def expire_key(tenant: Tenant) -> None:
    ApiKey.objects.filter(pk=tenant.key.pk).update(expires_at=clock.now())


def shut_out_user(tenant: Tenant) -> None:
    User.objects.filter(pk=tenant.key.user_id).update(is_active=False)


def end_membership(tenant: Tenant) -> None:
    tenant.organization.memberships.filter(user=tenant.key.user_id).delete()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (suspend_organization, 403, "organization_suspended"),
        (archive_project, 403, "project_archived"),
        (revoke_key, 401, "invalid_api_key"),
        (suspend_key, 401, "invalid_api_key"),
        (expire_key, 401, "invalid_api_key"),
        (shut_out_user, 401, "invalid_api_key"),
        (end_membership, 401, "invalid_api_key"),
    ],
)
def test_obeys_at_the_next_call(
    site: Site, upstream: Upstream, change: Any, status: int, code: str
) -> None:
    alice = tenants.tenant()
    # The process has found this caller before and still remembers.
    assert call(site, alice).status == 200
    upstream.forget()

    change(alice)
    told = call(site, alice)

    assert (told.status, told.code) == (status, code)
    assert not upstream.requests
    assert len(alice.journal()) == 1
