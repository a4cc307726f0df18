"""The list that Celery looks for; the tasks stand in their packages."""

from __future__ import annotations

from budgets.alerts.tasks import check_alerts, deliver_alerts
from budgets.health.tasks import tick
from budgets.holds.tasks import expire_overdue, seal_hours, sweep_names, sweep_rate_balances

__all__ = [
    "check_alerts",
    "deliver_alerts",
    "expire_overdue",
    "seal_hours",
    "sweep_names",
    "sweep_rate_balances",
    "tick",
]
