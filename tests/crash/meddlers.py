"""What goes on beside the calls: the sweeper, changes of limits, recounts and checks."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from decimal import Decimal

from django.db import InterfaceError, OperationalError, connection

from budgets.holds.operations import expire, put_budget, recount, retire_budget
from budgets.holds.queries import differences
from budgets.limits.models import Balance, Budget
from tests.crash.told import Log


def repeat(
    work: Callable[[], None], *, until: float, log: Log, rest_s: float, rests: int = 0
) -> None:
    """Do the work again and again; while the server is away, wait for it.

    It rests ``rests`` times as long as it worked: what reads the whole of a growing journal would
    stop the calls in the end.
    """
    parent = os.getppid()
    while time.monotonic() < until and os.getppid() == parent:
        began = time.monotonic()
        try:
            work()
        except (OperationalError, InterfaceError):
            connection.close()
        except Exception as error:  # noqa: BLE001  # Whatever it is, the summary tells it.
            log.write("failed", type(error).__name__, str(error)[:300].replace("\n", " "))
            connection.close()
        time.sleep(max(rest_s, rests * (time.monotonic() - began)))


def sweeping() -> Callable[[], None]:
    """Give the work that charges overdue holds."""

    def sweep() -> None:
        expire()

    return sweep


def changing(*, dice: random.Random, log: Log) -> Callable[[], None]:
    """Give the work that sets limits near what is spent, below it too, and counts again."""

    def change() -> None:
        budgets = list(
            Budget.objects.select_related("organization").filter(name__startswith="Moving")
        )
        budget, chance = dice.choice(budgets), dice.random()
        if chance < 0.1:
            recount(organization=None)
        elif chance < 0.2:
            recount(organization=budget.organization)
        elif chance < 0.3:
            retire_budget(budget=budget)
        else:
            used = sum(b.spent + b.held for b in Balance.objects.filter(budget=budget))
            room = Decimal(dice.randrange(-5, 100)) / 100
            budget.limit_amount = max(Decimal(0), used + room)
            budget.active = True
            put_budget(budget=budget)
        log.write("changed")

    return change


def checking(*, log: Log) -> Callable[[], None]:
    """Give the work that compares balances, holds and journal in mid-flight."""

    def check() -> None:
        for difference in differences():
            log.write("differs", difference)
        log.write("checked")

    return check
