"""Sends what waits in the outbox. No transaction is open while it does."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from budgets.alerts.channels.base import Config, DeliveryError, Parcel
from budgets.alerts.channels.kinds import TRANSPORTS
from budgets.alerts.evaluate import wait_before_next_try
from budgets.alerts.message import Message
from budgets.alerts.models import Channel, Delivery
from budgets.alerts.outbox import claim, note_failed, note_sent
from budgets.core.errors import DomainError
from budgets.core.sealing import seal, unseal
from budgets.tenancy.models import Membership

logger = logging.getLogger(__name__)

AT_ONCE = 50

Job = tuple[Delivery, Parcel, Config]


def send_due(*, now: datetime, most: int = AT_ONCE, only: Collection[UUID] = ()) -> int:
    """Send messages that are due, at the same time; give how many were tried.

    Each is taken for two minutes, so that one that a dying worker held is sent again after them,
    under the same id.
    """
    taken = claim(now=now, most=most, only=only)
    if taken:
        jobs = [_job(delivery, now) for delivery in taken]
        for delivery, outcome in zip(taken, asyncio.run(_send_all(jobs)), strict=True):
            _note(delivery, outcome, now)
    return len(taken)


def config_of(channel: Channel) -> Config:
    """Give a channel's settings with its secrets.

    :raises CredentialUnreadable: if the site's keys do not open them
    """
    sealed = bytes(channel.sealed)
    text = unseal(sealed=sealed, owner=_owner(channel), secrets=settings.COSTSITE_CREDENTIAL_KEYS)
    return Config(dict(channel.settings), json.loads(text) if text else {})


def sealed_config(channel: Channel, config: Config) -> bytes:
    """Encrypt a channel's secrets; a channel without any has none."""
    if not config.secret:
        return b""
    return seal(
        key=json.dumps(config.secret),
        owner=_owner(channel),
        secrets=settings.COSTSITE_CREDENTIAL_KEYS,
    )


def _owner(channel: Channel) -> str:
    return f"channel:{channel.pk}@{channel.organization_id}"


def _job(delivery: Delivery, now: datetime) -> Job | DeliveryError:
    """Gather what sending needs from the database."""
    channel = delivery.channel
    parcel = Parcel(
        id=f"msg_{delivery.pk.hex}",
        message=Message.from_json(delivery.message),
        sent_at_s=int(now.timestamp()),
        to=tuple(delivery.to),
        picture=bytes(delivery.picture),
    )
    if channel is None:
        return delivery, parcel, Config({})
    if not channel.active:
        return DeliveryError("The channel is switched off.", is_permanent=True)
    try:
        config = config_of(channel)
    except DomainError as error:
        return DeliveryError(error.message, is_permanent=False)
    if channel.kind == Channel.Kind.EMAIL:
        parcel = replace(parcel, to=_recipients(channel))
    return delivery, parcel, config


def _recipients(channel: Channel) -> tuple[str, ...]:
    members = Membership.objects.for_organization(channel.organization).filter(
        role__in=channel.settings.get("roles", ()), user__is_active=True
    )
    by_role = members.order_by("pk").values_list("user__email", flat=True)
    return tuple(dict.fromkeys([*channel.settings.get("to", ()), *by_role]))


async def _send_all(jobs: Sequence[Job | DeliveryError]) -> list[BaseException | None]:
    return await asyncio.gather(*(_send(job) for job in jobs))


async def _send(job: Job | DeliveryError) -> BaseException | None:
    if isinstance(job, DeliveryError):
        return job
    delivery, parcel, config = job
    kind = delivery.channel.kind if delivery.channel is not None else Channel.Kind.EMAIL
    try:
        await TRANSPORTS[kind].send(parcel, config)
    except Exception as error:  # noqa: BLE001  One message must not hold up the others.
        return error
    return None


def _note(delivery: Delivery, outcome: BaseException | None, now: datetime) -> None:
    if outcome is None:
        note_sent(delivery=delivery, now=now)
        return
    if not isinstance(outcome, DeliveryError):
        logger.error("delivery %s failed unexpectedly", delivery.pk, exc_info=outcome)
        outcome = DeliveryError(f"{type(outcome).__name__} on our side.", is_permanent=False)
    wait = wait_before_next_try(attempts=delivery.attempts, jitter=random.random())  # noqa: S311  no secret
    if outcome.retry_after_s is not None:
        wait = max(wait, timedelta(seconds=outcome.retry_after_s))
    next_try_at = None if outcome.is_permanent else now + wait
    note_failed(delivery=delivery, error=str(outcome), next_try_at=next_try_at)
    logger.warning("delivery %s, try %d: %s", delivery.pk, delivery.attempts, outcome)
