"""The list that Django looks for; the admin's pages stand in their packages."""

from __future__ import annotations

from budgets.alerts.admin import AlertAdmin, AlertRuleAdmin, ChannelAdmin, DeliveryAdmin
from budgets.health.admin import TickAdmin
from budgets.history.admin import ChangeAdmin
from budgets.holds.admin import HoldAdmin, JournalEntryAdmin
from budgets.holds.admin_records import IdempotencyKeyAdmin, SealAdmin
from budgets.limits.admin import BudgetAdmin
from budgets.limits.admin_balances import BalanceAdmin
from budgets.limits.admin_raises import LimitRaiseAdmin
from budgets.plans.admin import PlanAdmin
from budgets.requests.admin import RaiseRequestAdmin
from budgets.tenancy.admin import MembershipAdmin, OrganizationAdmin, ProjectAdmin
from budgets.tenancy.admin_keys import ApiKeyAdmin
from budgets.tenancy.admin_users import UserAdmin

__all__ = [
    "AlertAdmin",
    "AlertRuleAdmin",
    "ApiKeyAdmin",
    "BalanceAdmin",
    "BudgetAdmin",
    "ChangeAdmin",
    "ChannelAdmin",
    "DeliveryAdmin",
    "HoldAdmin",
    "IdempotencyKeyAdmin",
    "JournalEntryAdmin",
    "LimitRaiseAdmin",
    "MembershipAdmin",
    "OrganizationAdmin",
    "PlanAdmin",
    "ProjectAdmin",
    "RaiseRequestAdmin",
    "SealAdmin",
    "TickAdmin",
    "UserAdmin",
]
