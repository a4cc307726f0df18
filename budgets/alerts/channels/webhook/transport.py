"""Sends signed messages to a program."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from budgets.alerts.channels.base import Config, Parcel, post_json, read_url
from budgets.alerts.channels.webhook.signature import (
    SECRET_BYTES,
    signature_of,
    write_secret,
)
from budgets.alerts.message import Message
from budgets.http.wire import json_bytes

_TYPES = {"request": "request.request", "decision": "request.decision", "report": "report.sent"}
PREVIOUS_WORKS_S = 24 * 3600


class WebhookTransport:
    """An address of a program, and the secrets that its messages are signed with."""

    def read(self, given: Mapping[str, Any], *, before: Config | None) -> Config:
        """Read the address (``url``), and make the first secret.

        :raises ChannelInvalid: if there is no address
        :raises AddressRefused: if it must not be called
        """
        url = read_url(given, before=before.public["url"] if before else "")
        return Config({"url": url}, before.secret if before else {"secret": _new_secret()})

    def rotate(self, config: Config, *, now_s: int) -> Config:
        """Make a new secret; for a day messages are signed with the one before, too."""
        secret = {
            "secret": _new_secret(),
            "previous": config.secret["secret"],
            "previous_until_s": now_s + PREVIOUS_WORKS_S,
        }
        return Config(config.public, secret)

    async def send(self, parcel: Parcel, config: Config) -> None:
        """Post the message with its signature.

        :raises DeliveryError: if the receiver did not take it
        """
        body = json_bytes(payload_of(parcel.message))
        signature = signature_of(
            secrets=_secrets(config, parcel.sent_at_s),
            id=parcel.id,
            timestamp_s=parcel.sent_at_s,
            body=body,
        )
        headers = {
            "webhook-id": parcel.id,
            "webhook-timestamp": str(parcel.sent_at_s),
            "webhook-signature": signature,
        }
        await post_json(url=config.public["url"], body=body, headers=headers)


def payload_of(message: Message) -> dict[str, Any]:
    """Write a message for programs: a type, an instant, and what is known."""
    return {
        "type": _TYPES.get(message.event, f"alert.{message.event}"),
        "timestamp": message.at,
        "data": {
            **message.data,
            "level": message.level,
            "title": message.title,
            "advice": message.advice,
            "organization": message.organization,
            "url": message.url,
        },
    }


def _secrets(config: Config, now_s: int) -> list[str]:
    secret = config.secret
    is_kept = secret.get("previous_until_s", 0) > now_s
    return [secret["secret"], *([secret["previous"]] if is_kept else [])]


def _new_secret() -> str:
    return write_secret(secrets.token_bytes(SECRET_BYTES))
