"""The page of reports, their preview, and how they are ended; and the same over REST."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from budgets.tenancy.access import viewer_of
from budgets.tenancy.models import ApiKey, Organization, User
from tests import make
from tests.budgets.alerts.things import channel
from tests.tracking.spending.pages import get, text
from tracking.pricing.usage import Usage as Used
from tracking.reports.models import Report
from tracking.reports.operations import Wish, order, unsubscribe_url
from tracking.reports.rhythm import Rhythm

pytestmark = pytest.mark.django_db

PAGE, PREVIEW, API = "/reports/", "/reports/preview/", "/api/v1/reports"


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(make.NOW + timedelta(hours=1), tick=False):
        yield


@pytest.fixture
def carol() -> User:
    carol = make.user(name="carol")
    make.organization(slug="globex", owner=carol)
    return carol


def signed_in(user: User) -> Any:
    client = Client()
    client.force_login(user)
    return client


def ordered(user: User, **wish: Any) -> Report:
    viewer = viewer_of(user=user, slug=None)
    return order(viewer=viewer, wish=Wish(Rhythm.DAILY, **wish), now=make.NOW)


def test_are_ordered_seen_and_ended(acme: Organization, alice: ApiKey) -> None:
    client = signed_in(alice.user)

    told = client.post(PAGE, {"organization": "acme", "rhythm": "weekly"}, follow=True)
    assert "weekly : preview the organization alice@example.org Mon 23 Mar, 07:00" in text(told)
    (report,) = Report.objects.for_organization(acme)
    gone = client.post(f"{PAGE}{report.pk}/end/", follow=True)
    assert "Order one above" in text(gone)
    report.refresh_from_db()
    assert not report.active


def test_show_ones_own_and_to_managers_those_of_channels(
    acme: Organization, alice: ApiKey, bob: ApiKey, carol: User
) -> None:
    where = channel(of=acme)
    own, shared = ordered(bob.user), ordered(alice.user, channel=where)
    make.member(of=acme, name="erin", role="admin")
    erin = User.objects.get(email="erin@example.org")

    def shown(user: User) -> set[int]:
        found = re.findall(r"/reports/(\d+)/end/", get(user, PAGE).content.decode())
        return {int(pk) for pk in found}

    assert (shown(bob.user), shown(alice.user), shown(erin)) == ({own.pk}, {shared.pk}, {shared.pk})
    for user, report in ((alice.user, own), (bob.user, shared), (carol, own), (carol, shared)):
        assert signed_in(user).post(f"{PAGE}{report.pk}/end/").status_code == 404
    assert Report.objects.filter(active=True).count() == 2
    assert "Slack" not in get(bob.user, PAGE).content.decode()


def test_take_nothing_of_another_tenant(acme: Organization, alice: ApiKey, carol: User) -> None:
    project, where = make.project(of=acme, slug="side"), channel(of=acme)
    client = signed_in(carol)

    for given in ({"project": project.pk}, {"channel": where.pk}, {"rhythm": "hourly"}):
        assert client.post(PAGE, {"rhythm": "daily"} | given).status_code == 400
    assert client.post(PAGE, {"organization": "acme", "rhythm": "daily"}).status_code == 404
    assert get(carol, PREVIEW, rhythm="daily", project=project.pk).status_code == 404
    assert get(carol, PREVIEW, rhythm="daily", organization="acme").status_code == 404
    assert get(None, PAGE).status_code == get(None, PREVIEW).status_code == 302
    assert Client().post(PAGE, {"rhythm": "daily"}).status_code == 302
    assert "not a member" in text(get(make.user(name="nobody"), PAGE))
    assert not Report.objects.exists()


def test_are_previewed_as_their_mail_would_be(alice: ApiKey, bob: ApiKey) -> None:
    yesterday = make.NOW - timedelta(days=1)
    make.call(key=alice, at=yesterday, model="canary-alice", used=Used(input_tokens=10**6))
    make.call(key=bob, at=yesterday, model="canary-bob")

    seen = get(alice.user, PREVIEW, rhythm="daily")
    page = seen.content.decode()
    assert 'src="data:image/png;base64,' in page
    assert "on 17 March 2026" in page
    assert "canary-alice" in page
    assert "canary-bob" in page
    policy = seen["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    of_bob = get(bob.user, PREVIEW, rhythm="daily").content.decode()
    assert "canary-bob" in of_bob
    assert "canary-alice" not in of_bob
    assert get(alice.user, PREVIEW, rhythm="hourly").status_code == 404


def test_are_previewed_without_their_forms_token_in_the_address(alice: ApiKey) -> None:
    client = signed_in(alice.user)
    page = client.get(PAGE).content.decode()
    form = page[page.index('<form class="fields"') :].split("</form>")[0]

    assert "csrfmiddlewaretoken" in form
    assert 'method="get"' not in form
    seen = client.post(PREVIEW, {"rhythm": "daily", "organization": "acme"})
    assert seen.content == client.get(PREVIEW, {"rhythm": "daily"}).content
    assert client.post(PREVIEW, {"rhythm": "hourly"}).status_code == 404


def test_are_ended_by_their_link_alone(alice: ApiKey) -> None:
    report = ordered(alice.user)
    url = unsubscribe_url(report=report).removeprefix("http://testserver")
    client = Client(enforce_csrf_checks=True)

    asked = client.get(url)
    report.refresh_from_db()
    assert (asked.status_code, report.active) == (200, True)
    # As RFC 8058 has a mail program do it.
    one_click = {"List-Unsubscribe": "One-Click"}
    assert client.post(url, one_click).status_code == 200
    report.refresh_from_db()
    assert not report.active
    assert b"It is ended" in client.get(url).content
    assert client.get("/reports/unsubscribe/abc/").status_code == 404
    assert client.post("/reports/unsubscribe/abc/").status_code == 404


def post(user: User, body: Any, **headers: str) -> Any:
    client = Client()
    if not headers:
        client.force_login(user)
    return client.post(API, body, content_type="application/json", headers=headers)


def test_are_ordered_listed_and_ended_by_programs(acme: Organization, alice: ApiKey) -> None:
    side, where = make.project(of=acme, slug="side"), channel(of=acme)

    made = post(alice.user, {"rhythm": "monthly", "project": side.pk, "channel": where.pk})
    assert made.status_code == 201, made.content
    assert made.json() == {
        "id": made.json()["id"],
        "rhythm": "monthly",
        "project": side.pk,
        "channel": where.pk,
        "user": alice.user.pk,
        "next_due_at": "2026-04-01T07:00:00Z",
    }
    client = signed_in(alice.user)
    assert client.get(API).json() == {"results": [made.json()]}
    assert client.delete(f"{API}/{made.json()['id']}").status_code == 204
    assert client.get(API).json() == {"results": []}
    assert client.delete(f"{API}/{made.json()['id']}").status_code == 404
    assert client.delete(f"{API}/{2**64}").status_code == 404


def test_of_others_do_not_exist_for_programs(
    acme: Organization, alice: ApiKey, bob: ApiKey, carol: User
) -> None:
    side, where = make.project(of=acme, slug="side"), channel(of=acme)
    report = ordered(alice.user)

    for user in (bob.user, carol):
        assert signed_in(user).delete(f"{API}/{report.pk}").status_code == 404
        assert signed_in(user).get(API).json() == {"results": []}
    for name, value in (("project", side.pk), ("channel", where.pk)):
        told = post(carol, {"rhythm": "daily", name: value})
        assert (told.status_code, told.json()["error"]["code"]) == (400, "invalid_request")
    assert post(bob.user, {"rhythm": "daily", "channel": where.pk}).status_code == 403
    wrong: tuple[Any, ...] = ({}, {"rhythm": "hourly"}, [], {"rhythm": "daily", "project": "x"})
    for body in wrong:
        assert post(alice.user, body).status_code == 400
    for address in (f"{API}?organization=acme", f"{API}?organization=nowhere"):
        assert signed_in(carol).get(address).status_code == 404
    assert Client().get(API).status_code == 401
    assert Client().delete(f"{API}/{report.pk}").status_code == 401


def test_need_keys_of_their_own_scopes(acme: Organization, bob: ApiKey) -> None:
    _, reads = make.key(of=acme, user=bob.user, scopes=["reports:read"])
    _, writes = make.key(of=acme, user=bob.user, scopes=["reports:write"])
    reading = {"Authorization": f"Bearer {reads}"}
    writing = {"Authorization": f"Bearer {writes}"}

    assert post(bob.user, {"rhythm": "daily"}, **reading).status_code == 403
    assert post(bob.user, {"rhythm": "daily"}, **writing).status_code == 201
    assert Client().get(API, headers=writing).status_code == 403
    assert len(Client().get(API, headers=reading).json()["results"]) == 1
