"""What every kind of channel is: settings that it reads, and a way to send a message."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from budgets.alerts.message import Message
from budgets.core.errors import DomainError
from budgets.http.outbound import AddressRefused, NameUnknown, check_url, post

TIMEOUT_S = 10.0
# What a later try may well be answered differently; everything else of 3xx and 4xx is final.
_TRANSIENT = frozenset({408, 409, 423, 425, 429})
_MOST_WAIT_S = 6 * 3600


class ChannelInvalid(DomainError):
    """A channel's settings are not complete."""

    code = "value_out_of_range"


class DeliveryError(Exception):
    """A message did not arrive. ``is_permanent`` says that trying again would not help."""

    def __init__(self, text: str, *, is_permanent: bool, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.is_permanent = is_permanent
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Config:
    """A channel's settings: ``public`` are shown, ``secret`` are encrypted and never shown."""

    public: dict[str, Any]
    secret: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message under the id that all its tries share, the instant of this try, and whom it is for.

    ``picture`` is a PNG; only mail carries it.
    """

    id: str
    message: Message
    sent_at_s: int
    to: tuple[str, ...] = ()
    picture: bytes = b""


class Transport(Protocol):
    """A kind of channel."""

    def read(self, given: Mapping[str, Any], *, before: Config | None) -> Config:
        """Read what somebody entered; what they left out stays as it was before.

        :raises ChannelInvalid: if something is missing or not valid
        :raises AddressRefused: if an address must not be called
        """

    async def send(self, parcel: Parcel, config: Config) -> None:
        """Send a message.

        :raises DeliveryError: if it did not arrive
        """


def read_url(given: Mapping[str, Any], *, before: str) -> str:
    """Read a receiver's address; empty leaves the one before.

    :raises ChannelInvalid: if there is none
    :raises AddressRefused: if it must not be called
    """
    url = str(given.get("url") or "").strip() or before
    if not url:
        raise ChannelInvalid("The channel needs an address (url).", param="url")
    check_url(url)
    return url


def shown(url: str) -> str:
    """Give as much of a secret address as may be shown: its host, and the last four characters."""
    host = httpx.URL(url).host
    return f"{host}/…{url[-4:]}"


async def post_json(*, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a body as JSON, and turn whatever goes wrong into one kind of error.

    :raises DeliveryError: if the receiver did not take it
    """
    try:
        answer = await post(
            url=url,
            body=body,
            headers={"Content-Type": "application/json", "User-Agent": "costsite", **headers},
            timeout_s=TIMEOUT_S,
        )
    except NameUnknown as error:
        raise DeliveryError(error.message, is_permanent=False) from error
    except AddressRefused as error:
        raise DeliveryError(error.message, is_permanent=True) from error
    except TimeoutError as error:
        text = f"The receiver did not answer within {TIMEOUT_S:.0f} s."
        raise DeliveryError(text, is_permanent=False) from error
    except httpx.HTTPError as error:
        text = f"The receiver cannot be reached ({type(error).__name__})."
        raise DeliveryError(text, is_permanent=False) from error
    if not 200 <= answer.status < 300:
        raise DeliveryError(
            f"The receiver answered {answer.status}: {answer.text[:200].strip()}",
            is_permanent=answer.status < 500 and answer.status not in _TRANSIENT,
            retry_after_s=_seconds(answer.retry_after),
        )


def _seconds(retry_after: str) -> int | None:
    """Read how many seconds a receiver asks to be left alone; a date is left to our own waits."""
    if not retry_after.isdecimal() or len(retry_after) > 6:
        return None
    return min(int(retry_after), _MOST_WAIT_S)


def message_id(parcel: Parcel, *, host: str) -> str:
    """Give the id that mail programs know a repeated message by."""
    return f"<{parcel.id}@{email.utils.quote(host)}>"
