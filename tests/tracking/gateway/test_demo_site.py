"""The demo that a new site begins with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from budgets.holds.queries import differences
from budgets.limits.models import Balance
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.gateway import demo_site
from tracking.ledger.models import CostRecord
from tracking.ledger.queries import record_differences
from tracking.pricing.catalog import demo_listings
from tracking.pricing.operations import import_catalog

pytestmark = pytest.mark.django_db

BEGIN = make.NOW - timedelta(days=demo_site.DAYS + 1)


def test_adds_up_to_the_last_digit() -> None:
    import_catalog(now=BEGIN, listings=demo_listings())

    demo = demo_site.create_demo(now=make.NOW, days=4)

    assert demo is not None
    assert CostRecord.objects.count() > 30
    assert differences() == []
    assert record_differences() == []
    shared = Balance.objects.get(budget__name="Demo, all together")
    assert 0 < shared.spent < shared.limit_amount
    priced_at = CostRecord.objects.order_by("started_at").values_list(
        "price__valid_from", flat=True
    )
    assert set(priced_at) == {BEGIN}


def test_leaves_a_site_with_tenants_alone() -> None:
    make.organization()

    assert demo_site.create_demo(now=make.NOW) is None
    assert Organization.objects.count() == 1
    assert not ApiKey.objects.exists()
