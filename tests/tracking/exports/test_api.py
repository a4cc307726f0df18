"""Files over HTTP: walls between tenants and people, states, and clear errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from budgets.core import clock
from budgets.tenancy.models import ApiKey, Membership, Organization, User
from tests import make
from tracking.exports import operations
from tracking.exports.models import Export
from tracking.exports.urls import urlpatterns

pytestmark = pytest.mark.django_db

NOW_ROUTE = "/api/v1/usage/export"
LIST = "/api/v1/exports"
SOME_ID = UUID(int=7)
ROUTES = [f"/{route.pattern}".replace("<uuid:pk>", str(SOME_ID)) for route in urlpatterns]


@pytest.fixture(autouse=True)
def noon() -> Iterator[Any]:
    with time_machine.travel(make.NOW + timedelta(hours=1), tick=False) as traveller:
        yield traveller


@dataclass(frozen=True)
class World:
    """acme, where alice owns and bob and lena are members; carol's globex."""

    acme: Organization
    alice: User
    bob: User
    carol: User
    costs: dict[str, Decimal]
    keys: dict[str, ApiKey]


@pytest.fixture
def world() -> World:
    acme = make.organization()
    alice, bob, carol = make.user(), make.member(of=acme), make.user(name="carol")
    globex = make.organization(slug="globex", owner=carol)
    keys = {
        "alice": make.key(of=acme, user=alice)[0],
        "bob": make.key(of=acme, user=bob)[0],
        "carol": make.key(of=globex, user=carol)[0],
    }
    costs = {name: make.call(key=key, model=f"canary-{name}")[1] for name, key in keys.items()}
    return World(acme, alice, bob, carol, costs, keys)


def ask(who: User | None, address: str, **params: Any) -> Any:
    client = Client()
    if who:
        client.force_login(who)
    return client.get(address, {name.rstrip("_"): value for name, value in params.items()})


def post(who: User | None, address: str, body: Any = None) -> Any:
    client = Client()
    if who:
        client.force_login(who)
    return client.post(address, {} if body is None else body, content_type="application/json")


def fetched(who: User, address: str) -> tuple[Any, bytes]:
    """Get a file as the web server sends it: piece by piece."""

    async def get() -> tuple[Any, bytes]:
        client = AsyncClient()
        await client.aforce_login(who)
        answer = await client.get(address)
        if not answer.streaming:
            return answer, answer.content
        return answer, b"".join([part async for part in answer])  # type: ignore[attr-defined]

    return async_to_sync(get)()


def error(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    told: dict[str, Any] = response.json()["error"]
    assert told["code"] == code
    return told


def canaries(content: bytes) -> set[str]:
    return {name for name in ("alice", "bob", "carol") if f"canary-{name}".encode() in content}


@pytest.mark.parametrize("route", ROUTES)
def test_open_nothing_to_strangers(world: World, route: str) -> None:
    method = post if route.endswith("retry") else ask
    error(method(None, route), 401, "not_authenticated")
    nobody = make.user(name="nobody", is_superuser=True, is_staff=True)
    error(method(nobody, route), 403, "permission_denied")
    for slug in ("acme", "nowhere"):
        error(method(world.carol, f"{route}?organization={slug}"), 404, "not_found")


def test_every_route_is_swept() -> None:
    assert len(ROUTES) == 5


def test_at_once_hold_what_their_reader_may_see(world: World) -> None:
    assert canaries(ask(world.alice, NOW_ROUTE).content) == {"alice", "bob"}
    assert canaries(ask(world.bob, NOW_ROUTE).content) == {"bob"}
    assert canaries(ask(world.carol, NOW_ROUTE, what="model").content) == {"carol"}
    error(ask(world.bob, NOW_ROUTE, user=world.alice.pk), 404, "not_found")
    error(ask(world.alice, NOW_ROUTE, key=world.keys["carol"].pk), 404, "not_found")


def test_at_once_come_as_a_download(world: World) -> None:
    for form, begin in (
        ("csv", b"request_id,"),
        ("xlsx", b"PK"),
        ("jsonl", b"{"),
        ("focus", b"Bill"),
    ):
        told = ask(world.alice, NOW_ROUTE, from_="2026-03-01", to="2026-03-31", as_=form)
        assert told.status_code == 200
        assert told.content.startswith(begin)
        assert told["Content-Disposition"].startswith('attachment; filename="costsite-')
        assert "2026-03-01-to-2026-03-31" in told["Content-Disposition"]
        assert told["X-Content-Type-Options"] == "nosniff"


def test_too_large_at_once_say_where_they_are_ordered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MOST_AT_ONCE", 1)
    told = error(ask(world.alice, NOW_ROUTE), 400, "value_out_of_range")
    assert (told["rows"], "/api/v1/exports" in told["message"]) == (2, True)


def test_are_ordered_looked_at_fetched_and_expire(world: World, noon: Any) -> None:
    told = post(world.alice, LIST, {"what": "calls", "as": "csv", "days": 30})
    assert told.status_code == 202, told.content
    one = f"{LIST}/{told.json()['id']}"
    assert (told.json()["state"], told.json()["file"]) == ("waiting", None)
    error(fetched(world.alice, f"{one}/file")[0], 409, "conflict")

    operations.build_next(clock=clock.now)
    ready = ask(world.alice, one).json()
    assert (ready["state"], ready["percent"], ready["file"]) == ("ready", 100, f"{one}/file")
    assert Decimal(ready["total_usd"]) == world.costs["alice"] + world.costs["bob"]
    answer, content = fetched(world.alice, ready["file"])
    assert answer.status_code == 200
    assert canaries(content) == {"alice", "bob"}
    assert int(answer["Content-Length"]) == len(content)
    assert [row["id"] for row in ask(world.alice, LIST).json()["results"]] == [ready["id"]]

    noon.shift(timedelta(hours=25))
    error(fetched(world.alice, ready["file"])[0], 404, "not_found")


def test_belong_to_whoever_ordered_them(world: World) -> None:
    one = f"{LIST}/{post(world.alice, LIST).json()['id']}"
    operations.build_next(clock=clock.now)
    make.member(of=world.acme, name="vera", role=Membership.Role.OWNER)
    vera = User.objects.get(email="vera@example.org")

    for who in (world.bob, vera, world.carol):
        assert ask(who, LIST).json()["results"] == []
        for address in (one, f"{one}/file"):
            error(ask(who, address), 404, "not_found")
        error(post(who, f"{one}/retry"), 404, "not_found")


def test_close_with_what_their_maker_may_see(world: World) -> None:
    one = f"{LIST}/{post(world.alice, LIST).json()['id']}"
    operations.build_next(clock=clock.now)
    assert fetched(world.alice, f"{one}/file")[0].status_code == 200

    Membership.objects.filter(user=world.alice).update(role=Membership.Role.MEMBER)
    error(ask(world.alice, one), 404, "not_found")
    error(fetched(world.alice, f"{one}/file")[0], 404, "not_found")
    Membership.objects.filter(user=world.alice).delete()
    error(fetched(world.alice, f"{one}/file")[0], 403, "permission_denied")


def test_that_failed_are_built_again(world: World) -> None:
    one = f"{LIST}/{post(world.alice, LIST).json()['id']}"
    error(post(world.alice, f"{one}/retry"), 409, "conflict")
    Export.objects.update(state="failed", attempts=3, last_error="OSError")

    assert post(world.alice, f"{one}/retry").json()["state"] == "waiting"
    error(ask(world.alice, f"{one}/retry"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"what": "secrets"}, "value_out_of_range", "what"),
        ({"as": "pdf"}, "value_out_of_range", "as"),
        ({"days": 0}, "value_out_of_range", "days"),
        ({"days": True}, "invalid_type", "days"),
        ({"days": [1]}, "invalid_type", "days"),
        ({"tag": {"a": 1}}, "invalid_type", "tag"),
        ({"limit": 3}, "unknown_parameter", "limit"),
        ([], "invalid_type", None),
    ],
)
def test_refuse_what_makes_no_sense(world: World, body: Any, code: str, param: str | None) -> None:
    assert error(post(world.alice, LIST, body), 400, code)["param"] == param
    assert not Export.objects.exists()


def test_take_a_key_with_the_scope(world: World) -> None:
    _, text = make.key(of=world.acme, user=world.bob, scopes=["usage:read"])
    _, bare = make.key(of=world.acme, user=world.bob)
    headers = {"Authorization": f"Bearer {text}"}

    assert canaries(Client().get(NOW_ROUTE, headers=headers).content) == {"bob"}
    made = Client().post(LIST, {}, content_type="application/json", headers=headers)
    assert made.status_code == 202
    for route in ROUTES:
        method = Client().post if route.endswith("retry") else Client().get
        refused = method(route, headers={"Authorization": f"Bearer {bare}"})
        error(refused, 403, "scope_missing")
