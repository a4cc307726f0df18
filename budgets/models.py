"""The list that Django looks for; the models stand in their packages."""

from __future__ import annotations

from budgets.alerts.models import Alert, AlertRule, Channel, Delivery, Observation, Watch
from budgets.health.models import Tick
from budgets.history.models import Change
from budgets.holds.models import Hold, IdempotencyKey, JournalEntry, Seal, SealedUntil
from budgets.limits.models import Balance, Budget, LimitRaise
from budgets.plans.models import Plan
from budgets.requests.models import RaiseRequest
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User

__all__ = [
    "Alert",
    "AlertRule",
    "ApiKey",
    "Balance",
    "Budget",
    "Change",
    "Channel",
    "Delivery",
    "Hold",
    "IdempotencyKey",
    "JournalEntry",
    "LimitRaise",
    "Membership",
    "Observation",
    "Organization",
    "Plan",
    "Project",
    "RaiseRequest",
    "Seal",
    "SealedUntil",
    "Tick",
    "User",
    "Watch",
]
