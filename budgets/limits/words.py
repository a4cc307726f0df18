"""How budgets and balances are said in the admin: limits, units, and whom they are for."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from budgets.core.money import format_usd
from budgets.http.cells import usd
from budgets.limits.models import Budget
from budgets.limits.targets import names_of


def amount(value: Decimal, unit: str) -> str:
    """Write an amount in a budget's unit: dollars with all places in the title, or a count."""
    return usd(value) if unit == Budget.Unit.USD else f"{value.normalize():,f}"


def rule(budget: Budget) -> str:
    """Say what a budget allows: "$10.00 a month, each user"."""
    if budget.unit == Budget.Unit.USD:
        what = format_usd(budget.limit_amount)
    else:
        what = f"{budget.limit_amount.normalize():,f} {budget.get_unit_display()}"
    when = "" if budget.window == Budget.Window.TOTAL else f" a {budget.window}"
    total = " in total" if budget.window == "total" and budget.unit != Budget.Unit.IN_FLIGHT else ""
    each = f", {budget.get_each_display()}" if budget.each else ""
    return f"{what}{when}{total}{each}"


def whose(budget: Any) -> str:
    """Say whose calls count in a budget that name_targets() has been at."""
    if budget.plan_id is not None:
        return "everyone on the plan"
    kind: str = budget.get_scope_display()
    return f"{kind.removeprefix('one ')} {budget.target_name}" if budget.target else kind


def name_targets(budgets: Sequence[Any]) -> None:
    """Add to budgets the names of their targets, as ``target_name``."""
    names = names_of(subjects=[(budget.scope, budget.target) for budget in budgets])
    for budget in budgets:
        budget.target_name = names[budget.scope, budget.target]


def name_subjects(balances: Sequence[Any]) -> None:
    """Add to balances the names of their subjects, as ``named``; "all" where they share one."""
    names = names_of(subjects=[(row.budget.each, row.subject) for row in balances])
    for row in balances:
        row.named = names[row.budget.each, row.subject] or "all"
