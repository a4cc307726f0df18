"""Names that stand for models: by budget, by the caller's rules, and for their owners alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site, eventually
from tests.tenants import MODEL, ROUND, Tenant
from tests.tracking.gateway.calls import Told, call
from tests.tracking.gateway.own_routes import WAYS, alias_of, connect, listed, ready
from tracking.gateway.connections import put_alias
from tracking.gateway.models import Alias, AliasTarget
from tracking.pricing.models import CatalogModel

# The site's own provider does what no test before has left it to do.
pytestmark = pytest.mark.usefixtures("upstream")


def dear_then_cheap(site: Site, tenant: Tenant, upstreams: list[Upstream], **fields: Any) -> str:
    connect(tenant, upstreams[0])
    return alias_of(site, tenant, (ROUND, None), (MODEL, None), **fields)


@WAYS
def test_a_cheaper_model_is_called_when_the_dear_one_does_not_fit(
    persistent_site: Site, upstreams: list[Upstream], is_streamed: bool
) -> None:
    alice = tenants.tenant(limit="0.004")
    name = dear_then_cheap(persistent_site, alice, upstreams)

    said = call(persistent_site, alice, model=name, is_streamed=is_streamed, max_tokens=10)

    assert said.status == 200
    assert (said.headers["x-model"], said.headers["x-fallback-from"]) == (MODEL, ROUND)
    entry, record = alice.the_call()
    assert (entry.model, record.asked_model) == (MODEL, name)
    assert record.origin_request_id is None
    assert entry.held_usd <= Decimal("0.004")


def test_a_whole_answer_of_the_cheaper_goes_before_a_cut_one_of_the_dearer(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    # Pays for 80 tokens of the dear model, of the 100 that are asked for.
    alice = tenants.tenant(limit="0.080")
    name = dear_then_cheap(persistent_site, alice, upstreams)

    said = call(persistent_site, alice, model=name, max_tokens=100)

    assert said.headers["x-model"] == MODEL
    assert "x-max-tokens-fitted" not in said.headers
    assert upstreams[0].requests[-1]["max_tokens"] == 100


def test_refuses_when_none_fits_or_none_may_be_tried(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice, bob = tenants.tenant(limit="0"), tenants.tenant(limit="0.004")
    name = dear_then_cheap(persistent_site, alice, upstreams)
    strict = dear_then_cheap(persistent_site, bob, upstreams, falls_back_on_budget=False)

    assert call(persistent_site, alice, model=name).code == "budget_exceeded"
    refused = call(persistent_site, bob, model=strict, max_tokens=10)

    assert (refused.status, refused.code) == (429, "request_exceeds_budget")
    assert not upstreams[0].requests
    assert not alice.records()
    assert not bob.records()


def test_the_rules_of_plan_and_key_hold_for_what_an_alias_stands_for(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice = tenants.tenant(allowed_models=[MODEL])
    barred = tenants.tenant(key={"allowed_models": ["nothing/*"]})
    name = dear_then_cheap(persistent_site, alice, upstreams)
    connect(barred, upstreams[1])
    put_alias(
        alias=Alias(name="barred", organization=barred.organization),
        targets=[AliasTarget(model=CatalogModel.objects.get(name=MODEL))],
    )

    said = call(persistent_site, alice, model=name, max_tokens=10)
    eventually(lambda: call(persistent_site, barred, model="barred").code == "model_not_allowed")

    assert (said.status, said.headers["x-model"]) == (200, MODEL)
    assert listed(persistent_site, barred) == []
    with persistent_site.client(alice.text) as client:
        told_of = client.get(f"/v1/models/{name}").json()
    assert (told_of["id"], told_of["stands_for"]) == (name, [MODEL])
    assert not upstreams[1].requests


def test_an_alias_and_its_keys_are_their_owners_alone(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice, carol = tenants.tenant(), tenants.tenant()
    own = connect(alice, upstreams[0])
    name = alias_of(persistent_site, alice, (MODEL, own))

    assert call(persistent_site, carol, model=name).code == "model_not_found"
    assert name not in listed(persistent_site, carol)

    # Whatever the database says, nobody calls with another tenant's key.
    stolen = Alias.objects.create(name=f"stolen-{name}", organization=carol.organization)
    AliasTarget.objects.create(
        alias=stolen, model=CatalogModel.objects.get(name=MODEL), provider=own
    )
    eventually(
        lambda: call(persistent_site, carol, model=stolen.name).code == "provider_not_configured"
    )
    assert not upstreams[0].requests
    assert call(persistent_site, alice, model=name).status == 200


def test_a_tenants_alias_goes_before_the_sites_and_before_the_catalogue(
    persistent_site: Site, upstreams: list[Upstream]
) -> None:
    alice, carol = tenants.tenant(), tenants.tenant()
    provider = connect(alice, upstreams[0])
    eventually(lambda: call(persistent_site, alice).status == 200 and upstreams[0].requests)
    put_alias(
        alias=Alias(name=MODEL, organization=alice.organization),
        targets=[
            AliasTarget(
                model=CatalogModel.objects.get(name=ROUND),
                provider=provider,
                name_at_provider="own-deployment",
            )
        ],
    )

    def asked() -> Told:
        return call(persistent_site, alice, max_tokens=5)

    eventually(lambda: asked().headers["x-model"] == ROUND)
    assert upstreams[0].requests[-1]["model"] == "own-deployment"
    assert call(persistent_site, carol, max_tokens=5).headers["x-model"] == MODEL


def test_calls_follow_the_weights(persistent_site: Site, upstreams: list[Upstream]) -> None:
    alice = tenants.tenant()
    connect(alice, upstreams[0], "all", weight=1)
    connect(alice, upstreams[1], "none", weight=0)
    ready(persistent_site, alice)

    for _ in range(8):
        assert call(persistent_site, alice).status == 200

    assert (len(upstreams[0].requests), len(upstreams[1].requests)) == (8, 0)
