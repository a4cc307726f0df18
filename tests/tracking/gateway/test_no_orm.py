"""Calls never go through Django's own connections: those block, and need a thread each."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from budgets.holds.models import JournalEntry
from costsite.edges.site import Site
from tests import tenants
from tests.fakes.upstream import Upstream
from tests.tenants import MODEL, Tenant
from tests.tracking.gateway.calls import PATH, body
from tracking.gateway.runtime import start_runtime, stop_runtime


@pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning")
def test_no_address_under_v1_touches_the_orm(
    models_listed: str, committed_db: None, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, poor = tenants.tenant(), tenants.tenant(limit="0")
    touched: list[str] = []
    opening = BaseDatabaseWrapper.ensure_connection

    def noted(self: Any) -> None:
        touched.append("the ORM's connection")
        opening(self)

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", noted)
    assert JournalEntry.objects.count() >= 0
    assert touched.pop()  # So it would be seen.

    statuses = asyncio.run(every_kind_of_request(alice, poor))

    assert statuses == [200, 200, 200, 200, 200, 404, 400, 401, 405, 429]
    assert len(upstream.requests) == 2
    assert not touched


async def every_kind_of_request(alice: Tenant, poor: Tenant) -> list[int]:
    """Make requests of this process's own site; give their statuses."""
    await start_runtime()
    site: Any = Site()
    transport = httpx.ASGITransport(app=site)
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver", headers=alice.headers, timeout=60
        ) as client:
            answers = [
                await client.post(PATH, json=body()),
                await client.post(PATH, json=body(is_streamed=True)),
                await client.get("/v1/models"),
                await client.get(f"/v1/models/{MODEL}"),
                await client.get("/v1/key"),
                await client.get("/v1/nothing"),
                await client.post(PATH, content=b"{"),
                await client.get("/v1/key", headers={"Authorization": "Bearer x"}),
                await client.delete(PATH),
                await client.post(PATH, json=body(), headers=poor.headers),
            ]
    finally:
        await stop_runtime()
    return [answer.status_code for answer in answers]
