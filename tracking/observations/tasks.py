"""Background work of observations."""

from __future__ import annotations

from celery import shared_task

from budgets.core import clock
from tracking.observations import operations


@shared_task(name="tracking.observe")
def observe() -> int:
    """Hand in the latest figures for the rules that ask for them; give how many there were."""
    return operations.hand_in(now=clock.now())


@shared_task(name="tracking.observe_outlooks")
def observe_outlooks() -> int:
    """Hand in where budgets are heading; give how many figures there were."""
    return operations.hand_in_outlooks(now=clock.now())


@shared_task(name="tracking.sweep_refusals")
def sweep_refusals() -> int:
    """Delete counts of refused calls that are too old to be of use."""
    return operations.sweep_refusals(now=clock.now())
