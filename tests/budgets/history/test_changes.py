"""The history of configuration: who changed what, and what it was before."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from budgets.history.admin import tracked_models
from budgets.history.models import Change
from budgets.history.queries import changes, changes_of, tell
from budgets.limits.models import Budget
from budgets.plans.models import Plan
from budgets.tenancy.models import ApiKey, Membership, Organization
from budgets.tenancy.operations import remove_member, rotate_key
from tests import make
from tests.admin_pages import list_of, page_of, staff, submit, superuser, text_of
from tracking.gateway.connections import connect_provider, set_provider_key
from tracking.pricing.models import PriceRule

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    return make.organization()


@pytest.fixture
def budget(acme: Organization) -> Budget:
    return make.budget(limit="10", organization=acme, name="Lid")


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user())[0]


def events() -> int:
    return changes().count()


def test_keeps_what_a_queryset_changes(budget: Budget) -> None:
    Budget.objects.filter(pk=budget.pk).update(limit_amount=Decimal("12.000000000001"))

    last, first = tell(changes_of(budget))
    assert (first.did, last.did) == ("added", "changed")
    assert last.lines == [("limit amount", "10", "12.000000000001")]
    assert last.by == "-"


def test_keeps_what_plain_sql_changes(budget: Budget) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update budgets_budget set active = false where id = %s", [budget.pk])

    assert tell(changes_of(budget))[0].lines == [("active", "yes", "no")]


def test_keeps_what_was_deleted(acme: Organization) -> None:
    bob = make.member(of=acme)
    member = Membership.objects.get(user=bob)
    remove_member(membership=Membership.objects.get(user=bob))

    last = tell(changes_of(member))[0]
    assert last.did == "deleted"
    assert ("user", "bob@example.org", None) in last.lines


@pytest.mark.parametrize("statement", ["update {} set name = 'x'", "delete from {}"])
def test_takes_no_change_itself(budget: Budget, statement: str) -> None:
    with (
        pytest.raises(ProgrammingError, match="pgtrigger"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format("budgets_budgetevent"))

    assert len(changes_of(budget)) == 1


def test_keeps_no_secret(key: ApiKey) -> None:
    digest = bytes(key.secret_digest).hex()
    rotate_key(key=key, overlap=timedelta(hours=1), now=make.NOW)
    provider = connect_provider(name="mine", key="sk-secret")
    set_provider_key(provider=provider, key="sk-other")

    for name in ("budgets.ApiKeyEvent", "tracking.ProviderEvent"):
        kept = {field.name for field in apps.get_model(name)._meta.fields}
        assert not kept & {"secret_digest", "previous_digest", "sealed_key", "last_used_at"}
    told = json.dumps([change.pgh_data for change in changes()])
    assert digest not in told
    assert "sk-" not in told
    rotated = tell(changes_of(key))[0]
    assert {name for name, *_ in rotated.lines} == {"last four", "previous expires at"}


def test_names_who_changed_it_in_the_admin(budget: Budget) -> None:
    client = superuser()
    assert submit(client, page_of(budget), limit_amount="12.5").status_code == 302

    last = tell(changes_of(budget))[0]
    assert last.by == "root@example.org"
    assert last.page == page_of(budget)
    for address in (list_of(Change), page_of(budget).replace("/change/", "/history/")):
        html = text_of(client, address)
        assert "root@example.org" in html
        assert "<del>10</del> → <ins>12.5</ins>" in html


def test_shows_the_history_of_a_row_only_to_who_may_see_it(budget: Budget) -> None:
    address = page_of(budget).replace("/change/", "/history/")

    assert staff().get(address).status_code == 403
    assert "Lid" in text_of(staff("view_budget", name="viewer"), address)
    assert staff("view_budget", name="other").get(list_of(Change)).status_code == 403


def test_filters_changes_and_leads_to_each(budget: Budget) -> None:
    Plan.objects.update(name="Renamed")
    client = superuser()

    plans = text_of(client, f"{list_of(Change)}?of=budgets.Plan&did=update")
    assert "Renamed" in plans
    assert "Budget Lid" not in plans
    change = changes_of(budget).get()
    html = text_of(client, page_of(change))
    assert "Budget Lid" in html
    assert "_save" not in html
    deletion = page_of(change).removesuffix("change/") + "delete/"
    assert client.post(deletion, {"post": "yes"}).status_code == 403


def test_lists_a_change_whose_value_has_parts() -> None:
    PriceRule.objects.create(
        model_pattern="openai/gpt-4o",
        rates={
            "input": "0.0000001",
            "cached_input": None,
            "tiers": [{"above": 200_000, "input": "0.0000002"}],
        },
        valid_from=make.NOW,
    )

    listed = text_of(superuser(), list_of(Change))
    assert "input: 0.0000001; tiers: above: 200000; input: 0.0000002" in listed


def test_lists_more_changes_with_no_more_queries(acme: Organization) -> None:
    client = superuser()
    make.budget(limit="1", organization=acme)
    counted = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            text_of(client, list_of(Change))
        counted.append(len(queries))
        for _ in range(5):
            make.budget(limit="1", organization=acme)

    assert counted[0] == counted[1]


def test_tracks_configuration_and_no_hot_table() -> None:
    assert {model.__name__ for model in tracked_models()} == {
        "AlertRule",
        "Alias",
        "AliasTarget",
        "ApiKey",
        "Budget",
        "Channel",
        "LimitRaise",
        "Membership",
        "Organization",
        "Plan",
        "PriceRule",
        "Project",
        "Provider",
        "RaiseRequest",
    }


def test_costs_a_call_nothing(acme: Organization, budget: Budget, key: ApiKey) -> None:
    make.price()
    before = events()

    make.call(key=key)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=make.NOW)

    assert events() == before
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
            " where t.tgname like 'pgtrigger_%%'"
        )
        tables = {row[0] for row in cursor.fetchall()}
    tracked = tracked_models()
    assert tables == {
        model._meta.db_table
        for model in apps.get_models()
        if model in tracked or getattr(model, "pgh_tracked_model", None)
    }
