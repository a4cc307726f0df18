"""Every page of the admin: it opens, asks no more for more rows, and keeps to the strict CSP."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from budgets.alerts.models import Observation, Watch
from budgets.health.models import Tick
from budgets.holds.models import Hold, IdempotencyKey, JournalEntry, Seal, SealedUntil
from budgets.holds.operations import raise_limit
from budgets.limits.models import Balance, Budget, LimitRaise
from budgets.plans.models import Plan
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User
from tests import make
from tests.admin_pages import list_of, new, page_of, staff, submit, superuser, text_of
from tracking.anomalies.models import Anomaly
from tracking.exports.models import Export, ExportPart
from tracking.gateway.connections import connect_provider, put_alias
from tracking.gateway.models import (
    Alias,
    AliasTarget,
    CachedAnswer,
    Provider,
    RefusedCalls,
    RouteEdition,
    RouteHealth,
    StoredAnswer,
)
from tracking.ledger.models import CostRecord
from tracking.pricing.models import CatalogModel, Price, PriceBookEdition, PriceRule
from tracking.reports.models import Edition, Report
from tracking.usage.models import (
    DayUsage,
    FillState,
    LabelUsage,
    QuarterHourUsage,
    Series,
    UsageZone,
)

pytestmark = pytest.mark.django_db

OURS = [
    Alias,
    ApiKey,
    Balance,
    Budget,
    CatalogModel,
    CostRecord,
    Export,
    Hold,
    IdempotencyKey,
    JournalEntry,
    LimitRaise,
    Membership,
    Organization,
    Plan,
    Price,
    PriceRule,
    Project,
    Provider,
    Report,
    RouteHealth,
    Seal,
    Tick,
    User,
]
MADE_BY_HAND = [
    Alias,
    Budget,
    CatalogModel,
    Membership,
    Organization,
    Plan,
    Project,
    Provider,
    User,
    ApiKey,
]
JOURNALS = [Balance, CostRecord, Hold, JournalEntry]

_numbers = itertools.count(1)


def add_a_row_everywhere() -> None:
    """Make a tenant of its own with one row in every table."""
    number = next(_numbers)
    owner = make.user(name=f"owner{number}")
    plan = make.plan(code=f"plan{number}", usd_per_user="100")
    organization = make.organization(slug=f"tenant{number}", owner=owner, on_plan=plan)
    Membership.objects.filter(user=owner).update(plan=plan)
    project = make.project(of=organization, slug=f"project{number}")
    key, _ = make.key(of=organization, user=owner, in_project=project)
    for scope, target in (("user", owner), ("project", project), ("api_key", key)):
        make.budget(limit="50", organization=organization, scope=scope, target=str(target.pk))
    make.budget(limit="70", organization=organization, each="project")
    make.call(key=key, model=f"model-{number}", tags=["night"], metadata={"ticket": "A-1"})
    make.held_call(key=key, usd="0.5")
    add_a_route(organization, number)
    PriceRule.objects.create(organization=organization, factor="0.8", valid_from=make.NOW)
    Tick.objects.create(job=f"job-{number}", ran_at=make.NOW)
    add_what_alerts_are_told_from(key)
    add_what_only_operations_write(key)
    add_what_was_ordered(key)


def add_what_alerts_are_told_from(key: ApiKey) -> None:
    """Make an anomaly, and a count of refused calls."""
    Anomaly.objects.create(
        organization=key.organization,
        subject_kind="api_key",
        subject=str(key.pk),
        began_on=make.NOW.date(),
        last_on=make.NOW.date(),
        starts_at=make.NOW,
        ends_at=make.NOW,
        cost_usd=Decimal(9),
        usual_usd=Decimal(1),
        found_at=make.NOW,
    )
    RefusedCalls.objects.create(
        organization=key.organization,
        api_key_id=key.pk,
        model="gpt-4o-mini",
        code="budget_exceeded",
        starts_at=make.NOW,
        calls=3,
    )


def add_what_only_operations_write(key: ApiKey) -> None:
    """Make a raise, a seal and a name of a request."""
    organization = key.organization
    limit_raise = LimitRaise(
        budget=Budget.objects.for_organization(organization).latest("pk"),
        organization=organization,
        amount=Decimal(5),
        starts_at=make.NOW,
        ends_at=make.NOW + timedelta(days=1),
        reason="Launch week",
        made_by=key.user,
        made_at=make.NOW,
    )
    raise_limit(limit_raise=limit_raise)
    Seal.objects.create(
        organization=organization,
        hour=make.NOW,
        entries=1,
        previous=b"",
        digest=bytes(32),
        sealed_at=make.NOW,
    )
    IdempotencyKey.objects.create(
        api_key=key,
        name="order-7",
        fingerprint="0" * 64,
        request_id=make.request_id(),
        claimed_at=make.NOW,
    )


def add_what_was_ordered(key: ApiKey) -> None:
    """Make a file and a report that somebody ordered."""
    Export.objects.create(
        id=make.request_id(),
        organization=key.organization,
        user=key.user,
        what="calls",
        form="csv",
        file_name="costsite-calls.csv",
        wanted={},
        rows=1,
        created_at=make.NOW,
    )
    Report.objects.create(
        organization=key.organization,
        user=key.user,
        rhythm="weekly",
        next_due_at=make.NOW,
        since_on=make.NOW.date(),
    )


def add_a_route(organization: Organization, number: int) -> None:
    """Make a provider that has failed, and an alias that names it."""
    provider = connect_provider(
        name=f"provider-{number}", organization=organization, key="sk-secret"
    )
    model = CatalogModel.objects.get(name=f"model-{number}")
    put_alias(
        alias=Alias(name=f"alias-{number}", organization=organization),
        targets=[AliasTarget(model=model, provider=provider)],
    )
    RouteHealth.objects.create(
        provider=provider, model=model.name, failures=1, code="timeout", failed_at=make.NOW
    )


def newest(model: type[Model]) -> Model:
    return model._default_manager.order_by("-pk")[0]


def queries_of_lists(client: Client) -> dict[str, int]:
    counted = {}
    for model in OURS:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, list_of(model))
        counted[model.__name__] = len(queries)
    return counted


def test_lists_more_rows_with_no_more_queries() -> None:
    client = superuser()
    add_a_row_everywhere()
    queries_of_lists(client)

    of_one = queries_of_lists(client)
    for _ in range(4):
        add_a_row_everywhere()

    assert queries_of_lists(client) == of_one


def test_never_counts_a_table_that_grows_without_end() -> None:
    client = superuser()
    add_a_row_everywhere()
    slug = Organization.objects.get().slug

    with CaptureQueriesContext(connection) as queries:
        for model in JOURNALS:
            html = text_of(client, f"{list_of(model)}?organization={slug}&q={slug}")
            assert re.search(r"\d shown", html), model

    assert not [query["sql"] for query in queries if "count(" in query["sql"].lower()]


def test_opens_the_page_of_every_row() -> None:
    add_a_row_everywhere()
    client = superuser()

    for model in OURS:
        row = newest(model)
        assert escape(str(row)) in text_of(client, page_of(row)), model


def test_opens_the_page_of_a_new_row() -> None:
    client = superuser()

    for model in MADE_BY_HAND:
        assert "_save" in text_of(client, new(model)), model


def test_lets_nobody_write_history() -> None:
    add_a_row_everywhere()
    client = superuser()

    for model in (
        *JOURNALS,
        IdempotencyKey,
        LimitRaise,
        Price,
        PriceBookEdition,
        RouteEdition,
        RouteHealth,
        Seal,
        Tick,
    ):
        row = newest(model)
        assert client.get(new(model)).status_code == 403, model
        assert client.post(page_of(row), {}).status_code == 403, model
        assert client.post(deletion_of(row), {"post": "yes"}).status_code == 403, model
        assert "delete_selected" not in text_of(client, list_of(model)), model


def test_deletes_nothing_that_the_journal_names() -> None:
    add_a_row_everywhere()
    client = superuser()

    for model in (ApiKey, Budget, CatalogModel, Organization, Plan, Project, User):
        row = newest(model)
        assert client.post(deletion_of(row), {"post": "yes"}).status_code == 403, model
        assert "delete_selected" not in text_of(client, list_of(model)), model


def deletion_of(row: Model) -> str:
    return page_of(row).replace("/change/", "/delete/")


def test_keeps_script_and_style_out_of_every_page() -> None:
    add_a_row_everywhere()
    client = superuser()
    addresses = [
        *(list_of(model) for model in OURS),
        *(page_of(newest(model)) for model in OURS),
        *(new(model) for model in MADE_BY_HAND),
    ]

    for address in addresses:
        html = text_of(client, address)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html), address
        for script in re.findall(r"<script([^>]*)>", html):
            assert " src=" in script or "application/json" in script, address


def test_registers_every_model() -> None:
    ours = {
        *apps.get_app_config("budgets").get_models(),
        *apps.get_app_config("tracking").get_models(),
    }
    # The tables of changes are read together; the others hold one number, stand on the page of what
    # they belong to, are what nobody may read, or only sum up what the journal and the rules say.
    ours -= {model for model in ours if hasattr(model, "pgh_tracked_model")}
    ours -= {AliasTarget, CachedAnswer, SealedUntil, StoredAnswer}
    ours -= {DayUsage, FillState, LabelUsage, QuarterHourUsage, Series, UsageZone}
    ours -= {Edition, ExportPart, Observation, Watch}

    assert [model for model in ours if not admin.site.is_registered(model)] == []


def test_shows_staff_only_what_they_may_view() -> None:
    add_a_row_everywhere()
    nobody = staff()
    viewer = staff(*(f"view_{model._meta.model_name}" for model in OURS), name="viewer")

    for model in OURS:
        row = newest(model)
        assert nobody.get(list_of(model)).status_code == 403, model
        assert nobody.get(page_of(row)).status_code == 403, model
        text_of(viewer, list_of(model))
        assert 'name="_save"' not in text_of(viewer, page_of(row)), model
        assert viewer.post(page_of(row), {}).status_code == 403, model


def test_pages_by_cursor_from_the_newest_on() -> None:
    key, _ = make.key(of=make.organization(), user=make.user())
    for second in range(52):
        make.held_call(key=key, usd="0.000001", at=make.NOW + timedelta(seconds=second))
    client = superuser()

    first = client.get(list_of(Hold), {"organization": "acme"}).context["cl"]
    assert [hold.admitted_at.second for hold in first.result_list[:2]] == [51, 50]
    assert len(first.result_list) == 50
    second = client.get(list_of(Hold) + first.older).context["cl"]
    assert [hold.admitted_at.second for hold in second.result_list] == [1, 0]
    assert second.older is None
    assert "before" not in second.newest
    assert "organization=acme" in second.newest


def test_answers_a_broken_cursor_with_the_first_page() -> None:
    make.held_call(key=make.key(of=make.organization(), user=make.user())[0], usd="1")

    for cursor in ("nonsense", "", "1'--"):
        response = superuser().get(list_of(Hold), {"before": cursor}, follow=True)
        assert response.status_code == 200


def test_saving_a_page_unchanged_changes_nothing() -> None:
    add_a_row_everywhere()
    client = superuser()
    before = rows_of_everything()

    for model in MADE_BY_HAND:
        assert submit(client, page_of(newest(model))).status_code == 302, model

    assert rows_of_everything() == before


def rows_of_everything() -> dict[str, list[dict[str, Any]]]:
    """Read every table but the columns that say when a row was last saved."""
    rows = {model.__name__: list(model._default_manager.order_by("pk").values()) for model in OURS}
    for row in itertools.chain(*rows.values()):
        row.pop("updated_at", None)
        row.pop("last_login", None)
    return rows
