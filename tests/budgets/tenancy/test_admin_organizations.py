"""Organizations, members and projects in the admin."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from budgets.core.clock import now
from budgets.holds.operations import hold
from budgets.holds.queries import differences
from budgets.holds.terms import HoldRequest
from budgets.limits.models import Balance
from budgets.tenancy.models import ApiKey, Membership, Organization, Project
from tests import make
from tests.admin_pages import act, list_of, new, page_of, staff, submit, superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    return make.organization()


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user())[0]


def asked(key: ApiKey, usd: str = "0.1") -> str:
    """Ask for a hold by the database's own clock, as a call does."""
    request = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(usd),
        least_usd=Decimal(usd),
        tokens=10,
        ttl_s=60,
    )
    return hold(request=request).code


def test_makes_an_organization_with_its_owner_and_a_first_project() -> None:
    owner = make.user(name="carol")

    submit(
        superuser(),
        new(Organization),
        name="Globex",
        slug="globex",
        plan=str(make.plan().pk),
        owner=str(owner.pk),
        time_zone="Europe/Berlin",
    )

    organization = Organization.objects.get(slug="globex")
    assert organization.time_zone == "Europe/Berlin"
    assert organization.memberships.get().user == owner
    assert organization.memberships.get().role == "owner"
    assert organization.projects.get().slug == "default"


def test_refuses_a_slug_that_is_taken(acme: Organization) -> None:
    answer = submit(
        superuser(),
        new(Organization),
        name="Acme",
        slug="acme",
        plan=str(acme.plan.pk),
        owner=str(make.user().pk),
    )

    assert "already exists" in answer.content.decode()


def test_another_plan_counts_what_was_spent_before(acme: Organization, key: ApiKey) -> None:
    at = now()
    make.charge(key=key, request=make.held_call(key=key, usd="0.8", at=at), usd="0.8", at=at)
    small = make.plan(code="small", usd_per_user="1")

    answer = submit(superuser(), page_of(acme), plan=str(small.pk))

    assert answer.status_code == 302
    assert asked(key, "0.3") == "over_limit"
    assert asked(key, "0.2") == "admitted"
    assert differences() == []


def test_another_time_zone_counts_what_was_spent_in_its_windows(
    acme: Organization, key: ApiKey
) -> None:
    make.budget(limit="1", organization=acme, window="year")
    at = now()
    make.charge(key=key, request=make.held_call(key=key, usd="0.8", at=at), usd="0.8", at=at)

    answer = submit(superuser(), page_of(acme), time_zone="Asia/Tokyo")

    assert answer.status_code == 302
    assert Balance.objects.filter(spent=Decimal("0.8")).count() == 2
    assert asked(key, "0.3") == "over_limit"
    assert differences() == []


def test_suspends_once_it_is_confirmed_and_resumes(acme: Organization, key: ApiKey) -> None:
    client = superuser()

    question = act(client, "suspend", acme)
    assert "Refuse all calls of these organizations?" in question.content.decode()
    assert asked(key) == "admitted"

    act(client, "suspend", acme, confirmed="yes")
    assert asked(key) == "organization_suspended"
    assert "Set to suspended." in str(LogEntry.objects.first())

    act(client, "resume", acme)
    assert asked(key) == "admitted"


def test_suspends_on_the_page_of_the_organization_too(acme: Organization, key: ApiKey) -> None:
    submit(superuser(), page_of(acme), status="suspended")

    assert asked(key) == "organization_suspended"


def test_adds_changes_and_removes_members(acme: Organization, key: ApiKey) -> None:
    client, bob, own = superuser(), make.user(name="bob"), make.plan(code="own", usd_per_user="1")

    submit(client, new(Membership), organization=str(acme.pk), user=str(bob.pk), role="lead")
    assert acme.memberships.get(user=bob).role == "lead"

    submit(client, page_of(acme), **{"memberships-0-plan": str(own.pk)})
    assert asked(key, "2") == "over_limit"

    submit(client, page_of(acme), **{"memberships-1-role": "viewer"})
    assert acme.memberships.get(user=bob).role == "viewer"

    submit(client, page_of(acme), **{"memberships-1-DELETE": "on"})
    assert not acme.memberships.filter(user=bob).exists()
    assert asked(key, "0.1") == "admitted"


def test_a_member_who_comes_back_has_no_fresh_allowance(acme: Organization, key: ApiKey) -> None:
    """What they have spent under a plan of their own counts under the organization's."""
    make.plan(code="house", usd_per_user="0.2")
    client, alice = superuser(), key.user
    own = make.plan(code="large", usd_per_user="5")
    submit(client, page_of(acme), **{"memberships-0-plan": str(own.pk)})
    at = now()
    make.charge(key=key, request=make.held_call(key=key, usd="3", at=at), usd="3", at=at)

    submit(client, page_of(acme), **{"memberships-0-DELETE": "on"})
    submit(client, new(Membership), organization=str(acme.pk), user=str(alice.pk), role="owner")

    assert acme.memberships.get(user=alice).plan is None
    assert asked(key) == "over_limit"
    assert differences() == []


def test_a_removed_members_key_opens_nothing(acme: Organization, key: ApiKey) -> None:
    submit(superuser(), page_of(acme), **{"memberships-0-DELETE": "on"})

    assert asked(key) == "invalid_api_key"


def test_adds_a_budget_that_holds_at_once(acme: Organization, key: ApiKey) -> None:
    answer = submit(
        superuser(),
        page_of(acme),
        **{"budgets-0-name": "Lid", "budgets-0-limit_amount": "0.05"},
    )

    assert answer.status_code == 302
    assert asked(key, "0.06") == "over_limit"
    assert asked(key, "0.05") == "admitted"


def test_leads_elsewhere_when_there_are_too_many_rows(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budgets.tenancy.admin.MOST_INLINE", 0)
    make.budget(limit="1", organization=acme)

    html = text_of(superuser(), page_of(acme))

    assert "memberships-TOTAL_FORMS" not in html
    assert "budgets-TOTAL_FORMS" not in html
    assert f"{list_of(Membership)}?organization=acme" in html


def test_shows_where_the_organization_stands(acme: Organization, key: ApiKey) -> None:
    make.budget(limit="2", organization=acme, name="Lid", each="user")
    make.held_call(key=key, usd="0.5", at=now())
    make.held_call(key=key, usd="0.25", at=now() - timedelta(days=400))

    html = text_of(superuser(), page_of(acme))

    assert '<meter max="100" low="80" high="99" optimum="0" value="25"></meter>' in html
    assert '<span title="$0.500000000000">$0.50</span>' in html
    assert "$0.25" not in html


def test_archives_and_restores_projects(acme: Organization, key: ApiKey) -> None:
    client = superuser()

    act(client, "archive", key.project)
    assert asked(key) == "project_archived"
    assert "default" not in text_of(client, f"{list_of(Project)}?archived_at__isempty=1")

    act(client, "restore", key.project)
    assert asked(key) == "admitted"


def test_lets_staff_act_only_where_they_may_change(acme: Organization, key: ApiKey) -> None:
    viewer = staff("view_organization", "view_project", name="viewer")

    act(viewer, "suspend", acme, confirmed="yes")
    act(viewer, "archive", key.project)
    assert asked(key) == "admitted"

    act(staff("change_organization"), "suspend", acme, confirmed="yes")
    assert asked(key) == "organization_suspended"


def test_keeps_answers_only_for_an_organization_that_asks_for_it() -> None:
    acme = make.organization()
    assert not acme.stores_answers

    assert submit(superuser(), page_of(acme), stores_answers="on").status_code == 302

    acme.refresh_from_db()
    assert acme.stores_answers
