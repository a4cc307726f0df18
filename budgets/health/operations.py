"""Writes of the heartbeat."""

from __future__ import annotations

from datetime import datetime

from budgets.health.models import Tick


def record_tick(*, job: str, now: datetime) -> None:
    """Note that a periodic job has run to its end."""
    Tick.objects.update_or_create(job=job, defaults={"ran_at": now})
