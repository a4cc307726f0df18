"""Background work of the ledger."""

from __future__ import annotations

from celery import shared_task

from budgets.core import clock
from budgets.holds import operations


@shared_task(name="budgets.expire_overdue")
def expire_overdue() -> int:
    """Charge holds past their expiry in full, as unconfirmed estimates."""
    return operations.expire(most=1000)


@shared_task(name="budgets.seal_hours")
def seal_hours() -> int:
    """Seal what was booked in the hours that have ended."""
    return operations.seal(now=clock.now())


@shared_task(name="budgets.sweep_names")
def sweep_names() -> int:
    """Delete idempotent names that are a day old."""
    deleted = 0
    while swept := operations.sweep_names(now=clock.now()):
        deleted += swept
    return deleted


@shared_task(name="budgets.sweep_rate_balances")
def sweep_rate_balances() -> int:
    """Delete balances of rate limits whose minute is long over."""
    deleted = 0
    while swept := operations.sweep_rate_balances(now=clock.now()):
        deleted += swept
    return deleted
