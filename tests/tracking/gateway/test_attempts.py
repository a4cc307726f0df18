"""Calls that are tried again, at the same key, at another, or with another model: to the last digit."""

from __future__ import annotations

import time
from typing import Any

import pytest

from budgets.core.clock import now
from tests import make, tenants
from tests.fakes.upstream import Script, Upstream
from tests.serving import Site, eventually
from tests.tenants import MODEL, ROUND
from tests.tracking.gateway.calls import call, told
from tests.tracking.gateway.own_routes import WAYS, alias_of, connect, is_exact, ready
from tracking.gateway.models import Provider, RouteHealth


@WAYS
@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answered_failure_is_tried_again_under_the_same_hold(
    persistent_site: Site, upstreams: list[Upstream], status: int, is_streamed: bool
) -> None:
    alice, upstream = tenants.tenant(), upstreams[0]
    connect(alice, upstream)
    ready(persistent_site, alice)
    upstream.next = [Script(status=status), Script(status=status)]

    said = call(persistent_site, alice, is_streamed=is_streamed)

    assert (said.status, said.text) == (200, "one two three four five ")
    first, second, third = alice.records()
    assert [r.attempt for r in (first, second, third)] == [1, 2, 3]
    assert [r.outcome for r in (first, second, third)] == ["failed", "failed", "completed"]
    assert first.cost_usd == second.cost_usd == 0
    (entry,) = alice.journal()
    assert entry.amount_usd == third.cost_usd > 0
    assert str(entry.request_id) == said.headers["x-request-id"]
    assert is_exact(alice)


@WAYS
def test_gives_up_after_the_last_attempt_and_charges_nothing(
    persistent_site: Site, upstreams: list[Upstream], is_streamed: bool
) -> None:
    alice, upstream = tenants.tenant(), upstreams[0]
    connect(alice, upstream)
    ready(persistent_site, alice)
    upstream.script.status = 500

    said = call(persistent_site, alice, is_streamed=is_streamed)

    assert (said.status, said.code) == (502, "provider_error")
    assert len(upstream.requests) == 3
    assert [record.outcome for record in alice.records()] == ["failed"] * 3
    assert [entry.kind for entry in alice.journal()] == ["release"]
    assert is_exact(alice)


@WAYS
@pytest.mark.parametrize(
    ("script", "limits", "code"),
    [
        (Script(wait_s=4), {"total_timeout_s": 1}, "timeout"),
        (Script(breaks=True), {}, "provider_error"),
        (Script(status=400), {}, "provider_refused"),
    ],
    ids=["out of time", "broken off", "refused"],
)
def test_what_may_be_billed_or_is_wrong_is_not_tried_again(
    persistent_site: Site,
    upstreams: list[Upstream],
    script: Script,
    limits: dict[str, Any],
    code: str,
    is_streamed: bool,
) -> None:
    alice, upstream = tenants.tenant(), upstreams[0]
    connect(alice, upstream, **limits)
    spare = connect(alice, upstreams[1], "spare", weight=0)
    name = alias_of(persistent_site, alice, (MODEL, None), (ROUND, spare))
    upstream.script = script

    said = call(persistent_site, alice, model=name, is_streamed=is_streamed)

    assert said.code == code
    assert (len(upstream.requests), len(upstreams[1].requests)) == (1, 0)
    assert len(alice.records()) == 1
    assert is_exact(alice)


def test_a_stream_that_has_begun_is_not_tried_again(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice, upstream = tenants.tenant(), upstreams[0]
    connect(alice, upstream)
    ready(persistent_site, alice)
    upstream.script.breaks_after = 2

    said = call(persistent_site, alice, is_streamed=True)

    assert said.text == "one two "
    assert said.code == "provider_error"
    assert len(upstream.requests) == 1
    (record,) = alice.records()
    assert record.outcome == "interrupted"
    assert record.cost_usd > 0
    assert is_exact(alice)


def test_waits_as_long_as_the_provider_asks(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice, upstream = tenants.tenant(), upstreams[0]
    connect(alice, upstream)
    ready(persistent_site, alice)
    upstream.next = [Script(status=429, headers={"Retry-After": "1"})]

    begun = time.monotonic()
    assert call(persistent_site, alice).status == 200

    # Never sooner; how much later is the machine's business.
    assert time.monotonic() - begun >= 1
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("asked_s", "limits"),
    [("60", {}), ("2", {"total_timeout_s": 2})],
    ids=["too long", "past the deadline"],
)
def test_does_not_wait_for_what_would_come_too_late(
    persistent_site: Site, upstreams: list[Upstream], asked_s: str, limits: dict[str, Any]
) -> None:
    alice, upstream = tenants.tenant(), upstreams[0]
    connect(alice, upstream, **limits)
    ready(persistent_site, alice)
    upstream.script = Script(status=429, headers={"Retry-After": asked_s})

    said = call(persistent_site, alice)

    assert (said.status, said.code) == (429, "provider_rate_limited")
    assert said.headers["Retry-After"] == asked_s
    assert len(upstream.requests) == 1
    assert is_exact(alice)


@WAYS
@pytest.mark.parametrize("status", [401, 429, 503])
def test_goes_to_another_key_at_once(
    persistent_site: Site, upstreams: list[Upstream], status: int, is_streamed: bool
) -> None:
    alice = tenants.tenant()
    first, spare = upstreams
    connect(alice, first, "first")
    connect(alice, spare, "spare", weight=0)
    ready(persistent_site, alice)
    first.script = Script(status=status, headers={"Retry-After": "60"})

    said = call(persistent_site, alice, is_streamed=is_streamed)

    assert said.status == 200
    assert (len(first.requests), len(spare.requests)) == (1, 1)
    assert spare.headers[0]["Authorization"] == "Bearer sk-spare"
    assert [(r.attempt, r.credential) for r in alice.records()] == [(1, "first"), (2, "spare")]
    assert is_exact(alice)


def test_leaves_a_failing_key_alone_and_probes_it_later(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice = tenants.tenant()
    first, spare = upstreams
    failing = connect(alice, first, "first")
    connect(alice, spare, "spare", weight=0)
    ready(persistent_site, alice)
    first.script.status = 500

    for _ in range(3):
        assert call(persistent_site, alice).status == 200
    health = eventually(lambda: RouteHealth.objects.filter(provider=failing, failures=3).first())
    assert health.cools_until > health.failed_at
    assert (health.code, health.recovered_at) == ("provider_error", None)

    # It cools from then on for longer at each probe that fails, and is well at the first that
    # does not.
    first.script.status = 200
    eventually(lambda: call(persistent_site, alice).status == 200 and first.served)
    well = eventually(
        lambda: RouteHealth.objects.filter(provider=failing, recovered_at__isnull=False).first()
    )
    assert (well.failures, well.cools_until) == (0, None)
    assert is_exact(alice)


def test_learns_from_the_database_what_another_process_found(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice = tenants.tenant()
    first, spare = upstreams
    failing = connect(alice, first, "first")
    connect(alice, spare, "spare", weight=0)
    at = now()
    RouteHealth.objects.create(
        provider=failing,
        model="hosted_vllm/plain",
        failures=3,
        code="provider_error",
        failed_at=at,
        cools_until=at.replace(year=at.year + 1),
    )
    ready(persistent_site, alice)

    assert [call(persistent_site, alice).status for _ in range(4)] == [200] * 4

    assert (len(first.requests), len(spare.requests)) == (0, 4)
    # Where there is no other, a call is not refused on a guess.
    Provider.objects.filter(organization=alice.organization, label="spare").update(active=False)
    ready(persistent_site, alice)
    assert call(persistent_site, alice).status == 200
    assert len(first.requests) == 1


@WAYS
@pytest.mark.parametrize("status", [401, 500])
def test_falls_back_to_another_model_under_a_hold_of_its_own(
    persistent_site: Site, upstreams: list[Upstream], status: int, is_streamed: bool
) -> None:
    alice = tenants.tenant()
    dear, cheap = (connect(alice, up, label) for up, label in zip(upstreams, "dc", strict=True))
    name = alias_of(persistent_site, alice, (ROUND, dear), (MODEL, cheap))
    upstreams[0].script.status = status

    said = call(persistent_site, alice, model=name, is_streamed=is_streamed, max_tokens=10)

    assert (said.status, said.text) == (200, "one two three four five ")
    assert said.headers["x-model"] == MODEL
    assert said.headers["x-fallback-from"] == ROUND
    released, charged = alice.journal()
    assert (released.kind, released.model) == ("release", ROUND)
    assert released.amount_usd == 0
    assert (charged.kind, charged.model) == ("charge", MODEL)
    assert str(charged.request_id) == said.headers["x-request-id"]
    last = alice.records()[-1]
    assert last.origin_request_id == released.request_id
    assert last.asked_model == name
    assert last.cost_usd == charged.amount_usd > 0
    assert is_exact(alice)


def test_falls_back_only_as_far_as_the_budget_goes(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice = tenants.tenant(fits_output=False)
    make.budget(organization=alice.organization, limit="0.005", name="Round", model_pattern=ROUND)
    dear, cheap = (connect(alice, up, label) for up, label in zip(upstreams, "dc", strict=True))
    name = alias_of(
        persistent_site, alice, (MODEL, cheap), (ROUND, dear), falls_back_on_budget=False
    )
    upstreams[1].script.status = 500

    said = call(persistent_site, alice, model=name, max_tokens=10)

    # The first failure is told; the model after it did not fit into a budget of its own.
    assert (said.status, said.code) == (502, "provider_error")
    assert not upstreams[0].requests
    assert [entry.kind for entry in alice.journal()] == ["release"]
    assert is_exact(alice)


def test_a_named_call_that_fell_back_is_charged_once(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice = tenants.tenant()
    dear, cheap = (connect(alice, up, label) for up, label in zip(upstreams, "dc", strict=True))
    name = alias_of(persistent_site, alice, (ROUND, dear), (MODEL, cheap))
    upstreams[0].script.status = 500
    asked = {"model": name, "messages": [{"role": "user", "content": "Count."}], "max_tokens": 9}

    with persistent_site.client(alice.text, follow_redirects=False) as client:
        client.headers["Idempotency-Key"] = "once"
        first = told(client.post("/v1/chat/completions", json=asked))
        again = told(client.post("/v1/chat/completions", json=asked))

    assert first.status == 200
    assert (again.status, again.code) == (409, "idempotency_result_not_stored")
    assert again.error is not None
    assert again.error["first_request_id"] == first.headers["x-request-id"]
    assert len(upstreams[1].requests) == 1
    assert is_exact(alice)


def test_does_not_fall_back_where_the_alias_says_so(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice = tenants.tenant()
    dear, cheap = (connect(alice, up, label) for up, label in zip(upstreams, "dc", strict=True))
    name = alias_of(
        persistent_site, alice, (ROUND, dear), (MODEL, cheap), falls_back_on_failure=False
    )
    upstreams[0].script.status = 500

    assert call(persistent_site, alice, model=name, max_tokens=10).code == "provider_error"

    assert not upstreams[1].requests
    assert is_exact(alice)
