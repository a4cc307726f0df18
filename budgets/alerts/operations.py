"""Hand in figures, change rules and channels, take alerts on, send again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from budgets.alerts.channels.kinds import TRANSPORTS
from budgets.alerts.channels.webhook.transport import WebhookTransport
from budgets.alerts.checks import check_one
from budgets.alerts.dispatch import config_of, sealed_config, send_due
from budgets.alerts.evaluate import TRIES_FOR
from budgets.alerts.kinds import FROM_JOURNAL, OBSERVED, TRAITS
from budgets.alerts.message import Message
from budgets.alerts.models import Alert, AlertRule, Channel, Delivery, Observation, Watch
from budgets.alerts.outbox import LEASE, page_url, write_message
from budgets.alerts.readings import FRESH_FOR
from budgets.alerts.ready_made import prepare_organizations
from budgets.core.errors import DomainError
from budgets.core.money import quantize_usd
from budgets.tenancy.models import Organization, User


class NoSecret(DomainError):
    """Only a webhook has a secret that can be rotated."""

    code = "value_out_of_range"


@dataclass(frozen=True, slots=True)
class Figure:
    """What somebody who knows it hands in: a value of one subject, None when all is well.

    ``subject_kind`` is organization, project, user, api_key, model, tag, provider or budget;
    ``subject`` its id, or its name where it is known by that. Of a budget for *each* the balance's
    subject stands behind a slash: ``12/34``; ``budget_id`` says which budget it is about. ``name``
    is shown; ``facts`` are further names and values for the message, such as the cause. A figure
    with a window is told once in each.
    """

    subject_kind: str
    subject: str
    value: Decimal | None
    name: str = ""
    limit: Decimal | None = None
    budget_id: int | None = None
    window_start: datetime | None = None
    window_ends_at: datetime | None = None
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)


def observe(
    *,
    organization: Organization,
    kind: str,
    figures: Sequence[Figure],
    now: datetime,
    is_all: bool = False,
) -> None:
    """Take in the latest figures of a kind that only others know; the next tick judges them.

    Hand them in again within a quarter of an hour, or nothing is known any more: what is open then
    stays open. With ``is_all`` every subject that is not among them is taken to be well.

    :raises KeyError: if figures of the kind are not handed in
    """
    observe_all(kind=kind, figures={organization.pk: figures}, now=now, is_all=is_all)


def observe_all(
    *, kind: str, figures: Mapping[int, Sequence[Figure]], now: datetime, is_all: bool = False
) -> None:
    """Take in the latest figures of a kind for many organizations, by their ids, as observe() does.

    An organization without any is named too, with none: then, with ``is_all``, all is well there.

    :raises KeyError: if figures of the kind are not handed in
    """
    if kind not in OBSERVED:
        raise KeyError(kind)
    rows = [
        _observation(organization_id, kind, figure, now)
        for organization_id, handed_in in sorted(figures.items())
        for figure in handed_in
    ]
    with transaction.atomic():
        if is_all:
            told = {(row.organization_id, row.subject_kind, row.subject) for row in rows}
            _set_well(list(figures), kind, told, now)
        Observation.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["organization", "kind", "subject_kind", "subject"],
            update_fields=[
                "name",
                "budget",
                "value",
                "limit_amount",
                "window_start",
                "window_ends_at",
                "facts",
                "seen_at",
            ],
        )


def _observation(organization_id: int, kind: str, figure: Figure, now: datetime) -> Observation:
    return Observation(
        organization_id=organization_id,
        kind=kind,
        subject_kind=figure.subject_kind,
        subject=figure.subject[:240],
        name=figure.name[:240],
        budget_id=figure.budget_id,
        value=None if figure.value is None else quantize_usd(figure.value),
        limit_amount=None if figure.limit is None else quantize_usd(figure.limit),
        window_start=figure.window_start,
        window_ends_at=figure.window_ends_at,
        facts=[list(fact) for fact in figure.facts],
        seen_at=now,
    )


def _set_well(
    organizations: Sequence[int], kind: str, told: set[tuple[int, str, str]], now: datetime
) -> None:
    known = Observation.objects.filter(organization_id__in=organizations, kind=kind)
    # Who was well a moment ago need not be written down as well again every minute.
    known = known.filter(Q(value__isnull=False) | Q(seen_at__lte=now - FRESH_FOR / 2))
    others = [
        row.pk
        for row in known.select_for_update().order_by("pk")
        if (row.organization_id, row.subject_kind, row.subject) not in told
    ]
    if others:
        Observation.objects.filter(pk__in=others).update(value=None, seen_at=now)


def put_rule(*, rule: AlertRule, now: datetime, channels: Sequence[Channel] | None = None) -> None:
    """Save a new or changed rule; it is looked at by the next tick, as if it saw all for the first
    time. What was told already in a window is not told again. ``channels`` None leaves them.

    :raises ValidationError: if a field is not valid, or a target or channel belongs to others
    """
    rule.next_check_at = now
    rule.full_clean()
    check_rule(rule=rule, channels=channels or ())
    with transaction.atomic():
        rule.save()
        if channels is not None:
            rule.channels.set(channels)
        Watch.objects.filter(rule=rule).delete()
        if not rule.active:
            going = Alert.objects.filter(rule=rule).exclude(state=Alert.State.RECOVERED)
            going.update(state=Alert.State.RECOVERED, recovered_at=now)


def check_rule(*, rule: AlertRule, channels: Sequence[Channel]) -> None:
    """Refuse a rule that its fields by themselves allow.

    :raises ValidationError: if a budget or channel belongs to others, or it could never tell
    """
    budget = rule.budget
    if budget is not None and budget.organization_id not in (None, rule.organization_id):
        raise ValidationError({"budget": "The budget belongs to another organization."})
    if any(channel.organization_id != rule.organization_id for channel in channels):
        raise ValidationError({"channels": "A channel belongs to another organization."})
    if rule.kind in _NEEDS_THRESHOLDS and not rule.thresholds:
        raise ValidationError({"warning_at": "Name a figure at which somebody is told."})
    if rule.kind == AlertRule.Kind.NO_DATA and rule.each:
        raise ValidationError({"each": "Who has never called cannot be missed."})
    is_narrow = rule.scope != AlertRule.Scope.ORGANIZATION
    if rule.each and is_narrow and rule.kind not in FROM_JOURNAL:
        raise ValidationError({"each": "Within one of these nobody knows this figure of each."})
    told_of = TRAITS[rule.kind].told_of
    for name in ("scope", "each"):
        if getattr(rule, name) not in ("", "organization", *told_of):
            raise ValidationError({name: "Nobody knows this figure of one of these."})


# A share of a budget has the budget's own thresholds.
_NEEDS_THRESHOLDS = frozenset(AlertRule.Kind.values) - {AlertRule.Kind.BUDGET.value}


def put_channel(*, channel: Channel, given: Mapping[str, Any]) -> str:
    """Save a new or changed channel; give a new webhook's secret, which is never shown again, or "".

    ``given`` are the settings of its kind; what is left out stays as it was.

    :raises ChannelInvalid: if a setting is missing or not valid
    :raises AddressRefused: if an address must not be called
    :raises ValidationError: if a field is not valid
    """
    is_new = channel.pk is None
    config = TRANSPORTS[channel.kind].read(given, before=None if is_new else config_of(channel))
    channel.settings = config.public
    channel.full_clean(exclude=["organization"])
    with transaction.atomic():
        channel.save()
        channel.sealed = sealed_config(channel, config)
        channel.save(update_fields=["sealed"])
    return str(config.secret.get("secret", "")) if is_new else ""


def rotate_secret(*, channel: Channel, now: datetime) -> str:
    """Give a webhook a new secret, and return it; for a day messages carry both signatures.

    :raises NoSecret: if the channel is no webhook
    """
    transport = TRANSPORTS[channel.kind]
    if not isinstance(transport, WebhookTransport):
        raise NoSecret
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        config = transport.rotate(config_of(locked), now_s=int(now.timestamp()))
        locked.sealed = sealed_config(locked, config)
        locked.save(update_fields=["sealed"])
    channel.sealed = locked.sealed
    return str(config.secret["secret"])


def try_channel(*, channel: Channel, now: datetime) -> Delivery:
    """Send a message that says that the channel works, at once, and give its delivery.

    One that did not arrive is not tried again: somebody is looking.
    """
    message = Message(
        event=Delivery.Event.TEST,
        level="info",
        title=f"Test of the channel {channel.name}",
        advice="Alerts will arrive here.",
        facts=(("Organization", channel.organization.name),),
        organization=channel.organization.slug,
        url=page_url(path="/alerts/", organization=channel.organization),
        at=now.isoformat(timespec="seconds"),
        data={"channel": channel.pk},
    )
    delivery = write_message(
        organization=channel.organization,
        message=message,
        to=channel,
        now=now,
        due_at=now + LEASE,
    )
    send_due(now=now, only=[delivery.pk])
    Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING).update(
        state=Delivery.State.DEAD
    )
    delivery.refresh_from_db()
    return delivery


def resend(*, deliveries: Sequence[Delivery], now: datetime) -> int:
    """Try dead messages again, under the same ids and for another two days; give their number."""
    return Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in deliveries], state=Delivery.State.DEAD
    ).update(state=Delivery.State.WAITING, attempts=0, next_try_at=now, give_up_at=now + TRIES_FOR)


def check_now(*, organization: Organization, now: datetime) -> None:
    """Look at all of an organization's rules at once, due or not; messages go out as ever."""
    prepare_organizations(now=now)
    rules = AlertRule.objects.for_organization(organization).filter(active=True)
    for rule_id in rules.order_by("pk").values_list("pk", flat=True):
        check_one(rule_id=rule_id, now=now)


def acknowledge(*, alert: Alert, by: User, now: datetime) -> None:
    """Take an alert on: nobody is reminded of it. One that is over stays as it is."""
    Alert.objects.filter(pk=alert.pk, state=Alert.State.OPEN).update(
        state=Alert.State.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by
    )
    alert.refresh_from_db()


def mute(*, rule: AlertRule, until: datetime | None) -> None:
    """Tell nothing of a rule until then; what lasts is told afterwards. None ends it."""
    AlertRule.objects.filter(pk=rule.pk).update(muted_until=until)
    rule.muted_until = until
