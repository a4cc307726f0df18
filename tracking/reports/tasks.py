"""Background work of scheduled reports."""

from __future__ import annotations

import time

from celery import shared_task

from budgets.core import clock
from tracking.reports import operations

# Well below the time limit of a task: what is left over is found by the next run.
_MOST_S = 100.0


@shared_task(name="tracking.send_reports")
def send_reports() -> int:
    """Put the reports that are due into the outbox; give how many were looked at."""
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < _MOST_S and operations.send_next(now=clock.now()):
        sent += 1
    return sent
