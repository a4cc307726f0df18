"""Somebody asks for more, somebody decides, a raise comes and goes, and all are told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from budgets.alerts.models import Channel, Delivery
from budgets.history.queries import changes_of
from budgets.holds.operations import put_budget
from budgets.limits.models import Budget, LimitRaise
from budgets.requests.models import RaiseRequest
from budgets.requests.operations import (
    BudgetNotYours,
    DecidedAlready,
    NotYoursToDecide,
    ReasonNeeded,
    Wish,
    approve,
    ask,
    refuse,
    take_back,
)
from budgets.tenancy.access import viewer_of
from budgets.tenancy.models import ApiKey, Organization, User
from tests import make
from tests.admin_pages import page_of, superuser, text_of
from tests.budgets.alerts.things import channel, spend
from tests.make import NOW

pytestmark = pytest.mark.django_db

FRIDAY = NOW + timedelta(days=2)
JSON = "application/json"


@pytest.fixture
def acme() -> Organization:
    return make.organization(slug="acme")


@pytest.fixture
def bob(acme: Organization) -> User:
    return make.member(of=acme)


@pytest.fixture
def key(acme: Organization, bob: User) -> ApiKey:
    return make.key(of=acme, user=bob)[0]


@pytest.fixture
def each(acme: Organization, bob: User) -> Budget:
    made = make.budget(organization=acme, limit="10", name="Each month", each="user")
    put_budget(budget=made, now=NOW)
    return made


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def viewer(who: User, slug: str = "acme") -> Any:
    return viewer_of(user=who, slug=slug)


def asked(bob: User, each: Budget, **changed: Any) -> RaiseRequest:
    wish: dict[str, Any] = {
        "budget_id": each.pk,
        "amount": Decimal(5),
        "until": FRIDAY,
        "reason": "Release week",
    }
    return ask(viewer=viewer(bob), wish=Wish(**(wish | changed)), now=NOW)


def told() -> list[tuple[str, str, list[str]]]:
    rows = Delivery.objects.order_by("-event", "channel")
    return [(row.event, row.message["title"], row.to) for row in rows]


def client(who: User) -> Client:
    made = Client()
    made.force_login(who)
    return made


def test_tells_whoever_decides_by_mail_and_in_the_chat(
    acme: Organization, bob: User, each: Budget
) -> None:
    make.member(of=acme, name="dora", role="admin")
    slack = channel(of=acme)
    Channel.objects.filter(pk=channel(of=acme, kind="teams").pk).update(takes_requests=False)

    asked(bob, each)

    title = "Bob asks for $5.00 more"
    assert told() == [
        ("request", title, []),
        ("request", title, ["alice@example.org", "dora@example.org"]),
    ]
    chat = Delivery.objects.get(channel=slack)
    assert chat.message["url"].endswith("/requests/?organization=acme")
    assert "Release week" in chat.message["advice"]


def test_raises_the_limit_of_the_one_who_asked_and_the_raise_ends_by_itself(
    acme: Organization, bob: User, key: ApiKey, each: Budget
) -> None:
    alice = make.user()
    approve(viewer=viewer(alice), request=asked(bob, each), now=NOW)

    spend(key=key, usd="14")
    with pytest.raises(AssertionError, match="over_limit"):
        spend(key=key, usd="2")
    hers = make.key(of=acme, user=alice)[0]
    with pytest.raises(AssertionError, match="over_limit"):
        spend(key=hers, usd="14")
    with pytest.raises(AssertionError, match="over_limit"):
        spend(key=key, usd="0.5", at=FRIDAY)
    decision = Delivery.objects.get(event="decision")
    event, title, to = decision.event, decision.message["title"], decision.to
    assert (event, title) == ("decision", "Your request for $5.00 more was approved")
    assert to == ["bob@example.org"]


def test_approves_less_and_for_a_shorter_time(acme: Organization, bob: User, each: Budget) -> None:
    until = NOW + timedelta(hours=3)
    decided = approve(
        viewer=viewer(make.user()),
        request=asked(bob, each),
        now=NOW,
        amount=Decimal(2),
        until=until,
        reason="Enough for today",
    )

    made = LimitRaise.objects.get()
    assert (made.amount, made.ends_at, made.subject) == (Decimal(2), until, str(bob.pk))
    assert (decided.limit_raise, decided.amount) == (made, Decimal(5))
    assert ["Granted", "$2.00"] in Delivery.objects.get(event="decision").message["facts"]


def test_refuses_with_a_reason(acme: Organization, bob: User, each: Budget) -> None:
    request, alice = asked(bob, each), viewer(make.user())
    with pytest.raises(ReasonNeeded):
        refuse(viewer=alice, request=request, reason=" ", now=NOW)

    refuse(viewer=alice, request=request, reason="Use the small model", now=NOW)

    assert not LimitRaise.objects.exists()
    decision = Delivery.objects.get(event="decision")
    assert decision.message["title"] == "Your request for $5.00 more was refused"


def test_is_decided_once(acme: Organization, bob: User, each: Budget) -> None:
    request, alice = asked(bob, each), viewer(make.user())
    approve(viewer=alice, request=request, now=NOW)

    with pytest.raises(DecidedAlready):
        approve(viewer=alice, request=request, now=NOW)
    with pytest.raises(DecidedAlready):
        refuse(viewer=alice, request=request, reason="no", now=NOW)
    with pytest.raises(DecidedAlready):
        take_back(viewer=viewer(bob), request=request, now=NOW)
    assert LimitRaise.objects.count() == 1


def test_lets_nobody_decide_who_may_not(acme: Organization, bob: User, each: Budget) -> None:
    request = asked(bob, each)
    carol = make.user(name="carol")
    make.organization(slug="globex", owner=carol)
    for who, slug in ((bob, "acme"), (carol, "globex")):
        with pytest.raises(NotYoursToDecide):
            approve(viewer=viewer(who, slug), request=request, now=NOW)


def test_asks_once_until_it_is_decided(acme: Organization, bob: User, each: Budget) -> None:
    request = asked(bob, each)
    with pytest.raises(ValidationError):
        asked(bob, each)
    with pytest.raises(IntegrityError), transaction.atomic():
        RaiseRequest.objects.bulk_create([RaiseRequest(**_fields(request))])

    take_back(viewer=viewer(bob), request=request, now=NOW)
    asked(bob, each)


def _fields(request: RaiseRequest) -> dict[str, Any]:
    names = ("organization", "asked_by", "budget", "subject", "amount", "until", "asked_at")
    return {name: getattr(request, name) for name in names}


@pytest.mark.parametrize(
    "wrong",
    [{"amount": Decimal(0)}, {"amount": Decimal(-1)}, {"until": NOW}, {"reason": "x" * 300}],
)
def test_refuses_what_makes_no_sense(
    acme: Organization, bob: User, each: Budget, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        asked(bob, each, **wrong)


def test_asks_only_of_budgets_that_apply(acme: Organization, bob: User, each: Budget) -> None:
    globex = make.organization(slug="globex", owner=make.user(name="carol"))
    theirs = make.budget(organization=globex, limit="5")
    alices = make.budget(
        organization=acme, limit="5", scope="user", target=str(make.user().pk), name="Hers"
    )
    for other in (theirs.pk, alices.pk, 0):
        with pytest.raises(BudgetNotYours):
            asked(bob, each, budget_id=other)


def test_keeps_its_history(acme: Organization, bob: User, each: Budget) -> None:
    request = asked(bob, each)
    approve(viewer=viewer(make.user()), request=request, now=NOW)

    assert [change.pgh_label for change in changes_of(request)] == ["update", "insert"]
    assert "Release week" in text_of(superuser(), page_of(request))


def test_goes_over_the_api(acme: Organization, bob: User, each: Budget) -> None:
    wish = {
        "budget": each.pk,
        "amount": "5",
        "until": FRIDAY.isoformat(),
        "reason": "Release week",
    }
    mine = client(bob)
    made = mine.post("/api/v1/requests", wish, JSON)
    assert made.status_code == 201, made.content
    address = f"/api/v1/requests/{made.json()['id']}"
    assert mine.post(address, {"decision": "approve"}, JSON).status_code == 403

    told = client(make.user()).post(address, {"decision": "approve", "amount": "3"}, JSON).json()

    assert (told["state"], told["granted"]) == ("approved", "3.000000000000")
    assert mine.get(address).json()["decided_by"] == "alice@example.org"
    again = client(make.user()).post(address, {"decision": "refuse", "reason": "no"}, JSON)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


def test_shows_each_their_own_and_others_nothing(
    acme: Organization, bob: User, each: Budget
) -> None:
    request = asked(bob, each)
    carol = make.user(name="carol")
    make.organization(slug="globex", owner=carol)
    vera = make.member(of=acme, name="vera", role="viewer")
    for who, sees in ((bob, 1), (make.user(), 1), (vera, 0), (carol, 0)):
        assert len(client(who).get("/api/v1/requests").json()["results"]) == sees
        one = client(who).get(f"/api/v1/requests/{request.pk}")
        assert one.status_code == (200 if sees else 404)
        page = client(who).get("/requests/").content.decode()
        assert ("Release week" in page) == bool(sees)
    assert Client().get("/api/v1/requests").status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [{"budget": "x"}, {"amount": "much"}, {"until": "soon"}, {"reason": ""}, {"amount": "-1"}],
)
def test_says_over_the_api_what_is_wrong(
    acme: Organization, bob: User, each: Budget, wrong: dict[str, Any]
) -> None:
    wish = {"budget": each.pk, "amount": "5", "until": FRIDAY.isoformat(), "reason": "why"}
    response = client(bob).post("/api/v1/requests", wish | wrong, JSON)

    assert response.status_code == 400, response.content
    assert set(response.json()) == {"error"}


def test_goes_over_the_page(acme: Organization, bob: User, each: Budget) -> None:
    mine = client(bob)
    fields = {
        "organization": "acme",
        "budget": each.pk,
        "amount": "5",
        "until": "2026-03-20",
        "reason": "Release week",
    }
    assert mine.post("/requests/", fields).status_code == 302
    assert "asked for this already" in mine.post("/requests/", fields).content.decode()
    request = RaiseRequest.objects.get()
    assert request.until.isoformat() == "2026-03-21T00:00:00+00:00"
    address = f"/requests/{request.pk}/"
    given = {"organization": "acme", "decision": "approve"}
    assert mine.post(address, given).status_code == 400
    request.refresh_from_db()
    assert request.state == "open"

    alice = client(make.user())
    assert "Approve" in alice.get("/requests/").content.decode()
    assert alice.post(address, given | {"decision": "refuse"}).status_code == 400
    assert alice.post(address, given | {"amount": "4"}).status_code == 302
    request.refresh_from_db()
    assert request.limit_raise is not None
    assert request.limit_raise.amount == 4
