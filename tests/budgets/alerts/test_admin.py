"""Rules, channels and deliveries in the admin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from budgets.alerts.dispatch import config_of
from budgets.alerts.models import Alert, AlertRule, Channel, Delivery
from budgets.tenancy.models import ApiKey, Organization
from tests.admin_pages import act, list_of, new, page_of, staff, submit, superuser, text_of
from tests.budgets.alerts.things import SLACK_URL, channel, rule, spend, tick
from tests.fakes.receiver import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running, override_settings(COSTSITE_OUTBOUND_NETWORKS=["127.0.0.0/8"]):
        yield running


def test_makes_and_changes_a_rule(acme: Organization, key: ApiKey, slack: Channel) -> None:
    root = superuser()
    made = submit(
        root,
        new(AlertRule),
        organization=str(acme.pk),
        name="Alice",
        kind="spend",
        scope="user",
        target="alice@example.org",
        warning_at="10, 20",
        channels=[str(slack.pk)],
    )
    assert made.status_code == 302, made.content.decode()
    kept = AlertRule.objects.get()
    assert (kept.target, kept.warning_at) == (str(key.user_id), [10, 20])
    assert kept.channels.get() == slack

    html = text_of(root, page_of(kept))
    assert 'value="alice@example.org"' in html
    assert 'value="10, 20"' in html
    submit(root, page_of(kept), warning_at="15", active=None)
    kept.refresh_from_db()
    assert (kept.warning_at, kept.active) == ([15], False)


def test_says_what_is_wrong_with_a_rule(acme: Organization) -> None:
    wrong = submit(superuser(), new(AlertRule), organization=str(acme.pk), name="x", kind="spend")

    assert "Name a figure at which somebody is told." in wrong.content.decode()


def test_makes_a_channel_whose_secret_goes_in_and_stays(acme: Organization) -> None:
    root = superuser()
    submit(root, new(Channel), organization=str(acme.pk), name="Ops", kind="slack", url=SLACK_URL)
    made = Channel.objects.get()
    assert config_of(made).secret == {"url": SLACK_URL}

    submit(root, page_of(made), name="Operations")
    made.refresh_from_db()
    assert (made.name, config_of(made).secret) == ("Operations", {"url": SLACK_URL})
    assert "secret-token" not in text_of(root, page_of(made)) + text_of(root, list_of(Channel))


def test_shows_a_webhooks_secret_once(acme: Organization) -> None:
    root = superuser()
    answer = submit(
        root, new(Channel), organization=str(acme.pk), name="Hook", kind="webhook", url=SLACK_URL
    )
    made = Channel.objects.get()
    secret = config_of(made).secret["secret"]
    assert secret in answer.content.decode()
    assert secret not in text_of(root, page_of(made))

    act(root, "rotate", made)
    answer = act(root, "rotate", made, confirmed="yes")
    made.refresh_from_db()
    assert config_of(made).secret["secret"] != secret
    assert config_of(made).secret["secret"] in answer.content.decode()


@pytest.mark.parametrize(
    ("kind", "url", "told"),
    [
        ("slack", "https://127.0.0.1/", "is not public"),
        ("teams", "", "needs an address"),
        ("webhook", "http://93.184.215.14/", "must begin with https://"),
        ("email", "", "needs addresses (to) or roles"),
    ],
)
def test_says_what_is_wrong_with_a_channel(
    acme: Organization, kind: str, url: str, told: str
) -> None:
    wrong = submit(
        superuser(), new(Channel), organization=str(acme.pk), name="x", kind=kind, url=url
    )

    assert told in wrong.content.decode()
    assert not Channel.objects.exists()


def test_the_test_button_says_what_came_back(acme: Organization, receiver: Receiver) -> None:
    made = channel(of=acme, url=receiver.url)
    root = superuser()
    act(root, "test", made)
    assert "The message arrived." in text_of(root, list_of(Channel))

    receiver.answer(410, body=b"channel_is_archived")
    act(root, "test", made)
    assert "410: channel_is_archived" in text_of(root, list_of(Channel))


def test_sends_dead_messages_again_and_changes_no_other(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    rule(of=acme)
    spend(key=key, usd="12")
    tick()
    Delivery.objects.update(state="dead", last_error="The receiver answered 500: oops")
    dead = Delivery.objects.get()
    root = superuser()
    assert "oops" in text_of(root, list_of(Delivery))
    assert "Daily spending alert" in text_of(root, page_of(dead))
    assert "Daily spending alert" in text_of(root, page_of(Alert.objects.get()))

    act(staff("view_delivery"), "send_again", dead)
    dead.refresh_from_db()
    assert dead.state == "dead"
    act(root, "send_again", dead)
    dead.refresh_from_db()
    assert dead.state == "waiting"
    assert root.post(page_of(dead), {"state": "sent"}).status_code == 403
