"""The page of alerts, and the command that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from budgets.alerts.models import Alert, Channel, Delivery
from budgets.alerts.outbox import write_message
from budgets.tenancy.models import ApiKey, Organization, User
from tests import make
from tests.budgets.alerts.channels.messages import REPORT
from tests.budgets.alerts.things import channel, rule, spend, tick
from tests.fakes.receiver import Receiver
from tests.make import NOW

pytestmark = pytest.mark.django_db


def page(who: User, **params: str) -> str:
    client = Client()
    client.force_login(who)
    response = client.get("/alerts/", params)
    assert response.status_code == 200
    return response.content.decode()


def crossed(acme: Organization, key: ApiKey) -> Alert:
    rule(of=acme, each="user", name="Spend of a day")
    spend(key=key, usd="12")
    tick()
    return Alert.objects.get()


def test_shows_what_goes_on_and_by_which_rules_and_ways(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    crossed(acme, key)

    html = page(key.user)

    assert "User alice@example.org spending alert: $12.00 (limit: $10.00)" in html
    for text in ("Spend of a day", "93.184.215.14/…oken", "opened: User alice", "Take it on"):
        assert text.casefold() in html.casefold(), text
    assert "secret-token" not in html


def test_shows_members_only_what_is_about_them(acme: Organization, key: ApiKey) -> None:
    crossed(acme, key)
    bob = make.member(of=acme)

    html = page(bob)

    assert "alice" not in html
    assert "Spend of a day" not in html


def test_takes_an_alert_on_from_the_page(acme: Organization, key: ApiKey) -> None:
    alert = crossed(acme, key)
    client = Client()
    address = f"/alerts/{alert.pk}/acknowledge/"
    client.force_login(make.member(of=acme))
    assert client.post(address, {"organization": "acme"}).status_code == 404
    client.force_login(key.user)

    response = client.post(address, {"organization": "acme"}, follow=True)

    assert "taken on by alice@example.org" in response.content.decode()


def test_sends_strangers_to_sign_in_and_tells_who_belongs_nowhere() -> None:
    assert Client().get("/alerts/").url.startswith("/login/")  # type: ignore[attr-defined]
    assert "member of an organization" in page(make.user(name="nobody"))


def test_the_command_looks_at_all_rules_now(acme: Organization, key: ApiKey) -> None:
    with time_machine.travel(NOW, tick=False):
        spend(key=key, usd="120")
        out = StringIO()
        call_command("check_alerts", organization="acme", stdout=out)
        assert out.getvalue().splitlines() == [
            "acme:",
            "  Model gpt-4o-mini spending alert: $120.00 (limit: $50.00)",
            "  User alice@example.org spending alert: $120.00 (limit: $10.00)",
            "  Daily spending alert: $120.00 (limit: $100.00)",
        ]
        out = StringIO()
        call_command("check_alerts", json=True, stdout=out)
        assert len(json.loads(out.getvalue())["acme"]) == 3

    with time_machine.travel(NOW.replace(year=2027), tick=False):
        out = StringIO()
        call_command("check_alerts", stdout=out)
        assert out.getvalue() == "acme: no cost alerts\n"
    with pytest.raises(CommandError, match="no organization nowhere"):
        call_command("check_alerts", organization="nowhere")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running, override_settings(COSTSITE_OUTBOUND_NETWORKS=["127.0.0.0/8"]):
        yield running


def test_sends_a_test_and_sends_again_what_was_given_up(
    acme: Organization, key: ApiKey, receiver: Receiver
) -> None:
    hook = channel(of=acme, kind="webhook", url=receiver.url)
    receiver.answer(404)
    client = Client()
    client.force_login(key.user)

    told = client.post(f"/alerts/channels/{hook.pk}/test/", {"organization": "acme"}, follow=True)
    html = told.content.decode()
    (dead,) = Delivery.objects.all()
    assert "Test of the channel Webhook" in html
    assert "answered 404" in html
    assert f"/alerts/messages/{dead.pk}/resend/" in html

    client.post(f"/alerts/messages/{dead.pk}/resend/", {"organization": "acme"})
    dead.refresh_from_db()
    assert dead.state == "waiting"


def test_shows_a_message_as_its_mail(acme: Organization, key: ApiKey, slack: Channel) -> None:
    crossed(acme, key)
    (delivery,) = Delivery.objects.all()
    client = Client()
    client.force_login(key.user)

    response = client.get(f"/alerts/messages/{delivery.pk}/", {"organization": "acme"})

    assert "spending alert: $12.00" in response.content.decode()
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_shows_a_report_without_the_way_to_end_it(acme: Organization, key: ApiKey) -> None:
    """Who looks at somebody's report must not be handed what ends it for them."""
    write_message(organization=acme, message=REPORT, to=["bob@example.org"], now=NOW)
    (delivery,) = Delivery.objects.all()
    client = Client()
    client.force_login(key.user)

    response = client.get(f"/alerts/messages/{delivery.pk}/", {"organization": "acme"})

    html = response.content.decode()
    assert "spent in March 2026" in html
    assert REPORT.unsubscribe_url
    assert REPORT.unsubscribe_url not in html


@pytest.mark.parametrize("who", ["member", "viewer", "stranger"])
def test_lets_only_managers_act(acme: Organization, key: ApiKey, slack: Channel, who: str) -> None:
    crossed(acme, key)
    (delivery,) = Delivery.objects.all()
    client = Client()
    if who == "stranger":
        visitor = make.user(name="carol")
        make.organization(slug="globex", owner=visitor)
    else:
        visitor = make.member(of=acme, role=who)
    client.force_login(visitor)

    for address in (f"channels/{slack.pk}/test", f"messages/{delivery.pk}/resend"):
        assert client.post(f"/alerts/{address}/", {"organization": "acme"}).status_code == 404
    seen = client.get(f"/alerts/messages/{delivery.pk}/", {"organization": "acme"})
    assert seen.status_code == (200 if who == "viewer" else 404)
    assert Delivery.objects.count() == 1
