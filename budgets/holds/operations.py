"""Hold, settle, release and expire, for callers that stand on Django's own connection.

The gateway goes through ``lane`` instead; both call the same SQL function. Every lock on a
balance is taken in there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from budgets.core.sql import read_sql
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from budgets.limits.models import Budget
from budgets.plans.models import Plan
from budgets.tenancy.models import Membership, Organization, validate_time_zone

# Longer than any call that could still be corrected in them.
_RATES_ARE_KEPT = timedelta(hours=1)


def step(
    *,
    holds: Sequence[HoldRequest] = (),
    settlements: Sequence[Settlement] = (),
    now: datetime | None = None,
) -> list[Verdict]:
    """Settle and hold any number of calls in one transaction, and commit it.

    ``now`` None judges by the database's clock, which is what production does. Repeating a step
    with the same request ids changes nothing.
    """
    arguments = [
        json.dumps([hold.as_json() for hold in holds]),
        json.dumps([settlement.as_json() for settlement in settlements]),
        now,
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select * from budgets_step(%s::jsonb, %s::jsonb, %s)", arguments)
        return [_verdict(row) for row in cursor.fetchall()]


def hold(*, request: HoldRequest, now: datetime | None = None) -> Verdict:
    """Hold one call's worst case against every budget that applies, or against none."""
    return step(holds=[request], now=now)[0]


def settle(*, settlement: Settlement, now: datetime | None = None) -> Verdict:
    """Charge one call, exactly once, and release the rest of its hold."""
    return step(settlements=[settlement], now=now)[0]


def expire(*, most: int = 100, now: datetime | None = None) -> int:
    """Charge holds past their expiry in full, as estimates; give how many there were.

    Each is charged in a transaction of its own, so that the locks of one never wait for
    another's and one that fails does not hold up the rest.
    """
    for count in range(most):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select budgets_expire(1, %s)", [now])
            if not cursor.fetchone()[0]:
                return count
    return most


def sweep_rate_balances(*, now: datetime, most: int = 5000) -> int:
    """Delete the balances of rate limits whose minute ended an hour ago; give their number."""
    arguments: dict[str, datetime | int] = {"before": now - _RATES_ARE_KEPT, "most": most}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(read_sql("budgets.holds", "sweep_rates"), arguments)
        return int(cursor.rowcount)


def put_budget(*, budget: Budget, now: datetime | None = None) -> None:
    """Save a new or changed budget; what was spent in its open window counts in it at once.

    A changed limit takes effect at the next hold.

    :raises ValidationError: if a field is not valid
    """
    budget.full_clean()
    with transaction.atomic():
        budget.save()
        for organization in _organizations_under(budget):
            open_balances(organization=organization, now=now)


def change_plan(*, organization: Organization, plan: Plan, now: datetime | None = None) -> None:
    """Put an organization on another plan; what was spent in the open windows counts there too."""
    with transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(plan=plan)
        open_balances(organization=organization, now=now)
    organization.plan = plan


def change_member_plan(
    *, membership: Membership, plan: Plan | None, now: datetime | None = None
) -> None:
    """Give a member a plan of their own, or None for the organization's, as change_plan() does."""
    with transaction.atomic():
        Membership.objects.filter(pk=membership.pk).update(plan=plan)
        open_balances(organization=membership.organization, now=now)
    membership.plan = plan


def change_time_zone(
    *, organization: Organization, time_zone: str, now: datetime | None = None
) -> None:
    """Move an organization to another time zone; what was spent in its new windows counts in them.

    :raises ValidationError: if there is no such time zone
    """
    validate_time_zone(time_zone)
    with transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(time_zone=time_zone)
        open_balances(organization=organization, now=now)
    organization.time_zone = time_zone


def open_balances(*, organization: Organization, now: datetime | None = None) -> int:
    """Open the balances of budgets that have come to apply in mid-window; give their number.

    Call it in the transaction of the change: holds and settles of the organization wait for it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select budgets_open_balances(%s, %s)", [organization.pk, now])
        return int(cursor.fetchone()[0])


def _organizations_under(budget: Budget) -> QuerySet[Organization]:
    """Find whom a budget applies to, in the order in which every writer locks them."""
    if budget.organization_id is not None:
        return Organization.objects.filter(pk=budget.organization_id)
    on_plan = Q(plan=budget.plan_id) | Q(memberships__plan=budget.plan_id)
    return Organization.objects.filter(on_plan).distinct().order_by("pk")


def _verdict(row: tuple[Any, ...]) -> Verdict:
    *most, told = row
    return Verdict.from_row((*most, json.loads(told) if isinstance(told, str) else told))
