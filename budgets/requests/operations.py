"""Ask for more, approve, refuse, take back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from budgets.alerts.message import Message
from budgets.alerts.models import Channel, Delivery
from budgets.alerts.outbox import page_url, write_message
from budgets.alerts.wording import figure, instant
from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.holds.operations import raise_limit
from budgets.limits.models import Budget, LimitRaise
from budgets.requests.models import RaiseRequest
from budgets.requests.queries import approvers_of, askable
from budgets.tenancy.access import Viewer


class BudgetNotYours(DomainError):
    """No such budget applies to you."""

    code = "not_found"


class NotYoursToDecide(DomainError):
    """Only an owner or an admin of the organization decides on requests."""

    code = "permission_denied"


class DecidedAlready(DomainError):
    """This request is decided already."""

    code = "conflict"


class ReasonNeeded(DomainError):
    """Say why."""

    code = "value_out_of_range"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for: so much more of a budget, in its unit, until then, and why."""

    budget_id: int
    amount: Decimal
    until: datetime
    reason: str


def ask(*, viewer: Viewer, wish: Wish, now: datetime) -> RaiseRequest:
    """Ask for more of a budget; whoever decides is told in the same transaction.

    :raises BudgetNotYours: if no such budget in dollars applies to who asks
    :raises ReasonNeeded: without a reason
    :raises ValidationError: if the amount or the time makes no sense, or it was asked already
    """
    standing = next(
        (one for one in askable(viewer=viewer, now=now) if one.budget_id == wish.budget_id), None
    )
    if standing is None:
        raise BudgetNotYours
    if not wish.reason.strip():
        raise ReasonNeeded(param="reason")
    request = RaiseRequest(
        organization=viewer.organization,
        asked_by=viewer.user,
        budget=Budget.objects.get(pk=wish.budget_id),
        subject=standing.subject,
        amount=wish.amount,
        until=wish.until,
        reason=wish.reason.strip(),
        asked_at=now,
    )
    request.full_clean()
    with transaction.atomic():
        request.save()
        _tell_approvers(request, now)
    return request


def approve(
    *,
    viewer: Viewer,
    request: RaiseRequest,
    now: datetime,
    amount: Decimal | None = None,
    until: datetime | None = None,
    reason: str = "",
) -> RaiseRequest:
    """Approve a request, as it was asked or changed: the limit is raised from the next hold on, and
    the raise ends by itself. Who asked is told.

    :raises NotYoursToDecide: if they are neither owner nor admin
    :raises DecidedAlready: if it is not open any more
    :raises ValidationError: if the changed amount or time makes no sense
    """
    with transaction.atomic():
        locked = _open(viewer, request)
        raised = LimitRaise(
            budget=locked.budget,
            organization=locked.organization,
            subject=locked.subject,
            amount=locked.amount if amount is None else amount,
            starts_at=now,
            ends_at=until or locked.until,
            reason=f"Asked for by {locked.asked_by}: {locked.reason}"[:240],
            made_by=viewer.user,
            made_at=now,
        )
        raise_limit(limit_raise=raised)
        locked.limit_raise = raised
        _decide(locked, RaiseRequest.State.APPROVED, viewer, reason, now)
    return locked


def refuse(*, viewer: Viewer, request: RaiseRequest, reason: str, now: datetime) -> RaiseRequest:
    """Refuse a request with a reason; who asked is told.

    :raises NotYoursToDecide: if they are neither owner nor admin
    :raises DecidedAlready: if it is not open any more
    :raises ReasonNeeded: without a reason
    """
    if not reason.strip():
        raise ReasonNeeded(param="reason")
    with transaction.atomic():
        locked = _open(viewer, request)
        _decide(locked, RaiseRequest.State.REFUSED, viewer, reason, now)
    return locked


def take_back(*, viewer: Viewer, request: RaiseRequest, now: datetime) -> RaiseRequest:
    """Withdraw one's own request.

    :raises DecidedAlready: if it is not open any more
    """
    own = RaiseRequest.objects.filter(
        pk=request.pk, asked_by=viewer.user, state=RaiseRequest.State.OPEN
    )
    if not own.update(state=RaiseRequest.State.WITHDRAWN, decided_at=now):
        raise DecidedAlready
    request.refresh_from_db()
    return request


def decide(
    *,
    viewer: Viewer,
    request: RaiseRequest,
    decision: str,
    now: datetime,
    reason: str = "",
    **changed: Any,
) -> None:
    """Approve, refuse or withdraw, as it was said; ``changed`` may hold an approval's amount and until.

    :raises DomainError: as these do
    """
    if decision == "approve":
        approve(viewer=viewer, request=request, now=now, reason=reason, **changed)
    elif decision == "refuse":
        refuse(viewer=viewer, request=request, now=now, reason=reason)
    else:
        take_back(viewer=viewer, request=request, now=now)


def _open(viewer: Viewer, request: RaiseRequest) -> RaiseRequest:
    if not viewer.manages or viewer.organization.pk != request.organization_id:
        raise NotYoursToDecide
    rows = RaiseRequest.objects.select_for_update(of=("self",)).select_related(
        "organization", "asked_by", "budget"
    )
    locked = rows.get(pk=request.pk)
    if locked.state != RaiseRequest.State.OPEN:
        raise DecidedAlready
    return locked


def _decide(request: RaiseRequest, state: str, viewer: Viewer, reason: str, now: datetime) -> None:
    request.state = state
    request.decided_by, request.decided_at = viewer.user, now
    request.decision_reason = reason.strip()[:240]
    request.save()
    if request.asked_by.is_active:
        write_message(
            organization=request.organization,
            message=_decision(request, now),
            to=[request.asked_by.email],
            now=now,
        )


def _tell_approvers(request: RaiseRequest, now: datetime) -> None:
    message = _question(request, now)
    organization = request.organization
    to = approvers_of(organization=organization)
    if to:
        write_message(organization=organization, message=message, to=to, now=now)
    channels = Channel.objects.for_organization(organization).filter(
        active=True, takes_requests=True
    )
    for channel in channels.exclude(kind=Channel.Kind.EMAIL).order_by("pk"):
        write_message(organization=organization, message=message, to=channel, now=now)


def _question(request: RaiseRequest, now: datetime) -> Message:
    return _message(
        request,
        now,
        event=Delivery.Event.REQUEST,
        title=f"{request.asked_by.get_full_name()} asks for {_amount(request.amount)} more",
        advice=f"“{request.reason}” Approve, change or refuse it on the page.",
        facts=(
            ("Asked by", request.asked_by.email),
            ("Budget", request.budget.name),
            ("Amount", _amount(request.amount)),
            ("Until", instant(request.until, zone=request.organization.zone)),
        ),
    )


def _decision(request: RaiseRequest, now: datetime) -> Message:
    facts = [("Budget", request.budget.name), ("Asked for", _amount(request.amount))]
    if request.limit_raise is not None:
        ends_at = instant(request.limit_raise.ends_at, zone=request.organization.zone)
        facts += [("Granted", _amount(request.limit_raise.amount)), ("Until", ends_at)]
    facts.append(("Decided by", str(request.decided_by)))
    return _message(
        request,
        now,
        event=Delivery.Event.DECISION,
        title=f"Your request for {_amount(request.amount)} more was {request.state}",
        advice=request.decision_reason,
        facts=tuple(facts),
    )


def _message(request: RaiseRequest, now: datetime, **said: Any) -> Message:
    return Message(
        level="info",
        organization=request.organization.slug,
        url=page_url(path="/requests/", organization=request.organization),
        at=now.isoformat(timespec="seconds"),
        data={
            "request": request.pk,
            "state": request.state,
            "budget": request.budget_id,
            "amount": usd_text(request.amount),
            "until": request.until.isoformat(),
        },
        **said,
    )


def _amount(amount: Decimal) -> str:
    return figure(amount, unit="$")
