"""Sends to Slack. The webhook's address is the secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budgets.alerts.channels.base import Config, Parcel, post_json, read_url, shown
from budgets.alerts.channels.slack.payload import payload_of
from budgets.http.wire import json_bytes


class SlackTransport:
    """An incoming webhook."""

    def read(self, given: Mapping[str, Any], *, before: Config | None) -> Config:
        """Read the webhook's address (``url``); it is kept secret.

        :raises ChannelInvalid: if there is none
        :raises AddressRefused: if it must not be called
        """
        url = read_url(given, before=before.secret["url"] if before else "")
        return Config({"url": shown(url)}, {"url": url})

    async def send(self, parcel: Parcel, config: Config) -> None:
        """Post the message.

        :raises DeliveryError: if Slack did not take it
        """
        body = json_bytes(payload_of(parcel.message))
        await post_json(url=config.secret["url"], body=body, headers={})
