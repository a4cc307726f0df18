"""Two beats, or two workers, at the same moment: one alert, and its message once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet

from budgets.alerts import checks
from budgets.alerts.models import Alert, AlertRule, Channel, Delivery
from budgets.alerts.operations import put_channel, put_rule
from budgets.tenancy.models import Organization
from tests import make
from tests.budgets.alerts.things import SLACK_URL, spend
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("committed_db")

WORKERS = 6
RULES = 8


@pytest.fixture
def acme(committed_db: None) -> Organization:
    """An organization with rules that are crossed, and a channel."""
    name = uuid4().hex[:12]
    acme = make.organization(slug=name, on_plan=make.plan(code=name))
    channel = Channel(organization=acme, name="Slack", kind="slack")
    put_channel(channel=channel, given={"url": SLACK_URL})
    for number in range(RULES):
        rule = AlertRule(organization=acme, name=f"Rule {number}", kind=AlertRule.Kind.SPEND)
        rule.warning_at = [Decimal(10)]
        put_rule(rule=rule, now=NOW)
    spend(key=make.key(of=acme, user=make.user())[0], usd="12")
    return acme


@pytest.fixture
def without_guards(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the locks and the constraints away; they are back afterwards."""

    def unlocked(now: Any) -> QuerySet[AlertRule]:
        barrier.wait(20)
        return due(now)

    def lockless(self: QuerySet[Any], **_: Any) -> QuerySet[Any]:
        return self.all()

    barrier = threading.Barrier(WORKERS)
    due = checks._due
    monkeypatch.setattr(checks, "_due", unlocked)
    monkeypatch.setattr(QuerySet, "select_for_update", lockless)
    with connection.cursor() as cursor:
        cursor.execute("alter table budgets_alert drop constraint alert_once")
        yield
        cursor.execute("delete from budgets_delivery where organization_id = %s", [acme.pk])
        cursor.execute("delete from budgets_alert where organization_id = %s", [acme.pk])
        cursor.execute(
            "alter table budgets_alert add constraint alert_once"
            " unique (rule_id, subject, window_start, threshold)"
        )


def at_once(work: Callable[[], Any]) -> list[Any]:
    """Do work in threads at once, each on a connection of its own."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # Told by the test's own thread.
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    return results


def alerts_of(acme: Organization) -> int:
    return Alert.objects.for_organization(acme).count()


def deliveries_of(acme: Organization) -> list[Delivery]:
    return list(Delivery.objects.for_organization(acme))


@pytest.mark.usefixtures("without_guards")
def test_tells_twice_with_the_guards_off(acme: Organization) -> None:
    at_once(lambda: checks.check_due(now=NOW))

    assert alerts_of(acme) > RULES
    assert len(deliveries_of(acme)) > RULES


def test_tells_once_however_many_look_at_the_same_moment(acme: Organization) -> None:
    for _ in range(3):
        at_once(lambda: checks.check_due(now=NOW, most=3))
    while checks.check_due(now=NOW):
        pass

    assert alerts_of(acme) == RULES
    assert len(deliveries_of(acme)) == RULES
