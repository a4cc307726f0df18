"""Messages on their way: tried again or given up, never lost, under one id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.test import override_settings

from budgets.alerts.channels.kinds import TRANSPORTS
from budgets.alerts.channels.webhook.transport import PREVIOUS_WORKS_S
from budgets.alerts.dispatch import config_of, send_due
from budgets.alerts.models import Channel, Delivery
from budgets.alerts.operations import NoSecret, resend, rotate_secret, try_channel
from budgets.alerts.outbox import LEASE, claim
from budgets.tenancy.models import Organization
from tests import make
from tests.budgets.alerts.things import channel, rule, spend, tick
from tests.fakes.receiver import Receiver
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running, override_settings(COSTSITE_OUTBOUND_NETWORKS=["127.0.0.0/8"]):
        yield running


@pytest.fixture
def acme() -> Organization:
    return make.organization(slug="acme")


def crossed(of: Organization) -> None:
    """Let a rule be crossed and told."""
    rule(of=of)
    spend(key=make.key(of=of, user=make.user())[0], usd="12")
    tick()


def the_delivery() -> Delivery:
    return Delivery.objects.get()


def test_sends_what_waits_and_notes_it(acme: Organization, receiver: Receiver) -> None:
    channel(of=acme, kind="webhook", url=receiver.url)
    crossed(acme)

    assert send_due(now=NOW) == 1
    assert send_due(now=NOW) == 0

    (request,) = receiver.requests
    told = json.loads(request.body)
    assert told["type"] == "alert.opened"
    assert told["data"]["title"] == "Daily spending alert: $12.00 (limit: $10.00)"
    assert told["data"]["value"] == "12.000000000000"
    assert (the_delivery().state, the_delivery().attempts) == ("sent", 1)


def test_tries_again_under_the_same_id_until_it_is_taken(
    acme: Organization, receiver: Receiver
) -> None:
    channel(of=acme, kind="webhook", url=receiver.url)
    crossed(acme)
    receiver.answer(503, body=b"later", times=2)
    now = NOW
    for _ in range(3):
        assert send_due(now=now) == 1
        now = the_delivery().next_try_at

    assert the_delivery().state == "sent"
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len(receiver.requests) == 3


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410])
def test_gives_up_at_once_where_trying_again_would_not_help(
    acme: Organization, receiver: Receiver, status: int
) -> None:
    channel(of=acme, url=receiver.url)
    crossed(acme)
    receiver.answer(status, body=b"no_service")

    send_due(now=NOW)

    assert the_delivery().state == "dead"
    assert the_delivery().last_error == f"The receiver answered {status}: no_service"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_tries_again_where_it_may_help(acme: Organization, receiver: Receiver, status: int) -> None:
    channel(of=acme, url=receiver.url)
    crossed(acme)
    receiver.answer(status)

    send_due(now=NOW)

    assert the_delivery().state == "waiting"
    assert NOW < the_delivery().next_try_at < NOW + timedelta(minutes=1)


def test_leaves_a_receiver_alone_for_as_long_as_it_asks(
    acme: Organization, receiver: Receiver
) -> None:
    channel(of=acme, url=receiver.url)
    crossed(acme)
    receiver.answer(429, headers={"Retry-After": "600"})

    send_due(now=NOW)

    assert the_delivery().next_try_at == NOW + timedelta(minutes=10)


def test_is_dead_after_two_days_and_can_be_sent_again(
    acme: Organization, receiver: Receiver
) -> None:
    channel(of=acme, url=receiver.url)
    crossed(acme)
    receiver.answer(503)
    now = NOW
    while the_delivery().state == "waiting":
        now = the_delivery().next_try_at
        send_due(now=now)
    assert timedelta(hours=40) < now - NOW <= timedelta(days=2)

    receiver.answer(200)
    assert resend(deliveries=[the_delivery()], now=now) == 1
    send_due(now=now)
    assert the_delivery().state == "sent"


def test_sends_again_what_a_dead_worker_held(acme: Organization, receiver: Receiver) -> None:
    channel(of=acme, kind="webhook", url=receiver.url)
    crossed(acme)
    (held,) = claim(now=NOW, most=10)
    assert send_due(now=NOW + LEASE / 2) == 0

    assert send_due(now=NOW + LEASE) == 1

    assert receiver.requests[0].headers["webhook-id"] == f"msg_{held.pk.hex}"
    assert the_delivery().attempts == 2


def test_one_channel_that_fails_does_not_hold_up_another(
    acme: Organization, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel(of=acme, url=receiver.url)
    broken = channel(of=acme, kind="teams", url=receiver.url)
    crossed(acme)

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(TRANSPORTS["teams"], "send", fail, raising=True)
    assert send_due(now=NOW) == 2

    assert len(receiver.requests) == 1
    failed = Delivery.objects.get(channel=broken)
    assert (failed.state, failed.last_error) == ("waiting", "ZeroDivisionError on our side.")


def test_refuses_an_address_that_became_one_of_ours(acme: Organization, receiver: Receiver) -> None:
    channel(of=acme, url=receiver.url)
    crossed(acme)
    with override_settings(COSTSITE_OUTBOUND_NETWORKS=[]):
        send_due(now=NOW)

    assert receiver.requests == []
    assert the_delivery().state == "dead"
    assert "https://" in the_delivery().last_error


def test_sends_nothing_by_a_channel_that_is_off(acme: Organization, receiver: Receiver) -> None:
    channel(of=acme, url=receiver.url)
    crossed(acme)
    Channel.objects.update(active=False)

    send_due(now=NOW)

    assert receiver.requests == []
    assert the_delivery().state == "dead"


def test_mails_addresses_and_whoever_has_a_role(acme: Organization) -> None:
    make.member(of=acme, name="dora", role="admin")
    make.member(of=acme, name="bob")
    gone = make.member(of=acme, name="gone", role="admin")
    gone.is_active = False
    gone.save()
    channel(of=acme, kind="email", to="ops@example.org", roles="owner, admin")
    crossed(acme)

    send_due(now=NOW)

    (mail,) = outbox.outbox
    assert mail.to == ["ops@example.org", "alice@example.org", "dora@example.org"]
    assert mail.extra_headers["Message-ID"] == f"<msg_{the_delivery().pk.hex}@testserver>"


def test_the_test_button_says_at_once_whether_it_arrived(
    acme: Organization, receiver: Receiver
) -> None:
    slack = channel(of=acme, url=receiver.url)
    assert try_channel(channel=slack, now=NOW).state == "sent"

    receiver.answer(500, body=b"oops")
    failed = try_channel(channel=slack, now=NOW)
    assert (failed.state, failed.last_error) == ("dead", "The receiver answered 500: oops")
    assert send_due(now=NOW + timedelta(days=1)) == 0


def test_signs_with_both_secrets_for_a_day_after_a_rotation(
    acme: Organization, receiver: Receiver
) -> None:
    hook = channel(of=acme, kind="webhook", url=receiver.url)
    before = config_of(hook).secret["secret"]
    after = rotate_secret(channel=hook, now=NOW)
    assert after.startswith("whsec_")
    assert before != after

    hook.refresh_from_db()
    for seconds in (0, PREVIOUS_WORKS_S - 1, PREVIOUS_WORKS_S):
        try_channel(channel=hook, now=NOW + timedelta(seconds=seconds))

    signatures = [len(r.headers["webhook-signature"].split()) for r in receiver.requests]
    assert signatures == [2, 2, 1]


def test_rotates_nothing_but_webhooks(acme: Organization, receiver: Receiver) -> None:
    with pytest.raises(NoSecret):
        rotate_secret(channel=channel(of=acme, url=receiver.url), now=NOW)


def test_keeps_secrets_out_of_the_rows_and_opens_them_for_no_other_channel(
    acme: Organization, receiver: Receiver
) -> None:
    slack = channel(of=acme, url=f"{receiver.url}/T0/B0/very-secret")
    other = channel(of=acme, url=receiver.url)

    assert slack.settings == {"url": "127.0.0.1/…cret"}
    assert b"very-secret" not in bytes(slack.sealed)
    Channel.objects.filter(pk=other.pk).update(sealed=slack.sealed)
    other.refresh_from_db()
    sent = try_channel(channel=other, now=NOW)
    assert sent.state == "dead"
    assert "decrypted" in sent.last_error
    assert receiver.requests == []
