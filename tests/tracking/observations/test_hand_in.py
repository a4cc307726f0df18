"""What only tracking knows reaches the rules: each kind from the rows it is told from to an alert."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from budgets.alerts.models import Alert, Observation
from budgets.core.sql import read_sql
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.budgets.alerts.things import MINUTE, alerts, budget, rule, tick
from tests.make import NOW
from tests.tracking.anomalies.things import anomaly
from tracking.gateway.models import Provider, RefusedCalls, RouteHealth
from tracking.ledger.models import CostRecord
from tracking.observations.operations import hand_in, hand_in_outlooks, sweep_refusals
from tracking.pricing.usage import Usage
from tracking.usage.operations import fill

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def calls(key: ApiKey, number: int, **fields: Any) -> None:
    for n in range(number):
        make.call(key=key, at=NOW - (n + 1) * MINUTE, **fields)


def failed(key: ApiKey, number: int, **fields: Any) -> None:
    calls(key, number, outcome=CostRecord.Outcome.FAILED, status=502, **fields)


def observed(kind: str) -> dict[tuple[str, str], Decimal | None]:
    rows = Observation.objects.filter(kind=kind).order_by("pk")
    return {(row.subject_kind, row.subject): row.value for row in rows}


def look(*, at: Any = NOW) -> None:
    fill(now=at)
    hand_in(now=at)
    tick(at=at)


def test_tells_that_calls_fail_and_that_they_work_again(acme: Organization, alice: ApiKey) -> None:
    rule(of=acme, kind="error_rate", warning_at=[Decimal(20)])
    calls(alice, 9)
    failed(alice, 3)
    look()

    assert alerts(acme) == [("25 % of calls fail", "open")]
    assert ["Failed", "3 of 12 calls of the last hour"] in Alert.objects.get().facts
    look(at=NOW + 2 * HOUR)
    assert alerts(acme) == [("25 % of calls fail", "recovered")]


def test_tells_nothing_of_a_handful_of_calls(acme: Organization, alice: ApiKey) -> None:
    rule(of=acme, kind="error_rate", warning_at=[Decimal(20)])
    failed(alice, 9)
    look()

    assert observed("error_rate") == {}


@pytest.mark.parametrize("each", ["project", "user", "api_key", "model", "tag"])
def test_tells_failures_of_each_that_is_asked_for(
    acme: Organization, alice: ApiKey, each: str
) -> None:
    rule(of=acme, kind="error_rate", each=each, warning_at=[Decimal(20)])
    failed(alice, 10, tags=["team:a"])
    look()

    ids = {
        "project": str(alice.project_id),
        "user": str(alice.user_id),
        "api_key": str(alice.pk),
        "model": "gpt-4o-mini",
        "tag": "team:a",
    }
    assert observed("error_rate") == {(each, ids[each]): Decimal(100)}
    assert [state for _, state in alerts(acme)] == ["open"]


def refuse(key: ApiKey, calls: int, code: str = "budget_exceeded", **fields: Any) -> None:
    RefusedCalls.objects.create(
        organization=key.organization,
        api_key_id=key.pk,
        calls=calls,
        code=code,
        **{"model": "gpt-4o-mini", "starts_at": NOW - MINUTE} | fields,
    )


def test_counts_refused_calls_with_their_reasons(acme: Organization, alice: ApiKey) -> None:
    rule(of=acme, kind="refusals", warning_at=[Decimal(5)])
    refuse(alice, 4)
    refuse(alice, 2, code="rate_limit_exceeded")
    refuse(alice, 9, starts_at=NOW - 2 * HOUR)
    look()

    assert alerts(acme) == [("6 calls refused", "open")]
    (alert,) = Alert.objects.all()
    assert ["Refused for", "budget_exceeded (4), rate_limit_exceeded (2)"] in alert.facts


def test_tells_of_each_model_without_a_price(acme: Organization, alice: ApiKey) -> None:
    rule(of=acme, kind="unpriced", warning_at=[Decimal(1)])
    refuse(alice, 3, code="model_not_priced", model="mystery")
    refuse(alice, 3)
    look()

    assert alerts(acme) == [("Model mystery: 3 calls of a model without a price", "open")]


def down(provider: Provider, *, since: Any, **fields: Any) -> None:
    RouteHealth.objects.create(
        provider=provider,
        failures=5,
        failed_at=NOW,
        down_since=since,
        **{"model": "gpt-4o-mini", "code": "provider_error", "cools_until": NOW + MINUTE} | fields,
    )


def test_tells_that_a_provider_is_down_to_those_who_call_it(
    acme: Organization, alice: ApiKey
) -> None:
    other = make.organization(slug="other")
    for one in (acme, other):
        rule(of=one, kind="provider_down", critical_at=[Decimal(5)])
    calls(alice, 1)
    openai = Provider.objects.create(name="openai", label="europe")
    down(openai, since=NOW - 7 * MINUTE)
    look()

    assert alerts(acme) == [("Provider openai (europe): down for 7 minutes", "open")]
    assert alerts(other) == []
    RouteHealth.objects.update(down_since=None)
    look(at=NOW + MINUTE)
    assert alerts(acme)[0][1] == "recovered"


def note(statement: str, provider: Provider, **values: Any) -> RouteHealth:
    asked: dict[str, Any] = {"provider": provider.pk, "model": "gpt-4o-mini"} | values
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.gateway", statement), asked)
    return RouteHealth.objects.get()


def test_is_down_from_the_first_cool_down_until_it_answers() -> None:
    openai = Provider.objects.create(name="openai")

    def fail(minute: int, *, cools: bool = True) -> RouteHealth:
        at = NOW + minute * MINUTE
        until = at + MINUTE if cools else None
        values = {"now": at, "failures": 1, "code": "provider_error", "cools_until": until}
        return note("note_failure", openai, **values)

    assert fail(0, cools=False).down_since is None
    assert fail(1).down_since == NOW + MINUTE
    assert fail(5).down_since == NOW + MINUTE
    assert note("note_recovery", openai, now=NOW + 6 * MINUTE).down_since is None
    assert fail(7, cools=False).down_since is None
    assert fail(8).down_since == NOW + 8 * MINUTE


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "provider_rate_limited"},
        {"cools_until": NOW - 2 * HOUR},
        {"since": None},
    ],
)
def test_takes_for_up_what_limits_or_was_not_tried(
    acme: Organization, alice: ApiKey, fields: dict[str, Any]
) -> None:
    rule(of=acme, kind="provider_down", critical_at=[Decimal(5)])
    calls(alice, 1)
    down(Provider.objects.create(name="openai"), **{"since": NOW - HOUR} | fields)
    look()

    assert alerts(acme) == []


def test_an_own_provider_stands_in_place_of_the_sites(acme: Organization, alice: ApiKey) -> None:
    rule(of=acme, kind="provider_down", critical_at=[Decimal(5)])
    calls(alice, 1)
    Provider.objects.create(name="openai", organization=acme)
    down(Provider.objects.create(name="openai"), since=NOW - HOUR)
    look()

    assert alerts(acme) == []


# A dollar at the price of the tests' model.
DOLLAR = Usage(input_tokens=6_666_667)


def spend(key: ApiKey, *, days: int, today: int = 0) -> None:
    for ago in range(1, days + 1):
        make.call(key=key, at=NOW - timedelta(days=ago), used=DOLLAR)
    for n in range(today):
        make.call(key=key, at=NOW - n * MINUTE, used=DOLLAR)


def outlook() -> None:
    fill(now=NOW)
    hand_in_outlooks(now=NOW)
    tick()


def test_tells_that_a_budget_will_not_last(acme: Organization, alice: ApiKey) -> None:
    budget(of=acme, limit="20", name="Team", thresholds=[])
    rule(of=acme, kind="forecast", warning_at=[Decimal(100)])
    rule(of=acme, kind="runs_out", warning_at=[Decimal(5)])
    spend(alice, days=28)
    outlook()

    assert alerts(acme) == [
        ("Budget Team: forecast to use 152.5 % of its limit before its window ends", "open"),
        ("Budget Team is forecast to run out in 3 days", "open"),
    ]


def test_tells_each_users_share_of_a_budget(acme: Organization, alice: ApiKey) -> None:
    bob, _ = make.key(of=acme, user=make.member(of=acme))
    budget(of=acme, limit="20", name="Each", each="user", thresholds=[])
    rule(of=acme, kind="forecast", scope="user", target=str(bob.user_id), warning_at=[Decimal(90)])
    spend(alice, days=28)
    spend(bob, days=28)
    outlook()

    shares = observed("forecast")
    assert len(shares) == 2
    assert all(value is not None and 140 < value < 160 for value in shares.values())
    ((title, _),) = alerts(acme)
    assert "bob@example.org" in title


def test_tells_no_forecast_before_two_weeks(acme: Organization, alice: ApiKey) -> None:
    budget(of=acme, limit="20", thresholds=[])
    rule(of=acme, kind="forecast", warning_at=[Decimal(50)])
    spend(alice, days=10)
    outlook()

    assert observed("forecast") == {}


def test_asks_for_nothing_that_no_rule_wants(
    acme: Organization, alice: ApiKey, django_assert_max_num_queries: Any
) -> None:
    failed(alice, 10)
    fill(now=NOW)

    with django_assert_max_num_queries(5):
        hand_in(now=NOW)
    assert not Observation.objects.exists()


def test_takes_no_more_statements_for_more_organizations() -> None:
    """Counted after a first time, which writes what the later ones only update."""
    counted = []
    for slugs in (["one"], ["two", "three", "four"]):
        for slug in slugs:
            one = make.organization(slug=slug)
            for kind in ("error_rate", "refusals", "unpriced", "provider_down", "anomaly"):
                rule(of=one, kind=kind, warning_at=[Decimal(1)])
            key, _ = make.key(of=one, user=make.user())
            failed(key, 10)
            refuse(key, 3)
            anomaly(one)
            anomaly(one, "api_key", str(key.pk))
        fill(now=NOW)
        hand_in(now=NOW)
        with CaptureQueriesContext(connection) as queries:
            hand_in(now=NOW)
        counted.append(len(queries))

    assert counted[0] == counted[1]
    assert len(observed("error_rate")) == 1, "by organization, and these have the same subject"
    for kind, number in (("error_rate", 4), ("anomaly", 8)):
        assert Observation.objects.filter(kind=kind, value__isnull=False).count() == number


def test_forgets_old_refusals(alice: ApiKey) -> None:
    refuse(alice, 1)
    refuse(alice, 1, starts_at=NOW - timedelta(days=40))

    assert sweep_refusals(now=NOW) == 1
    assert RefusedCalls.objects.count() == 1
