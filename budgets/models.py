"""The list that Django looks for; the models stand in their packages."""

from __future__ import annotations

from budgets.health.models import Tick
from budgets.history.models import Change
from budgets.holds.models import Hold, IdempotencyKey, JournalEntry, Seal, SealedUntil
from budgets.limits.models import Balance, Budget, LimitRaise
from budgets.plans.models import Plan
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User

__all__ = [
    "ApiKey",
    "Balance",
    "Budget",
    "Change",
    "Hold",
    "IdempotencyKey",
    "JournalEntry",
    "LimitRaise",
    "Membership",
    "Organization",
    "Plan",
    "Project",
    "Seal",
    "SealedUntil",
    "Tick",
    "User",
]
