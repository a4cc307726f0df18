"""Background work of files."""

from __future__ import annotations

import time

from celery import shared_task

from budgets.core import clock
from tracking.exports import operations

# After so long another run goes on with what is left, so that none outlives its time limit.
_MOST_S = 60.0


@shared_task(name="tracking.build_exports", time_limit=1800)
def build_exports() -> int:
    """Build the files that were ordered, one after the other; give how many were looked at."""
    began, built = time.monotonic(), 0
    while time.monotonic() - began < _MOST_S and operations.build_next(clock=clock.now):
        built += 1
    return built


@shared_task(name="tracking.sweep_exports")
def sweep_exports() -> int:
    """Throw away files whose time is over."""
    return operations.sweep(now=clock.now())
