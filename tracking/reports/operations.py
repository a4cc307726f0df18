"""Orders reports, ends them, and puts what is due into the outbox.

What makes each period told once is one transaction: the edition, which is unique for report and
period, the message in the outbox, and when the report is due next are written together or not at all.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from budgets.alerts.models import Channel
from budgets.alerts.outbox import write_message
from budgets.core.errors import DomainError
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Project
from tracking.reports.content import message_of, picture_of
from tracking.reports.models import Edition, Report
from tracking.reports.queries import subject_of
from tracking.reports.rhythm import Rhythm, days_after, days_with, due_at, latest_due
from tracking.usage.terms import Days

logger = logging.getLogger(__name__)

_SALT = "reports.unsubscribe"
_PAUSE = timedelta(minutes=10)


class OnlyManagers(DomainError):
    """Only an owner or an admin of the organization may have reports sent to a channel."""

    code = "permission_denied"


class TokenInvalid(DomainError):
    """This link ends no report."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Wish:
    """A report that somebody wants: how often, of what, and where to; no channel is one's own mail."""

    rhythm: Rhythm
    project: Project | None = None
    channel: Channel | None = None


def order(*, viewer: Viewer, wish: Wish, now: datetime) -> Report:
    """Order a report: the first is of the day, week or month of now, when that is over.

    Ordered twice it is still one; one that was ended goes on.

    :raises OnlyManagers: if it is to go to a channel, and they manage none
    """
    if wish.channel is not None and not viewer.manages:
        raise OnlyManagers
    zone = viewer.organization.zone
    today = now.astimezone(zone).date()
    present = days_with(today, rhythm=wish.rhythm, zone=zone)
    report, is_new = Report.objects.get_or_create(
        organization=viewer.organization,
        user=viewer.user,
        channel=wish.channel,
        project=wish.project,
        rhythm=wish.rhythm.value,
        defaults={"next_due_at": due_at(present), "since_on": today},
    )
    if not is_new and not report.active:
        report.active, report.next_due_at, report.since_on = True, due_at(present), today
        report.save(update_fields=["active", "next_due_at", "since_on"])
    return report


def end(*, report: Report) -> None:
    """End a report: nothing more is sent."""
    Report.objects.filter(pk=report.pk).update(active=False)
    report.active = False


def report_by_token(*, token: str) -> Report:
    """Find the report that a link in a mail ends.

    :raises TokenInvalid: if the link is not one of ours
    """
    try:
        pk = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        raise TokenInvalid from None
    report = Report.objects.select_related("organization", "project").filter(pk=pk).first()
    if report is None:
        raise TokenInvalid
    return report


def unsubscribe_url(*, report: Report) -> str:
    """Write the address that ends a report for whoever has its mail; a channel's has none."""
    if report.channel_id is not None:
        return ""
    path = reverse("report-unsubscribe", args=(signing.dumps(report.pk, salt=_SALT),))
    return f"{settings.COSTSITE_BASE_URL}{path}"


def send_next(*, now: datetime) -> bool:
    """Put the report that has been due longest into the outbox; tell whether one was due.

    Of several periods that went by unsent only the last is told.
    """
    due = Report.objects.filter(active=True, next_due_at__lte=now).order_by("next_due_at", "pk")
    report = due.select_related("organization", "project", "channel", "user").first()
    if report is None:
        return False
    try:
        _send(report, now)
    except Exception:
        logger.exception("report %s", report.pk)
        # It is tried again by the next run but one; until then the others go on.
        Report.objects.filter(pk=report.pk, next_due_at=report.next_due_at).update(
            next_due_at=now + _PAUSE
        )
    return True


def _send(report: Report, now: datetime) -> None:
    rhythm, zone = Rhythm(report.rhythm), report.organization.zone
    subject = subject_of(report=report)
    if subject is None:
        end(report=report)
        return
    days = latest_due(rhythm=rhythm, zone=zone, now=now)
    is_told = Edition.objects.filter(report=report, first_on=days.first_on).exists()
    # Where the organization has moved to another time zone, what is due now may be of before.
    if is_told or days.last_on < report.since_on:
        _postpone(report, days_after(days, rhythm=rhythm))
        return
    message = message_of(
        subject=subject, days=days, now=now, unsubscribe_url=unsubscribe_url(report=report)
    )
    picture = picture_of(subject=subject, days=days)
    with transaction.atomic():
        if _is_taken(report):
            return
        delivery = write_message(
            organization=report.organization,
            message=message,
            to=report.channel or (report.user.email,),
            now=now,
            picture=picture,
        )
        Edition.objects.create(
            report=report,
            first_on=days.first_on,
            last_on=days.last_on,
            delivery=delivery,
            created_at=now,
        )
        _postpone(report, days_after(days, rhythm=rhythm))


def _is_taken(report: Report) -> bool:
    """Lock a report, and tell whether another worker was here before, or it was ended."""
    locked = Report.objects.select_for_update().get(pk=report.pk)
    return not locked.active or locked.next_due_at != report.next_due_at


def _postpone(report: Report, days: Days) -> None:
    Report.objects.filter(pk=report.pk).update(next_due_at=due_at(days))
