"""The rules and the channel that every organization begins with; all of them can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from budgets.alerts.models import AlertRule, Channel
from budgets.tenancy.models import Membership, Organization

_MOST_AT_ONCE = 1000

RULES: dict[str, dict[str, Any]] = {
    "daily": {
        "name": "Daily spending",
        "kind": AlertRule.Kind.SPEND,
        "warning_at": [Decimal(100)],
    },
    "user": {
        "name": "Daily spending of a user",
        "kind": AlertRule.Kind.SPEND,
        "each": AlertRule.Each.USER,
        "warning_at": [Decimal(10)],
    },
    "model": {
        "name": "Daily spending on a model",
        "kind": AlertRule.Kind.SPEND,
        "each": AlertRule.Each.MODEL,
        "warning_at": [Decimal(50)],
    },
    "budgets": {"name": "Thresholds of budgets", "kind": AlertRule.Kind.BUDGET},
    "unusual": {
        "name": "Unusual spending",
        "kind": AlertRule.Kind.ANOMALY,
        "warning_at": [Decimal(10)],
    },
    "keys": {
        "name": "API keys that expire",
        "kind": AlertRule.Kind.KEY_EXPIRY,
        "warning_at": [Decimal(7)],
        "critical_at": [Decimal(1)],
    },
}


def prepare_organizations(*, now: datetime) -> int:
    """Give organizations the ready-made rules and the channel that they lack; give their number.

    Who switches a rule off keeps it, switched off, and so is not given it again.
    """
    ready_made = Count("alert_rules", filter=~Q(alert_rules__ready_made=""))
    lacking = list(
        Organization.objects.annotate(ready_made=ready_made)
        .filter(ready_made__lt=len(RULES))
        .order_by("pk")[:_MOST_AT_ONCE]
    )
    if lacking:
        with transaction.atomic():
            _add(lacking, now)
    return len(lacking)


def _add(organizations: Sequence[Organization], now: datetime) -> None:
    Channel.objects.bulk_create(
        [
            Channel(
                organization=organization,
                name="Owners and admins",
                kind=Channel.Kind.EMAIL,
                settings={"to": [], "roles": [Membership.Role.OWNER, Membership.Role.ADMIN]},
                is_default=True,
            )
            for organization in organizations
        ],
        ignore_conflicts=True,
    )
    AlertRule.objects.bulk_create(
        [
            AlertRule(organization=organization, ready_made=code, next_check_at=now, **fields)
            for organization in organizations
            for code, fields in RULES.items()
        ],
        ignore_conflicts=True,
    )
