"""Builders for tests of unusual spend."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from budgets.tenancy.models import Organization
from tests.make import NOW
from tracking.anomalies.models import Anomaly


def anomaly(
    of: Organization, kind: str = "organization", subject: str = "", **fields: Any
) -> Anomaly:
    """Keep an anomaly of today: $42 above the usual, unless told otherwise."""
    defaults: dict[str, Any] = {
        "began_on": NOW.date(),
        "last_on": NOW.date(),
        "starts_at": NOW.replace(hour=11),
        "ends_at": NOW,
        "cost_usd": Decimal(50),
        "usual_usd": Decimal(8),
        "cause": ["API key Nightly batch: $40.00 more (new)"],
        "found_at": NOW,
    }
    return Anomaly.objects.create(
        organization=of, subject_kind=kind, subject=subject, **defaults | fields
    )
