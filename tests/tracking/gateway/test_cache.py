"""Equal requests of a project are answered once for money and then from the cache."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.http.request import HttpHeaders

from budgets.core import clock
from budgets.holds.operations import put_budget
from tests import make, tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site, eventually
from tests.tenants import Tenant
from tests.tracking.gateway.calls import PATH, Told, body, told
from tracking.gateway.caching.rules import CacheUse, cache_use, digest_of
from tracking.gateway.connections import sweep_answers
from tracking.gateway.endpoints.bodies import ValueOutOfRange
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest
from tracking.gateway.models import CachedAnswer

NOTHING = Decimal(0)
TEXT = "one two three four five "


def asked(site: Site, tenant: Tenant, *, key: str = "", **asked_for: Any) -> Told:
    """Make a call that leaves nothing to chance, unless told otherwise."""
    headers = asked_for.pop("headers", {})
    with site.client(key or tenant.text) as client:
        return told(
            client.post(PATH, json=body(**({"temperature": 0} | asked_for)), headers=headers)
        )


def is_hit(answer: Told) -> bool:
    assert answer.status == 200
    return bool(answer.headers.get("x-cache") == "hit")


def request(**asked_for: Any) -> ChatCompletionRequest:
    return ChatCompletionRequest.model_validate(body(**asked_for))


@pytest.mark.parametrize(
    ("headers", "ttl_s", "temperature", "use"),
    [
        ({}, 60, 0, CacheUse(reads=True, keeps_s=60)),
        ({}, 60, None, CacheUse()),
        ({}, 60, 0.1, CacheUse()),
        ({}, 0, 0, CacheUse()),
        ({"X-Cache-TTL": "30"}, 0, 1, CacheUse(reads=True, keeps_s=30)),
        ({"X-Cache-TTL": "0"}, 60, 0, CacheUse()),
        ({"Cache-Control": "no-cache"}, 60, 0, CacheUse(reads=False, keeps_s=60)),
        ({"Cache-Control": "max-age=0, No-Store"}, 60, 0, CacheUse()),
    ],
)
def test_decides_by_chance_header_and_plan(
    headers: dict[str, str], ttl_s: int, temperature: float | None, use: CacheUse
) -> None:
    wire = HttpHeaders({f"HTTP_{name.upper().replace('-', '_')}": v for name, v in headers.items()})

    assert cache_use(request=request(temperature=temperature), headers=wire, ttl_s=ttl_s) == use


@pytest.mark.parametrize("text", ["-1", "1.5", "ten", "604801", "", "٣"])
def test_refuses_a_time_that_is_none(text: str) -> None:
    with pytest.raises(ValueOutOfRange):
        cache_use(request=request(), headers={"X-Cache-TTL": text}, ttl_s=0)


def test_requests_are_the_same_if_they_mean_the_same() -> None:
    def digest(*, model: str = "m", default: int = 10, **asked_for: Any) -> bytes:
        return digest_of(
            endpoint="chat.completions",
            model=model,
            request=request(**asked_for),
            default_output_tokens=default,
        )

    plain = digest(temperature=0, seed=1)

    assert digest(seed=1, temperature=0) == plain
    assert digest(temperature=0, seed=1, user="dave", metadata={"session": "s"}) == plain
    others = [
        digest(temperature=0, seed=2),
        digest(temperature=0, seed=1, max_tokens=5),
        digest(temperature=0, seed=1, stop="x"),
        digest(temperature=0, seed=1, is_streamed=True),
        digest(temperature=0, seed=1, default=11),
        digest(temperature=0, seed=1, model="n"),
        digest(temperature=0, seed=1, messages=[{"role": "user", "content": "Count to six."}]),
    ]
    assert len({plain, *others}) == 1 + len(others)


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_answers_again_for_nothing_and_records_what_it_saved(
    site: Site, upstream: Upstream, is_streamed: bool
) -> None:
    alice = tenants.tenant(cache_ttl_s=60)

    first = asked(site, alice, is_streamed=is_streamed)
    second = asked(site, alice, is_streamed=is_streamed)

    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert (first.text, second.text) == (TEXT, TEXT)
    assert second.is_ended
    assert len(upstream.requests) == 1
    assert second.usage is not None
    assert second.usage["cost"] == "0.000000000000"
    assert second.usage["prompt_tokens"] == 11
    charged, free = alice.journal()
    bought, cached = alice.records()
    assert charged.amount_usd == bought.cost_usd > 0
    assert (free.kind, free.amount_usd, free.held_usd) == ("charge", NOTHING, NOTHING)
    assert (cached.outcome, cached.cost_usd) == ("cached", NOTHING)
    assert (cached.saved_usd, bought.saved_usd) == (bought.cost_usd, NOTHING)
    assert cached.input_tokens == len(cached.lines) == 0
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert not alice.holds()
    assert not alice.differences()


def test_a_stream_that_did_not_ask_for_usage_gets_none_from_the_cache(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(cache_ttl_s=60)
    asked(site, alice, is_streamed=True)

    with_usage = asked(site, alice, is_streamed=True)
    without = asked(site, alice, stream=True)

    assert is_hit(with_usage)
    assert is_hit(without)
    assert with_usage.usage
    assert without.usage is None


def test_leaves_alone_what_leaves_something_to_chance_unless_it_is_asked_for(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(cache_ttl_s=60)
    forced = {"X-Cache-TTL": "60"}

    assert not is_hit(asked(site, alice, temperature=1))
    assert not is_hit(asked(site, alice, temperature=1, headers=forced))
    assert is_hit(asked(site, alice, temperature=1, headers=forced))
    assert not is_hit(asked(site, alice, temperature=1))


def test_obeys_cache_control(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(cache_ttl_s=60)

    assert not is_hit(asked(site, alice, headers={"Cache-Control": "no-store"}))
    assert not is_hit(asked(site, alice))
    assert is_hit(asked(site, alice))
    assert not is_hit(asked(site, alice, headers={"Cache-Control": "no-cache"}))
    assert len(upstream.requests) == 3


def test_a_key_goes_before_its_plan(site: Site, upstream: Upstream) -> None:
    never = tenants.tenant(cache_ttl_s=60, key={"cache_ttl_s": 0})
    own = tenants.tenant(key={"cache_ttl_s": 60})

    assert not [is_hit(asked(site, never)) for _ in range(2)][1]
    assert [is_hit(asked(site, own)) for _ in range(2)][1]


def test_is_never_shared_by_projects_or_tenants(site: Site, upstream: Upstream) -> None:
    alice, carol = tenants.tenant(cache_ttl_s=60), tenants.tenant(cache_ttl_s=60)
    other = make.project(of=alice.organization, slug="other")
    _, other_key = make.key(of=alice.organization, user=alice.key.user, in_project=other)
    _, second_key = make.key(
        of=alice.organization, user=alice.key.user, in_project=alice.key.project
    )

    assert not is_hit(asked(site, alice))
    assert not is_hit(asked(site, carol))
    assert not is_hit(asked(site, alice, key=other_key))
    assert is_hit(asked(site, alice, key=second_key))


def test_forgets_when_the_time_is_over_and_sweeps_it_away(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(cache_ttl_s=60)
    asked(site, alice)
    rows = CachedAnswer.objects.for_organization(alice.organization)
    assert rows.count() == 1
    rows.update(expires_at=clock.now() - timedelta(seconds=1))

    assert not is_hit(asked(site, alice))
    assert is_hit(asked(site, alice))
    rows.update(expires_at=clock.now() - timedelta(seconds=1))
    sweep_answers(now=clock.now())

    assert not rows.exists()


def test_keeps_nothing_readable(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(cache_ttl_s=60)
    asked(site, alice)

    (kept,) = CachedAnswer.objects.for_organization(alice.organization)

    assert b"three" not in bytes(kept.sealed)


def test_an_answer_that_was_moved_to_another_place_is_not_given(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(cache_ttl_s=60)
    asked(site, alice, seed=1)
    asked(site, alice, seed=2)
    first, second = CachedAnswer.objects.for_organization(alice.organization).order_by("id")
    CachedAnswer.objects.filter(pk=second.pk).update(sealed=bytes(first.sealed))

    assert not is_hit(asked(site, alice, seed=2))


@pytest.mark.parametrize("case", ["failed", "truncated by a budget", "no usage", "too large"])
def test_keeps_only_whole_answers_of_true_cost(site: Site, upstream: Upstream, case: str) -> None:
    alice = tenants.tenant(limit="0.0004" if "budget" in case else "10", cache_ttl_s=60)
    if case == "failed":
        upstream.script.status = 500
    if case == "no usage":
        upstream.script.usage = None
    if case == "too large":
        upstream.script.words = ("word " * 60_000,)

    first = asked(site, alice)

    assert (first.status == 200) == (case != "failed")
    if "budget" in case:
        assert "x-max-tokens-fitted" in first.headers
    assert not CachedAnswer.objects.for_organization(alice.organization).exists()


def test_a_hit_passes_where_the_money_is_used_up_but_not_where_the_key_is_shut(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(cache_ttl_s=60)
    asked(site, alice)
    assert alice.budget is not None
    spent = alice.records()[0].cost_usd
    alice.budget.limit_amount = spent
    put_budget(budget=alice.budget)

    assert is_hit(asked(site, alice))
    assert asked(site, alice, seed=5).code == "budget_exceeded"
    type(alice.key).objects.filter(pk=alice.key.pk).update(status="suspended")
    assert eventually(lambda: asked(site, alice).code == "invalid_api_key")


def test_a_hit_counts_against_the_limit_of_requests(site: Site, upstream: Upstream) -> None:
    day = {"limit": "2", "unit": "requests", "window": "day"}
    alice = tenants.tenant(cache_ttl_s=60, limits=[day])

    answers = [asked(site, alice) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert len(upstream.requests) == 1


def test_a_named_request_is_not_charged_or_cached_twice(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(cache_ttl_s=60)
    named = {"Idempotency-Key": "one"}
    asked(site, alice)

    first, second = asked(site, alice, headers=named), asked(site, alice, headers=named)

    assert is_hit(first)
    assert second.code == "idempotency_result_not_stored"
    assert second.error is not None
    assert Decimal(second.error["charged_usd"]) == 0


def test_says_nothing_of_the_cache_where_it_is_not_used(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant()
    with site.client(alice.text) as client:
        answer: httpx.Response = client.post(PATH, content=json.dumps(body()))

    assert "x-cache" not in answer.headers
