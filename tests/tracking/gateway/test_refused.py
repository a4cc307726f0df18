"""Refused calls are counted, for alerts: by key, model and reason; what was admitted is not."""

from __future__ import annotations

import pytest

from tests.serving import Site, eventually
from tests.tenants import MODEL, UNPRICED, Tenant, tenant
from tests.tracking.gateway.calls import call
from tracking.gateway.models import RefusedCalls

pytestmark = pytest.mark.usefixtures("upstream")


def counted(of: Tenant, *, number: int) -> dict[tuple[str, str], int]:
    """Wait until so many refusals are written, and give them by model and reason."""

    def written() -> bool:
        counts = RefusedCalls.objects.for_organization(of.organization).values_list("calls")
        return sum(calls for (calls,) in counts) >= number

    eventually(written)
    rows = list(RefusedCalls.objects.for_organization(of.organization))
    assert {row.api_key_id for row in rows} <= {of.key.pk}
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        found[row.model, row.code] = found.get((row.model, row.code), 0) + row.calls
    return found


def test_counts_what_was_refused_and_why(site: Site) -> None:
    poor = tenant(limit="0")
    for _ in range(3):
        assert call(site, poor).code == "budget_exceeded"
    assert call(site, poor, model=UNPRICED).code == "model_not_priced"

    assert counted(poor, number=4) == {
        (MODEL, "budget_exceeded"): 3,
        (UNPRICED, "model_not_priced"): 1,
    }


def test_leaves_out_what_was_admitted_and_what_was_wrong(site: Site) -> None:
    rich = tenant()
    assert call(site, rich).status == 200
    assert call(site, rich, temperature=99).status == 400
    poor = tenant(limit="0")
    call(site, poor)

    assert counted(poor, number=1) == {(MODEL, "budget_exceeded"): 1}
    assert counted(rich, number=0) == {}
