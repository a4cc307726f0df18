"""The heartbeat of the background work."""

from __future__ import annotations

from celery import shared_task

from budgets.core import clock
from budgets.health import operations


@shared_task(name="budgets.tick")
def tick() -> None:
    """Say that beat, broker and worker are alive."""
    operations.record_tick(job="tick", now=clock.now())
