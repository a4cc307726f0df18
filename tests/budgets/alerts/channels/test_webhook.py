"""Signatures as Standard Webhooks has them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
from django.test import override_settings

from budgets.alerts.channels.base import Config, Parcel
from budgets.alerts.channels.webhook.signature import signature_of, write_secret
from budgets.alerts.channels.webhook.transport import WebhookTransport, payload_of
from tests.budgets.alerts.channels.messages import OVER, PLAIN
from tests.fakes.receiver import Receiver

# The example that the specification's libraries test themselves with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP_S = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running, override_settings(COSTSITE_OUTBOUND_NETWORKS=["127.0.0.0/8"]):
        yield running


def test_signs_the_specifications_example() -> None:
    signed = signature_of(secrets=[SECRET], id=MESSAGE_ID, timestamp_s=TIMESTAMP_S, body=BODY)

    assert signed == SIGNATURE


def test_signs_with_every_secret_the_newest_first() -> None:
    other = write_secret(b"another secret of 24 byte")
    signed = signature_of(
        secrets=[other, SECRET], id=MESSAGE_ID, timestamp_s=TIMESTAMP_S, body=BODY
    )

    assert signed.split() == [
        signature_of(secrets=[other], id=MESSAGE_ID, timestamp_s=TIMESTAMP_S, body=BODY),
        SIGNATURE,
    ]


async def test_sends_what_a_receiver_can_prove(receiver: Receiver) -> None:
    parcel = Parcel(id=MESSAGE_ID, message=PLAIN, sent_at_s=TIMESTAMP_S)

    await WebhookTransport().send(parcel, Config({"url": receiver.url}, {"secret": SECRET}))

    (got,) = receiver.requests
    proved = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, proved, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert got.headers["content-type"] == "application/json"
    assert json.loads(got.body)["data"]["alert"] == 7


def test_names_what_happened() -> None:
    assert payload_of(PLAIN)["type"] == "alert.opened"
    assert payload_of(OVER)["type"] == "alert.recovered"
    assert payload_of(PLAIN)["timestamp"] == "2026-03-18T12:00:00+00:00"
