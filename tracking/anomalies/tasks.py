"""Background work of anomalies."""

from __future__ import annotations

from celery import shared_task

from budgets.core import clock
from tracking.anomalies import operations


@shared_task(name="tracking.find_anomalies")
def find_anomalies() -> int:
    """Look for unusual spend; give of how many organizations there is some."""
    return operations.find_anomalies(now=clock.now())
