"""Background work of the gateway."""

from __future__ import annotations

from celery import shared_task

from budgets.core import clock
from tracking.gateway import connections


@shared_task(name="tracking.sweep_answers")
def sweep_answers() -> int:
    """Delete kept answers whose day is over."""
    return connections.sweep_answers(now=clock.now())
