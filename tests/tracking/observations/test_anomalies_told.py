"""Unusual spend becomes an alert, once, with its cause and the way to the calls."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgets.alerts.models import Alert
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.budgets.alerts.things import alerts, rule, tick
from tests.make import NOW
from tests.tracking.anomalies.things import anomaly
from tracking.observations.operations import hand_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user(), name="Nightly batch")[0]


def look(*, at: Any = NOW) -> None:
    hand_in(now=at)
    tick(at=at)


def test_is_told_once_with_its_cause_and_its_calls(acme: Organization, key: ApiKey) -> None:
    rule(of=acme, kind="anomaly", warning_at=[Decimal(10)])
    whole = anomaly(acme)
    anomaly(acme, "api_key", str(key.pk), part_of=whole)
    for minute in range(3):
        look(at=NOW + timedelta(minutes=minute))

    assert alerts(acme) == [("Unusual spend, $42.00 above the usual", "open")]
    (alert,) = Alert.objects.all()
    assert alert.facts[2:] == [
        ["Spent", "$50.00 from 18 Mar 2026 11:00 UTC to 18 Mar 2026 12:00 UTC"],
        ["Usual", "$8.00"],
        ["Because of", "API key Nightly batch: $40.00 more (new)"],
        [
            "Calls",
            "http://testserver/spending/calls/?organization=acme&from=2026-03-18&to=2026-03-18",
        ],
    ]


def test_tells_each_key_to_who_asks_for_keys(acme: Organization, key: ApiKey) -> None:
    rule(of=acme, kind="anomaly", each="api_key", warning_at=[Decimal(10)])
    whole = anomaly(acme)
    anomaly(acme, "api_key", str(key.pk), part_of=whole)
    look()

    assert alerts(acme) == [
        ("API key Nightly batch: unusual spend, $42.00 above the usual", "open")
    ]
    (alert,) = Alert.objects.all()
    assert alert.facts[-1][1].endswith(f"&key={key.pk}")


def test_names_a_part_that_stands_for_itself(acme: Organization, key: ApiKey) -> None:
    rule(of=acme, kind="anomaly", warning_at=[Decimal(10)])
    anomaly(acme, "api_key", str(key.pk))
    look()

    assert alerts(acme) == [
        ("API key Nightly batch: unusual spend, $42.00 above the usual", "open")
    ]


def test_leaves_small_ones_to_the_page(acme: Organization) -> None:
    rule(of=acme, kind="anomaly", warning_at=[Decimal(100)])
    anomaly(acme)
    look()

    assert alerts(acme) == []


def test_is_over_when_two_days_are_as_usual(acme: Organization) -> None:
    rule(of=acme, kind="anomaly", warning_at=[Decimal(10)])
    anomaly(acme)
    look()
    look(at=NOW + timedelta(days=1))
    assert alerts(acme)[0][1] == "open"

    look(at=NOW + timedelta(days=2))
    assert alerts(acme)[0][1] == "recovered"


def test_another_one_is_told_anew(acme: Organization) -> None:
    rule(of=acme, kind="anomaly", warning_at=[Decimal(10)])
    anomaly(acme, began_on=date(2026, 3, 10), last_on=date(2026, 3, 10))
    look(at=NOW - timedelta(days=8))
    anomaly(acme)
    look()

    assert [state for _, state in alerts(acme)] == ["recovered", "open"]
