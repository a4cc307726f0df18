"""Rules that are looked at: what they see becomes alerts and messages, once."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from budgets.alerts import checks
from budgets.alerts.models import Alert, AlertRule, Channel, Delivery, Watch
from budgets.alerts.operations import put_rule
from budgets.alerts.ready_made import prepare_organizations
from budgets.holds.operations import Adjustment, adjust, put_budget, retire_budget
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.budgets.alerts.things import MINUTE, alerts, budget, channel, rule, spend, tick, told
from tests.make import NOW

pytestmark = pytest.mark.django_db

DAILY = "Daily spending alert: $12.00 (limit: $10.00)"


def test_tells_once_that_a_days_spend_reached_its_threshold(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    rule(of=acme)
    spend(key=key, usd="9.99")
    tick()
    assert told(acme) == []

    spend(key=key, usd="2.01")
    for minute in (1, 2, 3):
        tick(at=NOW + minute * MINUTE)

    assert alerts(acme) == [(DAILY, "open")]
    assert told(acme) == [("opened", DAILY)]
    assert Delivery.objects.get().channel == slack


def test_does_nothing_at_a_second_tick_of_the_same_minute(acme: Organization) -> None:
    rule(of=acme)

    assert tick() == 1
    assert tick(at=NOW + timedelta(seconds=5)) == 0
    assert tick(at=NOW + timedelta(seconds=58)) == 1


def test_begins_anew_in_a_new_window(acme: Organization, key: ApiKey, slack: Channel) -> None:
    rule(of=acme)
    spend(key=key, usd="12")
    tick()
    tomorrow = NOW + timedelta(days=1)
    tick(at=tomorrow)

    assert alerts(acme) == [(DAILY, "recovered")]
    assert told(acme) == [("opened", DAILY)], "a day that ends is no news"

    spend(key=key, usd="12", at=tomorrow)
    tick(at=tomorrow + MINUTE)
    assert alerts(acme) == [(DAILY, "recovered"), (DAILY, "open")]


def test_counts_days_in_the_organizations_time_zone(slack: Channel, acme: Organization) -> None:
    tokyo = make.organization(slug="tokyo", time_zone="Asia/Tokyo")
    key = make.key(of=tokyo, user=make.user())[0]
    rule(of=tokyo)
    spend(key=key, usd="6", at=NOW.replace(hour=14))
    spend(key=key, usd="6", at=NOW.replace(hour=15))

    tick(at=NOW.replace(hour=16))

    assert alerts(tokyo) == []


def test_tells_each_user_and_each_model_apart(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    bob = make.key(of=acme, user=make.member(of=acme))[0]
    rule(of=acme, each="user")
    rule(of=acme, each="model")
    spend(key=key, usd="11", model="big")
    spend(key=bob, usd="7", model="small")

    tick()
    assert {title for title, _ in alerts(acme)} == {
        "User alice@example.org spending alert: $11.00 (limit: $10.00)",
        "Model big spending alert: $11.00 (limit: $10.00)",
    }

    spend(key=bob, usd="7", model="big")
    tick(at=NOW + MINUTE)
    assert alerts(acme)[-1][0] == "User bob@example.org spending alert: $14.00 (limit: $10.00)"
    assert len(alerts(acme)) == 3


def test_watches_one_project_user_key_model_or_tag(acme: Organization, key: ApiKey) -> None:
    other = make.project(of=acme, slug="other")
    mine = make.key(of=acme, user=make.member(of=acme), in_project=other)[0]
    spend(key=mine, usd="20", model="openai/x")
    for scope, target in (
        ("project", other.pk),
        ("user", mine.user_id),
        ("api_key", mine.pk),
        ("model", "openai/*"),
        ("project", key.project_id),
        ("user", key.user_id),
        ("api_key", key.pk),
        ("model", "anthropic/*"),
        ("tag", "nightly"),
    ):
        rule(of=acme, scope=scope, target=str(target))

    tick()

    assert [title.partition(" spending")[0] for title, _ in alerts(acme)] == [
        "Project other",
        "User bob@example.org",
        f"API key {mine.lookup_id}",
        "Model openai/*",
    ]


def test_tells_a_budgets_own_thresholds_and_each_higher_one(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    budget(of=acme, name="Team")
    rule(of=acme, kind="budget")
    for usd, at in (("55", 0), ("27", 1), ("1", 2), ("17", 3)):
        spend(key=key, usd=usd, at=NOW)
        tick(at=NOW + at * MINUTE)

    assert [title for _, title in told(acme)] == [
        "Budget Team: 55 % used",
        "Budget Team: 82 % used",
        "Budget Team: 100 % used",
    ]
    assert [row.level for row in Alert.objects.order_by("pk")] == ["info", "warning", "critical"]


def test_tells_only_the_highest_of_two_that_one_call_crossed(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    budget(of=acme, name="Team")
    rule(of=acme, kind="budget")
    tick()
    spend(key=key, usd="90")
    tick(at=NOW + MINUTE)
    tick(at=NOW + 2 * MINUTE)

    assert told(acme) == [("opened", "Budget Team: 90 % used")]
    assert Alert.objects.get().threshold == 80


def test_names_whose_share_of_a_plans_budget_is_used(key: ApiKey, acme: Organization) -> None:
    make.plan(usd_per_user="10")
    globex = make.organization(slug="globex", owner=make.user(name="carol"))
    rule(of=acme, kind="budget")
    rule(of=globex, kind="budget")
    spend(key=key, usd="6")

    tick()

    assert alerts(acme) == [("Budget House allowance (alice@example.org): 60 % used", "open")]
    assert Alert.objects.get().user == key.user
    assert alerts(globex) == []


def test_says_that_it_is_over_when_a_limit_is_raised(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    team = budget(of=acme, name="Team")
    rule(of=acme, kind="budget")
    spend(key=key, usd="85")
    tick()
    team.limit_amount = Decimal(1000)
    put_budget(budget=team, now=NOW)
    tick(at=NOW + MINUTE)

    assert alerts(acme) == [("Budget Team: 85 % used", "recovered")]
    assert [event for event, _ in told(acme)] == ["opened", "recovered"]


def test_says_that_it_is_over_when_spend_is_refunded(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    rule(of=acme)
    request = make.held_call(key=key, usd="12")
    make.charge(key=key, request=request, usd="12")
    tick()
    adjust(
        adjustment=Adjustment(acme, request, "refund", Decimal(-6), "billed twice", None), now=NOW
    )
    tick(at=NOW + MINUTE)

    assert [event for event, _ in told(acme)] == ["opened", "recovered"]


def test_is_over_when_its_budget_is_retired(acme: Organization, key: ApiKey) -> None:
    team = budget(of=acme, name="Team")
    rule(of=acme, kind="budget")
    spend(key=key, usd="85")
    tick()
    retire_budget(budget=team)
    tick(at=NOW + MINUTE)

    assert [state for _, state in alerts(acme)] == ["recovered"]


def test_tells_of_keys_that_expire_and_of_no_others(acme: Organization, slack: Channel) -> None:
    rule(of=acme, kind="key_expiry", warning_at=[Decimal(7)], critical_at=[Decimal(1)])
    user = make.user()
    soon = make.key(of=acme, user=user, name="Soon", expires_at=NOW + timedelta(days=5))[0]
    for name, days in (("Later", 30), ("Gone", -1)):
        make.key(of=acme, user=user, name=name, expires_at=NOW + timedelta(days=days))
    tick()
    assert alerts(acme) == [(f"API key {soon} expires in 5 days", "open")]

    tick(at=NOW + timedelta(days=4, hours=1))
    assert [event for event, _ in told(acme)] == ["opened", "opened"]

    ApiKey.objects.filter(pk=soon.pk).update(expires_at=NOW + timedelta(days=300))
    tick(at=NOW + timedelta(days=4, hours=2))
    assert {state for _, state in alerts(acme)} == {"recovered"}


def test_tells_of_a_rate_of_estimates_and_of_silence(acme: Organization, key: ApiKey) -> None:
    rule(of=acme, kind="spend_rate", warning_at=[Decimal(5)])
    rule(of=acme, kind="unconfirmed", warning_at=[Decimal(2)])
    silence = rule(of=acme, kind="no_data", critical_at=[Decimal(3)])
    AlertRule.objects.filter(pk=silence.pk).update(created_at=NOW)
    spend(key=key, usd="6", at=NOW - timedelta(hours=2))
    for minutes in (10, 20, 30):
        at = NOW - timedelta(minutes=minutes)
        request = make.held_call(key=key, usd="1", at=at)
        make.charge(key=key, request=request, usd="1", kind="estimate", at=at)
    make.charge(key=key, request=request, usd="0.5", at=NOW)
    tick()
    assert alerts(acme) == [
        ("2 calls charged as estimates that no provider has confirmed", "open"),
    ]

    spend(key=key, usd="4", at=NOW)
    tick(at=NOW + MINUTE)
    assert alerts(acme)[1:] == [("Spending $6.50 an hour (told from $5.00)", "open")]

    tick(at=NOW + timedelta(hours=4))
    assert alerts(acme)[1:] == [
        ("Spending $6.50 an hour (told from $5.00)", "recovered"),
        ("No calls for 3 hours", "open"),
    ]


def test_survives_a_clock_that_is_put_back(acme: Organization, key: ApiKey, slack: Channel) -> None:
    rule(of=acme)
    spend(key=key, usd="12")
    tick()
    tick(at=NOW + timedelta(days=2))
    assert tick(at=NOW + MINUTE) == 1, "it does not sleep until the wrong day comes"

    assert told(acme) == [("opened", DAILY)]
    assert Alert.objects.count() == 1


def test_looks_at_a_rule_anew_when_it_was_changed(
    acme: Organization, key: ApiKey, slack: Channel
) -> None:
    changed = rule(of=acme)
    spend(key=key, usd="12")
    tick()
    changed.critical_at = [Decimal(11)]
    changed.info_at = [Decimal(5)]
    put_rule(rule=changed, now=NOW + MINUTE)
    tick(at=NOW + MINUTE)

    assert [title for _, title in told(acme)] == [
        DAILY,
        "Daily spending alert: $12.00 (limit: $11.00)",
    ]


def test_closes_the_alerts_of_a_rule_that_is_switched_off(acme: Organization, key: ApiKey) -> None:
    off = rule(of=acme)
    spend(key=key, usd="12")
    tick()
    off.active = False
    put_rule(rule=off, now=NOW)

    assert [state for _, state in alerts(acme)] == ["recovered"]
    assert tick(at=NOW + MINUTE) == 0


def test_goes_on_with_the_others_when_one_rule_fails(
    acme: Organization, key: ApiKey, slack: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = rule(of=acme, name="Poisoned")
    rule(of=acme)
    spend(key=key, usd="12")
    write = checks._new_alert

    def fail(case: Any, *rest: Any) -> Alert:
        if case.rule.pk == poisoned.pk:
            raise ZeroDivisionError("poison")
        return write(case, *rest)

    monkeypatch.setattr(checks, "_new_alert", fail)
    tick()

    assert told(acme) == [("opened", DAILY)]
    poisoned.refresh_from_db()
    assert poisoned.last_error == "ZeroDivisionError: poison"
    assert poisoned.next_check_at > NOW


def test_writes_all_or_nothing(
    acme: Organization, key: ApiKey, slack: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after the alert and before its message has written neither."""
    rule(of=acme)
    spend(key=key, usd="12")

    def die(**_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(checks, "write_tellings", die)
        with pytest.raises(SystemExit):
            tick()
    assert (alerts(acme), told(acme), Watch.objects.count()) == ([], [], 0)

    tick()
    assert told(acme) == [("opened", DAILY)]


def test_refuses_a_second_alert_of_the_same_window_in_the_database(
    acme: Organization, key: ApiKey
) -> None:
    rule(of=acme)
    spend(key=key, usd="12")
    tick()
    alert = Alert.objects.get()
    alert.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        alert.save(force_insert=True)


def test_locks_no_balance(acme: Organization, key: ApiKey, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    budget(of=acme)
    rule(of=acme)
    rule(of=acme, kind="budget")
    spend(key=key, usd="85")
    with CaptureQueriesContext(connection) as asked:
        tick()

    locking = [query["sql"] for query in asked if "FOR UPDATE" in query["sql"].upper()]
    assert locking
    assert all('FROM "budgets_alertrule"' in sql for sql in locking)


def test_gives_every_organization_the_ready_made_rules_once(
    acme: Organization, key: ApiKey
) -> None:
    bob = make.key(of=acme, user=make.member(of=acme))[0]
    assert prepare_organizations(now=NOW) == 1
    assert prepare_organizations(now=NOW) == 0
    spend(key=key, usd="55", model="big")
    spend(key=bob, usd="46", model="small")

    tick()

    assert sorted(title for title, _ in alerts(acme)) == [
        "Daily spending alert: $101.00 (limit: $100.00)",
        "Model big spending alert: $55.00 (limit: $50.00)",
        "User alice@example.org spending alert: $55.00 (limit: $10.00)",
        "User bob@example.org spending alert: $46.00 (limit: $10.00)",
    ]
    assert Channel.objects.get().settings["roles"] == ["owner", "admin"]
    assert AlertRule.objects.get(ready_made="user").warning_at == [10]


@pytest.mark.parametrize(
    "wrong",
    [
        {"warning_at": []},
        {"scope": "user", "target": ""},
        {"target": "7"},
        {"quiet_from": time(9)},
        {"kind": "nonsense"},
        {"kind": "no_data", "each": "user", "warning_at": [Decimal(1)]},
        {"kind": "budget", "scope": "project", "target": "7", "each": "user"},
        {
            "kind": "error_rate",
            "scope": "project",
            "target": "7",
            "each": "model",
            "warning_at": [Decimal(20)],
        },
        {"check_every_s": 1},
    ],
)
def test_refuses_a_rule_that_is_not_valid(acme: Organization, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(of=acme, **wrong)


def test_refuses_channels_and_budgets_of_others(acme: Organization) -> None:
    globex = make.organization(slug="globex", owner=make.user(name="carol"))
    with pytest.raises(ValidationError):
        put_rule(rule=rule(of=acme), now=NOW, channels=[channel(of=globex)])
    with pytest.raises(ValidationError):
        rule(of=acme, kind="budget", budget=budget(of=globex))


def test_reads_instants_of_any_year(acme: Organization) -> None:
    rule(of=acme)

    assert tick(at=datetime(2040, 1, 1, tzinfo=UTC)) == 1
