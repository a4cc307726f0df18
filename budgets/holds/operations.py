"""Hold, settle, release and expire, for callers that stand on Django's own connection.

The gateway goes through ``lane`` instead; both call the same SQL function. Every lock on a
balance is taken in there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from budgets.core.errors import DomainError
from budgets.core.sql import read_sql
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from budgets.limits.models import Budget, LimitRaise
from budgets.plans.models import Plan
from budgets.tenancy.models import Membership, Organization, User, validate_time_zone

# Longer than any call that could still be corrected in them, and than any step in which they began:
# one that had to open a balance again, after those that come behind it, could wait in a circle.
_RATES_ARE_KEPT = timedelta(hours=1)
_NAMES_ARE_KEPT = timedelta(hours=24)
_SEALED_AFTER = timedelta(minutes=5)


class ReasonMissing(DomainError):
    """An adjustment needs a reason."""

    code = "invalid_request"


class CallUnknown(DomainError):
    """There is no such call."""

    code = "not_found"


class BelowZero(DomainError):
    """That would give back more than was charged."""

    code = "value_out_of_range"


_ADJUST_REFUSALS: dict[str, type[DomainError]] = {"unknown": CallUnknown, "below_zero": BelowZero}


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
        cursor.execute("select * from budgets_step(%s::json, %s::json, %s)", arguments)
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


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An amount to book under a call that was charged: signed USD, so a refund is negative."""

    organization: Organization
    request_id: UUID
    kind: str
    amount_usd: Decimal
    reason: str
    actor: User | None


def adjust(*, adjustment: Adjustment, now: datetime | None = None) -> None:
    """Book a refund, credit or correction of a call, in the windows that it was charged in.

    The entries before it stay.

    :raises ReasonMissing: without a reason
    :raises CallUnknown: if the organization has no such call
    :raises BelowZero: if more would be given back than was charged
    """
    if not adjustment.reason.strip():
        raise ReasonMissing
    arguments: list[Any] = [
        adjustment.organization.pk,
        adjustment.request_id,
        adjustment.kind,
        adjustment.amount_usd,
        adjustment.reason.strip(),
        adjustment.actor.pk if adjustment.actor else None,
        now,
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select budgets_adjust(%s, %s, %s, %s, %s, %s, %s)", arguments)
        refusal = _ADJUST_REFUSALS.get(cursor.fetchone()[0])
    if refusal is not None:
        raise refusal(request_id=str(adjustment.request_id))


def seal(*, now: datetime) -> int:
    """Seal the hours that have ended; give how many seals were made.

    An hour is left open for a while, until every transaction that began in it has surely ended.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select budgets_seal(%s)", [now - _SEALED_AFTER])
        return int(cursor.fetchone()[0])


def sweep_names(*, now: datetime, most: int = 5000) -> int:
    """Delete idempotent names that are a day old; give their number."""
    return _sweep("sweep_names", before=now - _NAMES_ARE_KEPT, most=most)


def sweep_rate_balances(*, now: datetime, most: int = 5000) -> int:
    """Delete the balances of rate limits whose minute ended an hour ago; give their number."""
    return _sweep("sweep_rates", before=now - _RATES_ARE_KEPT, most=most)


def put_budget(*, budget: Budget, now: datetime | None = None) -> None:
    """Save a new or changed budget; what was spent in its open window counts in it at once.

    A changed limit takes effect at the next hold.

    :raises ValidationError: if a field is not valid
    """
    budget.full_clean()
    with transaction.atomic():
        if budget.plan_id is not None:
            _keep_everyone_on_their_plans()
        # Raises are made beside whoever has read this row: the end of the last one stays.
        known = Budget.objects.select_for_update(no_key=True).filter(pk=budget.pk).first()
        budget.raised_until = known.raised_until if known else None
        budget.save()
        if budget.organization_id is None and budget.plan_id is None:
            recount(organization=None, now=now)
        for organization in _organizations_under(budget):
            recount(organization=organization, now=now)


def retire_budget(*, budget: Budget) -> None:
    """Take a budget out of force: the next call no longer falls under it. Its history stays."""
    Budget.objects.filter(pk=budget.pk).update(active=False)
    budget.active = False


def raise_limit(*, limit_raise: LimitRaise) -> None:
    """Raise a limit for a while, from the next hold in its time on; it ends by itself.

    :raises ValidationError: if a field is not valid, e.g. an end before the start
    """
    limit_raise.full_clean()
    with transaction.atomic():
        # No key: steps that open a balance of the budget have a look at its key, and do not wait.
        budget = Budget.objects.select_for_update(no_key=True).get(pk=limit_raise.budget_id)
        limit_raise.save()
        budget.raised_until = max(filter(None, (budget.raised_until, limit_raise.ends_at)))
        budget.save(update_fields=["raised_until"])


def end_raise(*, limit_raise: LimitRaise, now: datetime) -> None:
    """End a temporary raise now; one that has ended already is left as it is."""
    LimitRaise.objects.filter(pk=limit_raise.pk, ends_at__gt=now, starts_at__lt=now).update(
        ends_at=now
    )
    LimitRaise.objects.filter(pk=limit_raise.pk, starts_at__gte=now).delete()


def change_time_zone(
    *, organization: Organization, time_zone: str, now: datetime | None = None
) -> None:
    """Move an organization to another time zone, at once.

    Windows begin at other instants then; the new ones open with what was spent in them already,
    so that nothing is reset by the change.

    :raises ValidationError: if there is no such time zone
    """
    validate_time_zone(time_zone)
    with transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(time_zone=time_zone)
        recount(organization=organization, now=now)
    organization.time_zone = time_zone


def change_plan(*, organization: Organization, plan: Plan, now: datetime | None = None) -> None:
    """Put an organization on another plan; what was spent in the open windows counts there too."""
    with transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(plan=plan)
        recount(organization=organization, now=now)
    organization.plan = plan


def change_member_plan(
    *, membership: Membership, plan: Plan | None, now: datetime | None = None
) -> None:
    """Give a member a plan of their own, or None for the organization's, as change_plan() does."""
    with transaction.atomic():
        Membership.objects.filter(pk=membership.pk).update(plan=plan)
        recount(organization=membership.organization, now=now)
    membership.plan = plan


def recount(*, organization: Organization | None, now: datetime | None = None) -> int:
    """Count again what is spent and held under the budgets that apply now; give their number.

    Call it in the transaction of a change: holds and settles of the organization wait for it. None
    counts the site's own budgets, and everyone waits.
    """
    owner = organization.pk if organization else None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select budgets_recount(%s, %s)", [owner, now])
        return int(cursor.fetchone()[0])


def _sweep(name: str, *, before: datetime, most: int) -> int:
    arguments: dict[str, datetime | int] = {"before": before, "most": most}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(read_sql("budgets.holds", name), arguments)
        return int(cursor.rowcount)


def _keep_everyone_on_their_plans() -> None:
    """Wait for changes of plans under way, and let later ones wait for the end of this one.

    Else who comes onto a plan beside its new budget would be counted by neither.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(70703, 0)")


def _organizations_under(budget: Budget) -> QuerySet[Organization]:
    """Find whom a budget applies to, in the order in which every writer locks them."""
    if budget.organization_id is not None:
        return Organization.objects.filter(pk=budget.organization_id)
    if budget.plan_id is None:
        return Organization.objects.none()
    on_plan = Q(plan=budget.plan_id) | Q(memberships__plan=budget.plan_id)
    return Organization.objects.filter(on_plan).distinct().order_by("pk")


def _verdict(row: tuple[Any, ...]) -> Verdict:
    *most, told = row
    return Verdict.from_row((*most, json.loads(told) if isinstance(told, str) else told))
