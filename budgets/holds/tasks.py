"""The sweeper of holds that nobody settled."""

from __future__ import annotations

from celery import shared_task

from budgets.holds import operations


@shared_task(name="budgets.expire_overdue")
def expire_overdue() -> int:
    """Charge holds past their expiry in full, as unconfirmed estimates."""
    return operations.expire(most=1000)
