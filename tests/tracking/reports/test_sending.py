"""Reports that are due: told once, to who may see it, whatever crashes in between."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail as outbox
from django.db import connections

from budgets.alerts.dispatch import send_due
from budgets.alerts.models import Delivery
from budgets.core.money import format_usd
from budgets.holds.operations import change_time_zone
from budgets.tenancy.access import Viewer, viewer_of
from budgets.tenancy.models import ApiKey, Membership, Organization, User
from tests import make
from tests.budgets.alerts.things import channel
from tests.databases import on_own_copy
from tracking.pricing.usage import Usage as Used
from tracking.reports import operations
from tracking.reports.content import picture_of
from tracking.reports.models import Edition, Report
from tracking.reports.operations import Wish, order
from tracking.reports.rhythm import Rhythm

# Wednesday noon in UTC. The daily report of it is due on Thursday at 7 in Berlin, 6 in UTC.
NOW = make.NOW
MORNING = datetime(2026, 3, 19, 6, 0, tzinfo=UTC)


@pytest.fixture
def acme(db: None) -> Organization:
    return make.organization(time_zone="Europe/Berlin")


def viewer(user: User) -> Viewer:
    return viewer_of(user=user, slug=None)


def ordered(user: User, *, rhythm: Rhythm = Rhythm.DAILY, **wish: Any) -> Report:
    return order(viewer=viewer(user), wish=Wish(rhythm, **wish), now=NOW)


def send(*, at: datetime) -> int:
    """Do what a run of the worker does."""
    sent = 0
    while operations.send_next(now=at):
        sent += 1
        assert sent < 50
    return sent


def told(report: Report) -> list[str]:
    return [
        edition.delivery.message["title"]
        for edition in report.editions.select_related("delivery").order_by("first_on")
    ]


def test_are_sent_the_next_morning_and_once(alice: ApiKey) -> None:
    _, cost = make.call(key=alice)
    report = ordered(alice.user)

    assert send(at=MORNING - timedelta(seconds=1)) == 0
    assert send(at=MORNING) == 1
    assert send(at=MORNING) == 0
    assert send(at=MORNING + timedelta(hours=23)) == 0
    assert told(report) == [f"{format_usd(cost)} spent on 18 March 2026"]
    assert send(at=MORNING + timedelta(hours=24)) == 1
    assert told(report)[1:] == ["$0.00 spent on 19 March 2026"]


def test_arrive_by_mail_with_their_chart(alice: ApiKey) -> None:
    _, cost = make.call(key=alice, model="dear", used=Used(input_tokens=10**6, output_tokens=7))
    make.call(key=alice, at=NOW - timedelta(days=1))
    report = ordered(alice.user)
    send(at=MORNING)
    send_due(now=MORNING)

    (mail,) = outbox.outbox
    assert mail.to == [alice.user.email]
    assert mail.subject == f"{format_usd(cost)} spent on 18 March 2026"
    (html,) = mail.alternatives  # type: ignore[attr-defined]  # Django's own class has it
    for text in ("Acme", format_usd(cost), "dear", "Before", "Europe/Berlin"):
        assert text in str(html[0])
        assert text in str(mail.body)
    parts: Any = mail.message().get_payload()
    assert parts[1].get_payload(decode=True).startswith(b"\x89PNG")
    assert "/reports/unsubscribe/" in mail.extra_headers["List-Unsubscribe"]
    delivery = Delivery.objects.get(pk=report.editions.get().delivery_id)
    assert (delivery.state, bytes(delivery.picture)) == ("sent", b"")


@pytest.mark.parametrize(
    ("rhythm", "due", "title"),
    [
        (Rhythm.WEEKLY, datetime(2026, 3, 23, 6, tzinfo=UTC), "in the week of 16 March 2026"),
        (Rhythm.MONTHLY, datetime(2026, 4, 1, 5, tzinfo=UTC), "in March 2026"),
    ],
)
def test_are_of_whole_weeks_and_months(
    alice: ApiKey, rhythm: Rhythm, due: datetime, title: str
) -> None:
    make.call(key=alice, at=NOW - timedelta(days=20))
    _, cost = make.call(key=alice)
    report = ordered(alice.user, rhythm=rhythm)

    assert send(at=due - timedelta(seconds=1)) == 0
    assert send(at=due) == 1
    assert told(report) == [f"{format_usd(cost)} spent {title}"]


def test_tell_only_the_last_of_several_that_were_missed(alice: ApiKey) -> None:
    make.call(key=alice)
    report = ordered(alice.user)

    assert send(at=MORNING + timedelta(days=5, hours=3)) == 1
    assert told(report) == ["$0.00 spent on 23 March 2026"]


def test_tell_members_what_they_may_see_and_channels_everything(
    acme: Organization, alice: ApiKey
) -> None:
    bob, _ = make.key(of=acme, user=make.member(of=acme))
    side = make.project(of=acme, slug="side")
    bobs, _ = make.key(of=acme, user=bob.user, in_project=side)
    costs = [
        make.call(key=key, model=f"canary-{n}", used=Used(input_tokens=10**n))[1]
        for n, key in enumerate((alice, bob, bobs), start=4)
    ]
    reports = [
        ordered(alice.user),
        ordered(bob.user),
        ordered(bob.user, project=side),
        ordered(alice.user, channel=channel(of=acme)),
        ordered(alice.user, channel=channel(of=acme), project=side),
    ]
    expected = [sum(costs), costs[1] + costs[2], costs[2], sum(costs), costs[2]]
    assert send(at=MORNING) == 5

    for report, usd in zip(reports, expected, strict=True):
        delivery = Delivery.objects.get(pk=report.editions.get().delivery_id)
        assert Decimal(delivery.message["data"]["total_usd"]) == usd
        assert (delivery.channel_id, delivery.to) == (
            report.channel_id,
            [] if report.channel_id else [report.user.email],
        )
    of_bob = str(reports[1].editions.get().delivery.message)
    assert "canary-4" not in of_bob
    assert "Alice" not in of_bob
    assert "unsubscribe" not in str(reports[3].editions.get().delivery.message["unsubscribe_url"])


def test_end_when_their_reader_leaves(acme: Organization, alice: ApiKey) -> None:
    bob = make.member(of=acme)
    report = ordered(bob)
    Membership.objects.filter(user=bob).delete()

    send(at=MORNING)
    report.refresh_from_db()
    assert (report.active, told(report)) == (False, [])


def test_follow_their_organization_to_another_time_zone(acme: Organization, alice: ApiKey) -> None:
    report = ordered(alice.user)
    change_time_zone(organization=acme, time_zone="America/New_York", now=NOW)

    send(at=MORNING)
    assert told(report) == []
    report.refresh_from_db()
    assert report.next_due_at == datetime(2026, 3, 19, 11, tzinfo=UTC)
    send(at=report.next_due_at)
    assert told(report) == ["$0.00 spent on 18 March 2026"]


@pytest.mark.parametrize(
    "place", ["message_of", "picture_of", "write_message", "Edition.objects.create", "_postpone"]
)
def test_are_sent_once_wherever_a_worker_dies(
    alice: ApiKey, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ordered(alice.user)

    class Killed(BaseException):
        """The process is gone: nothing is caught, and the transaction is never ended."""

    def die(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(f"tracking.reports.operations.{place}", die)
        with pytest.raises(Killed):
            send(at=MORNING)
    assert (Edition.objects.count(), Delivery.objects.count()) == (0, 0)

    assert send(at=MORNING) == 1
    assert send(at=MORNING) == 0
    assert len(told(report)) == Delivery.objects.count() == 1


def test_that_cannot_be_written_hold_up_no_others(
    acme: Organization, alice: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = ordered(alice.user), ordered(make.member(of=acme))
    plain: Callable[..., Any] = picture_of

    def fail(**given: Any) -> bytes:
        if given["subject"].part.viewer_id is None:
            raise OSError("no fonts")
        return bytes(plain(**given))

    monkeypatch.setattr(operations, "picture_of", fail)
    assert send(at=MORNING) == 2
    assert (told(broken), len(told(fine))) == ([], 1)
    monkeypatch.setattr(operations, "picture_of", plain)
    assert send(at=MORNING + timedelta(minutes=11)) == 1
    assert len(told(broken)) == 1


def _race(*, report: Report, workers: int) -> None:
    """Let several workers come to the transaction of one report at the same moment."""
    barrier = threading.Barrier(workers)

    def work() -> None:
        found = Report.objects.select_related("organization", "user", "channel", "project")
        mine = found.get(pk=report.pk)
        barrier.wait(20)
        try:
            operations._send(mine, MORNING)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.mark.usefixtures("django_db_setup")
def test_are_sent_once_by_many_workers(
    django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the lock and the constraint away, they are sent twice; with them, once."""
    monkeypatch.setattr(operations, "picture_of", lambda **_: b"")
    with django_db_blocker.unblock(), on_own_copy():
        acme = make.organization(time_zone="Europe/Berlin")
        report = ordered(make.user())
        _race(report=report, workers=4)
        assert Delivery.objects.for_organization(acme).count() == 1

        Edition.objects.all().delete()
        Report.objects.update(next_due_at=MORNING)
        with monkeypatch.context() as unguarded:
            unguarded.setattr(operations, "_is_taken", lambda *_: False)
            with connections["default"].cursor() as cursor:
                cursor.execute("alter table tracking_edition drop constraint edition_once")
            _race(report=report, workers=4)
        assert Delivery.objects.for_organization(acme).count() > 2


def test_ordered_twice_are_one_and_ended_ones_go_on(alice: ApiKey) -> None:
    report = ordered(alice.user)
    assert ordered(alice.user) == report
    operations.end(report=report)
    assert send(at=MORNING) == 0

    again = order(
        viewer=viewer(alice.user), wish=Wish(Rhythm.DAILY), now=MORNING + timedelta(days=3)
    )
    assert (again.pk, again.active) == (report.pk, True)
    assert send(at=MORNING + timedelta(days=3)) == 0
    assert send(at=MORNING + timedelta(days=4)) == 1
    assert told(report) == ["$0.00 spent on 22 March 2026"]


def test_to_channels_are_for_managers(acme: Organization, alice: ApiKey) -> None:
    where = channel(of=acme)
    for role in ("member", "lead", "viewer"):
        user = make.member(of=acme, name=role, role=role)
        with pytest.raises(operations.OnlyManagers):
            ordered(user, channel=where)
    assert ordered(alice.user, channel=where).channel == where


def test_their_links_cannot_be_guessed(alice: ApiKey) -> None:
    url = operations.unsubscribe_url(report=ordered(alice.user))
    found = re.search(r"/unsubscribe/([^/]+)/$", url)
    assert found
    token = found[1]

    assert operations.report_by_token(token=token).user == alice.user
    for wrong in (token[:-1], f"x{token}", "1", ""):
        with pytest.raises(operations.TokenInvalid):
            operations.report_by_token(token=wrong)
