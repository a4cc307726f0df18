"""Writes messages where a worker finds them, and takes them from there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db import transaction

from budgets.alerts.evaluate import TRIES_FOR, quiet_until
from budgets.alerts.message import Message
from budgets.alerts.models import Alert, AlertRule, Channel, Delivery, Level
from budgets.alerts.wording import ADVICE
from budgets.core.ids import uuid7
from budgets.core.money import usd_text
from budgets.tenancy.models import Organization, User

# Longer than any try can take: after it a worker that holds a message is taken for dead.
LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Telling:
    """An alert that is to be told, and as what."""

    rule: AlertRule
    alert: Alert
    event: str


def write_tellings(
    *, tellings: Sequence[Telling], but: Collection[tuple[int, int | None]], now: datetime
) -> None:
    """Write the messages of alerts for the channels of their rules; call it in their transaction.

    ``but`` are alerts and channels whose message was withdrawn: nobody there has heard of it.
    """
    if not tellings:
        return
    defaults = _channels_of({one.rule.organization_id for one in tellings})
    people = User.objects.in_bulk({one.alert.user_id for one in tellings if one.alert.user_id})
    rows = []
    for one in tellings:
        named = [channel for channel in one.rule.channels.all() if channel.active]
        channels = named or defaults.get(one.rule.organization_id, [])
        rows += [_delivery(one, now, channel=channel) for channel in channels]
        user = people.get(one.alert.user_id or 0)
        if user is not None and one.rule.tells_subject and user.is_active:
            rows.append(_delivery(one, now, to=[user.email]))
    Delivery.objects.bulk_create(row for row in rows if (row.alert_id, row.channel_id) not in but)


def withdraw(*, alerts: Sequence[Alert], now: datetime) -> set[tuple[int, int | None]]:
    """Take back what quiet hours still hold of alerts that are over; give alert and channel."""
    if not alerts:
        return set()
    held = Delivery.objects.filter(
        alert__in=alerts, state=Delivery.State.WAITING, attempts=0, next_try_at__gt=now
    )
    pairs = {(alert, channel) for alert, channel in held.values_list("alert_id", "channel_id")}
    held.update(state=Delivery.State.WITHDRAWN)
    return {(alert, channel) for alert, channel in pairs if alert is not None}


def write_message(
    *,
    organization: Organization,
    message: Message,
    to: Channel | Sequence[str],
    now: datetime,
    due_at: datetime | None = None,
    picture: bytes = b"",
) -> Delivery:
    """Write one message that belongs to no alert, for a channel or for people by mail.

    Call it in the transaction of what it tells of.

    Workers leave it alone until it is due: at once unless told otherwise.
    """
    channel, people = (to, []) if isinstance(to, Channel) else (None, list(to))
    return Delivery.objects.create(
        id=uuid7(now),
        organization=organization,
        channel=channel,
        to=people,
        event=message.event,
        message=message.as_json(),
        picture=picture,
        next_try_at=due_at or now,
        give_up_at=now + TRIES_FOR,
        created_at=now,
    )


def claim(*, now: datetime, most: int, only: Collection[UUID] = ()) -> list[Delivery]:
    """Take messages that are due, so that for a while nobody else does; the try is counted."""
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING)
    chosen = waiting.filter(pk__in=only) if only else waiting.filter(next_try_at__lte=now)
    with transaction.atomic():
        taken = list(
            chosen.order_by("next_try_at", "pk")
            .select_related("channel", "organization")
            .select_for_update(of=("self",), skip_locked=True)[:most]
        )
        for delivery in taken:
            delivery.attempts += 1
            delivery.next_try_at = now + LEASE
        Delivery.objects.bulk_update(taken, ["attempts", "next_try_at"])
    return taken


def note_sent(*, delivery: Delivery, now: datetime) -> None:
    """Note that a message has arrived."""
    Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(
        state=Delivery.State.SENT, sent_at=now, last_error="", picture=b""
    )


def note_failed(*, delivery: Delivery, error: str, next_try_at: datetime | None) -> None:
    """Note why a try failed; without a next one, or past the time for tries, the message is dead."""
    is_dead = next_try_at is None or next_try_at > delivery.give_up_at
    Delivery.objects.filter(
        pk=delivery.pk, attempts=delivery.attempts, state=Delivery.State.WAITING
    ).update(
        state=Delivery.State.DEAD if is_dead else Delivery.State.WAITING,
        last_error=error[:400],
        **({} if next_try_at is None else {"next_try_at": next_try_at}),
    )


def _channels_of(organizations: Collection[int]) -> dict[int, list[Channel]]:
    found: dict[int, list[Channel]] = {}
    rows = Channel.objects.filter(organization_id__in=organizations, active=True, takes_alerts=True)
    for channel in rows.order_by("pk"):
        found.setdefault(channel.organization_id, []).append(channel)
    return found


def _delivery(
    telling: Telling, now: datetime, *, channel: Channel | None = None, to: Sequence[str] = ()
) -> Delivery:
    rule, alert = telling.rule, telling.alert
    due_at = now
    if alert.level != Level.CRITICAL:
        zone = rule.organization.zone
        quiet = quiet_until(starts=rule.quiet_from, ends=rule.quiet_until, zone=zone, now=now)
        due_at = quiet or now
    return Delivery(
        id=uuid7(now),
        organization_id=rule.organization_id,
        channel=channel,
        to=list(to),
        alert=alert,
        event=telling.event,
        telling=alert.tellings,
        message=message_of(rule=rule, alert=alert, event=telling.event, now=now).as_json(),
        next_try_at=due_at,
        give_up_at=due_at + TRIES_FOR,
        created_at=now,
    )


def message_of(*, rule: AlertRule, alert: Alert, event: str, now: datetime) -> Message:
    """Write an alert as a message."""
    return Message(
        event=event,
        level=alert.level,
        title=alert.title,
        advice="" if event == Delivery.Event.RECOVERED else ADVICE[rule.kind],
        facts=(
            ("Organization", rule.organization.name),
            *((str(name), str(value)) for name, value in alert.facts),
            ("Rule", rule.name),
        ),
        organization=rule.organization.slug,
        url=page_url(path="/alerts/", organization=rule.organization),
        at=now.isoformat(timespec="seconds"),
        data=_data(rule, alert),
    )


def page_url(*, path: str, organization: Organization, **params: str) -> str:
    """Give the address of a page of an organization."""
    asked = {"organization": organization.slug, **params}
    return f"{settings.COSTSITE_BASE_URL}{path}?{urlencode(asked)}"


def _data(rule: AlertRule, alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.pk,
        "rule": rule.pk,
        "kind": rule.kind,
        "subject": alert.subject,
        "subject_name": alert.subject_name,
        "state": alert.state,
        "value": usd_text(alert.value),
        "threshold": usd_text(alert.threshold),
        "limit": None if alert.limit_amount is None else usd_text(alert.limit_amount),
        "window_start": alert.window_start.isoformat(),
        "opened_at": alert.opened_at.isoformat(),
    }
