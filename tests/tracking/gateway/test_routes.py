"""Where a call is sent: to the tenant's own provider of that name, else to the site's."""

from __future__ import annotations

import httpx

from tests import tenants
from tests.fakes.upstream import Upstream, running_upstream
from tests.serving import Site, eventually
from tests.tenants import MODEL
from tests.tracking.gateway.calls import call
from tracking.gateway.connections import connect_provider, set_provider_active
from tracking.gateway.models import Provider


def test_a_tenants_own_provider_goes_before_the_sites(site: Site, upstream: Upstream) -> None:
    alice, carol = tenants.tenant(), tenants.tenant()
    with running_upstream() as own:
        provider = connect_provider(
            name="test",
            kind=Provider.Kind.OPENAI_COMPATIBLE,
            base_url=own.url,
            key="sk-of-alice",
            organization=alice.organization,
        )
        # Running processes look again after a second.
        eventually(lambda: call(site, alice).status == 200 and own.requests)
        upstream.forget()

        assert call(site, alice).status == 200
        assert not upstream.requests
        assert own.headers[-1]["Authorization"] == "Bearer sk-of-alice"
        assert call(site, carol).status == 200
        assert len(upstream.requests) == 1
        assert upstream.headers[-1]["Authorization"] == "Bearer sk-upstream-secret"

        set_provider_active(provider=provider, active=False)
        eventually(lambda: call(site, alice).status == 200 and len(upstream.requests) > 1)
    # A key that no site key opens any more stands in nobody else's way.
    Provider.objects.filter(pk=provider.pk).update(active=True, sealed_key=b"broken")
    eventually(lambda: call(site, alice).code == "provider_not_configured")
    assert call(site, carol).status == 200


def listed(client: httpx.Client) -> list[str]:
    return [model["id"] for model in client.get("/v1/models").json()["data"]]


def test_models_of_a_tenants_own_provider_are_listed_for_that_tenant_alone(
    site: Site, upstream: Upstream
) -> None:
    alice, carol = tenants.tenant(), tenants.tenant()
    connect_provider(
        name="nowhere",
        kind=Provider.Kind.OPENAI_COMPATIBLE,
        base_url=upstream.url,
        organization=alice.organization,
    )

    with site.client(alice.text) as hers, site.client(carol.text) as other:
        eventually(lambda: tenants.UNCONNECTED in listed(hers))
        assert tenants.UNCONNECTED not in listed(other)
        assert MODEL in listed(other)
    assert call(site, alice, model=tenants.UNCONNECTED).status == 200
    assert call(site, carol, model=tenants.UNCONNECTED).code == "provider_not_configured"
