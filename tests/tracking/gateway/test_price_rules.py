"""A call of a tenant with a price rule: held, charged and explained at that rule's rates."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

from budgets.core.clock import now
from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tracking.gateway.calls import call
from tracking.pricing.models import PriceRule
from tracking.pricing.operations import add_rule
from tracking.usage.receipts import receipt_of


def priced_here(site: Site, tenant: tenants.Tenant) -> dict[str, Any]:
    with site.client(tenant.text) as client:
        pricing: dict[str, Any] = client.get(f"/v1/models/{tenants.MODEL}").json()["pricing"]
    return pricing


def add(**fields: Any) -> PriceRule:
    """Let a rule hold, and give every price book the second that it may be behind."""
    rule = add_rule(rule=PriceRule(**fields), now=now())
    time.sleep(1.1)
    return rule


def test_charges_each_tenant_at_the_narrowest_rule(site: Site, upstream: Upstream) -> None:
    alice, bob = tenants.tenant(), tenants.tenant()
    upstream.script.usage = {
        "prompt_tokens": 1_000,
        "completion_tokens": 100,
        "total_tokens": 1_100,
    }
    list_usd = 1_000 * Fraction(tenants.INPUT_USD) + 100 * Fraction(tenants.OUTPUT_USD)
    add(plan=alice.organization.plan, factor=Decimal("1.5"))
    rule = add(organization=alice.organization, model_pattern="test/*", factor=Decimal("0.5"))
    # Half of an odd twelfth place goes to the even one.
    half_usd = 1_000 * Fraction("0.000000061728") + 100 * Fraction("0.000000617284")

    told = call(site, alice)
    call(site, bob)

    entry, record = alice.the_call()
    assert Fraction(entry.amount_usd) == half_usd
    assert told.usage is not None
    assert Fraction(told.usage["cost"]) == half_usd
    assert record.price_rule == rule
    assert [line["rate_usd"] for line in record.lines] == ["0.000000061728", "0.000000617284"]
    assert Fraction(bob.the_call()[0].amount_usd) == list_usd
    assert bob.the_call()[1].price_rule is None
    assert Fraction(priced_here(site, alice)["output"]) == Fraction("0.000000617284")
    assert priced_here(site, bob)["output"] == tenants.OUTPUT_USD
    receipt = receipt_of(organization=alice.organization, request_id=entry.request_id)
    assert receipt.attempts[0].price.rule == "-50 %, agreed with your organization"
