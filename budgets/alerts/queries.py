"""Alerts for pages, programs and the report; only those that somebody may see."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from budgets.alerts.models import Alert, Delivery
from budgets.tenancy.models import Organization


def alerts_of(
    *, organization: Organization, user_id: int | None = None, is_going_on: bool = False
) -> QuerySet[Alert]:
    """Read an organization's alerts, the newest first; of one user only those about them."""
    alerts: QuerySet[Alert] = Alert.objects.for_organization(organization).select_related(
        "rule", "acknowledged_by"
    )
    if user_id is not None:
        alerts = alerts.filter(user_id=user_id)
    if is_going_on:
        alerts = alerts.exclude(state=Alert.State.RECOVERED)
    return alerts.order_by("-id")


def alert_lines(
    *, organization: Organization, now: datetime, user_id: int | None = None
) -> list[str]:
    """List what is wrong at the moment, one line each, the worst first: the report's ``alerts``."""
    ranks = {"critical": 0, "warning": 1, "info": 2}
    going_on = [
        alert
        for alert in alerts_of(organization=organization, user_id=user_id, is_going_on=True)
        if alert.window_ends_at is None or alert.window_ends_at > now
    ]
    worst_of: dict[Any, Alert] = {}
    for alert in sorted(going_on, key=lambda one: (ranks[one.level], -one.pk)):
        worst_of.setdefault((alert.rule_id, alert.subject), alert)
    return [alert.title for alert in worst_of.values()]


def deliveries_of(*, organization: Organization) -> QuerySet[Delivery]:
    """Read an organization's messages, the newest first."""
    deliveries: QuerySet[Delivery] = Delivery.objects.for_organization(organization)
    return deliveries.select_related("channel", "alert").order_by("-id")
