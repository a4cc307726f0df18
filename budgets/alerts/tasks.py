"""Background work of alerts."""

from __future__ import annotations

import time

from celery import shared_task

from budgets.alerts import checks, dispatch
from budgets.alerts.ready_made import prepare_organizations
from budgets.core import clock

# Well below the time limit of a task: what is left over is found by the next run.
_MOST_S = 100.0


@shared_task(name="budgets.check_alerts")
def check_alerts() -> int:
    """Look at every rule that is due, then send what there is to send; give how many there were."""
    while prepare_organizations(now=clock.now()):
        pass
    began, checked = time.monotonic(), 0
    while time.monotonic() - began < _MOST_S:
        count = checks.check_due(now=clock.now())
        checked += count
        if not count:
            break
    _send(until=began + _MOST_S)
    return checked


@shared_task(name="budgets.deliver_alerts")
def deliver_alerts() -> None:
    """Send what is due: first tries that were cut short, and repeated ones."""
    _send(until=time.monotonic() + _MOST_S)


def _send(*, until: float) -> None:
    while time.monotonic() < until and dispatch.send_due(now=clock.now()):
        pass
