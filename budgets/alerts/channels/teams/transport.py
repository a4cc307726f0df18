"""Sends to a workflow of Microsoft Teams. The webhook's address is the secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budgets.alerts.channels.base import Config, Parcel, post_json, read_url, shown
from budgets.alerts.channels.teams.payload import payload_of
from budgets.http.wire import json_bytes


class TeamsTransport:
    """A workflow that begins with "when a Teams webhook request is received"."""

    def read(self, given: Mapping[str, Any], *, before: Config | None) -> Config:
        """Read the workflow's address (``url``); it is kept secret.

        :raises ChannelInvalid: if there is none
        :raises AddressRefused: if it must not be called
        """
        url = read_url(given, before=before.secret["url"] if before else "")
        return Config({"url": shown(url)}, {"url": url})

    async def send(self, parcel: Parcel, config: Config) -> None:
        """Post the message.

        :raises DeliveryError: if the workflow did not take it
        """
        body = json_bytes(payload_of(parcel.message))
        await post_json(url=config.secret["url"], body=body, headers={})
