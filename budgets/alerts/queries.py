"""Alerts for pages, programs and the report; only those that somebody may see."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from budgets.alerts.models import Alert, Delivery
from budgets.core.clock import Period
from budgets.tenancy.models import Organization

_MOST_LINES = 500
_RANKS = {"critical": 0, "warning": 1, "info": 2}


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
    *, organization: Organization, user_id: int | None = None, period: Period | None = None
) -> list[str]:
    """List what is wrong, one line each, the worst first: what goes on, or what was told in a period.

    Of a rule and subject only the worst is listed. For the command and for the report.
    """
    alerts = alerts_of(organization=organization, user_id=user_id, is_going_on=period is None)
    if period is not None:
        alerts = alerts.filter(opened_at__gte=period.starts_at)
    if period is not None and period.ends_at is not None:
        alerts = alerts.filter(opened_at__lt=period.ends_at)
    worst_of: dict[Any, Alert] = {}
    for alert in sorted(alerts[:_MOST_LINES], key=lambda one: (_RANKS[one.level], -one.pk)):
        worst_of.setdefault((alert.rule_id, alert.subject, alert.window_start), alert)
    return [alert.title for alert in worst_of.values()]


def deliveries_of(*, organization: Organization) -> QuerySet[Delivery]:
    """Read an organization's messages, the newest first."""
    deliveries: QuerySet[Delivery] = Delivery.objects.for_organization(organization)
    return deliveries.select_related("channel", "alert").defer("picture").order_by("-id")
