"""Background work of the rollups."""

from __future__ import annotations

from celery import shared_task

from budgets.core import clock
from tracking.usage import operations


@shared_task(name="tracking.fill_usage")
def fill_usage() -> int:
    """Add to the rollups what the ledger has got since the last run."""
    operations.follow_time_zones()
    return operations.fill(now=clock.now())
