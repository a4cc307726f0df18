"""How often, when and by which way somebody is told."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from budgets.alerts.models import Alert, Channel, Delivery
from budgets.alerts.operations import acknowledge, mute, put_rule
from budgets.holds.operations import put_budget
from budgets.tenancy.models import ApiKey, Organization
from tests.budgets.alerts.things import MINUTE, alerts, budget, channel, rule, spend, tick, told
from tests.make import NOW

pytestmark = pytest.mark.django_db

DAILY = "Daily spending alert: $12.00 (limit: $10.00)"


def test_does_not_repeat_itself_within_the_cool_down(acme: Organization, key: ApiKey) -> None:
    channel(of=acme)
    team = budget(of=acme, name="Team", window="total", thresholds=[80])
    rule(of=acme, kind="budget", cooldown_minutes=30)
    spend(key=key, usd="85")
    for minute in range(10):
        team.limit_amount = Decimal(1000 if minute % 2 else 100)
        put_budget(budget=team, now=NOW)
        tick(at=NOW + minute * MINUTE)
    assert [event for event, _ in told(acme)] == ["opened", "recovered"]

    team.limit_amount = Decimal(100)
    put_budget(budget=team, now=NOW)
    for minute in (11, 20, 40, 41):
        tick(at=NOW + minute * MINUTE)
    assert [event for event, _ in told(acme)] == ["opened", "recovered", "opened"]
    assert Alert.objects.count() == 1


def test_reminds_until_somebody_has_taken_it_on(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    rule(of=acme, renotify_minutes=60)
    spend(key=key, usd="12")
    for minute in (0, 30, 61, 90, 125):
        tick(at=NOW + minute * MINUTE)
    assert [event for event, _ in told(acme)] == ["opened", "reminder", "reminder"]

    alert = Alert.objects.get()
    acknowledge(alert=alert, by=key.user, now=NOW + 126 * MINUTE)
    tick(at=NOW + 200 * MINUTE)

    assert alert.state == "acknowledged"
    assert len(told(acme)) == 3


def test_tells_nothing_while_it_is_muted_and_what_lasts_afterwards(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    muted = rule(of=acme)
    mute(rule=muted, until=NOW + 10 * MINUTE)
    spend(key=key, usd="12")
    tick()
    assert (alerts(acme), told(acme)) == ([(DAILY, "open")], [])

    tick(at=NOW + 11 * MINUTE)
    tick(at=NOW + 12 * MINUTE)
    assert told(acme) == [("opened", DAILY)]


def test_waits_for_the_end_of_quiet_hours_but_not_with_what_is_critical(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    hours: dict[str, Any] = {"quiet_from": time(11), "quiet_until": time(14)}
    rule(of=acme, **hours)
    rule(of=acme, warning_at=[], critical_at=[Decimal(10)], **hours)
    spend(key=key, usd="12")

    tick()

    calm, urgent = Delivery.objects.order_by("alert__level").values_list("next_try_at", flat=True)[
        ::-1
    ]
    assert (calm, urgent) == (NOW.replace(hour=14), NOW)


def test_takes_back_what_was_over_before_the_night_was(acme: Organization, key: ApiKey) -> None:
    channel(of=acme)
    team = budget(of=acme, name="Team")
    rule(of=acme, kind="budget", quiet_from=time(11), quiet_until=time(14))
    spend(key=key, usd="85")
    tick()
    team.limit_amount = Decimal(1000)
    put_budget(budget=team, now=NOW)
    tick(at=NOW + MINUTE)

    (only,) = Delivery.objects.all()
    assert (only.event, only.state) == ("opened", "withdrawn")


def test_tells_the_channels_of_the_rule_else_all_that_take_alerts(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    mail = channel(of=acme, kind="email")
    Channel.objects.filter(pk=channel(of=acme, kind="teams").pk).update(takes_alerts=False)
    Channel.objects.filter(pk=channel(of=acme, kind="webhook").pk).update(active=False)
    named = rule(of=acme)
    put_rule(rule=named, now=NOW, channels=[mail])
    rule(of=acme, name="All")
    spend(key=key, usd="12")

    tick()

    by_rule = Delivery.objects.order_by("channel_id").values_list("alert__rule__name", "channel")
    assert sorted(by_rule) == [("All", slack.pk), ("All", mail.pk), ("Rule", mail.pk)]


def test_tells_the_user_whom_it_is_about_too(acme: Organization, key: ApiKey) -> None:
    rule(of=acme, each="user", tells_subject=True)
    spend(key=key, usd="12")

    tick()

    assert Delivery.objects.get().to == ["alice@example.org"]
