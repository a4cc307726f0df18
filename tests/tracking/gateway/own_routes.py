"""An organization's own keys, for providers of its own, and aliases that name them."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.upstream import Upstream
from tests.serving import Site, eventually
from tests.tenants import MODEL, Tenant
from tracking.gateway.connections import connect_provider, put_alias
from tracking.gateway.models import Alias, AliasTarget, Provider
from tracking.pricing.models import CatalogModel

WAYS = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])

_numbers = itertools.count(1)


def connect(tenant: Tenant, upstream: Upstream, label: str = "", **fields: Any) -> Provider:
    provider = connect_provider(
        name="test",
        label=label,
        kind=Provider.Kind.OPENAI_COMPATIBLE,
        base_url=upstream.url,
        key=f"sk-{label}",
        organization=tenant.organization,
    )
    Provider.objects.filter(pk=provider.pk).update(**fields)
    return provider


def alias_of(
    site: Site, tenant: Tenant, *targets: tuple[str, Provider | None], **fields: Any
) -> str:
    """Make an alias of the tenant's and wait until the site knows it; give its name."""
    name = f"alias-{next(_numbers)}"
    made = Alias(name=name, organization=tenant.organization, **fields)
    rows = [
        AliasTarget(position=place, model=CatalogModel.objects.get(name=model), provider=provider)
        for place, (model, provider) in enumerate(targets, start=1)
    ]
    put_alias(alias=made, targets=rows)
    eventually(lambda: name in listed(site, tenant))
    return name


def listed(site: Site, tenant: Tenant) -> list[str]:
    with site.client(tenant.text) as client:
        return [model["id"] for model in client.get("/v1/models").json()["data"]]


def ready(site: Site, tenant: Tenant) -> None:
    """Wait until the site has read what was just changed: it knows an alias made after it."""
    alias_of(site, tenant, (MODEL, None))


def is_exact(tenant: Tenant) -> bool:
    """Tell whether each call's attempts add up to its charge, and all is accounted for."""
    charged: dict[Any, Decimal] = {}
    for record in tenant.records():
        charged[record.request_id] = charged.get(record.request_id, Decimal(0)) + record.cost_usd
    booked = {entry.request_id: entry.amount_usd for entry in tenant.journal()}
    return charged == booked and not tenant.holds() and not tenant.differences()
