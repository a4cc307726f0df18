"""Past use over HTTP: figures as the ledger has them, walls between tenants, and clear errors."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from budgets.tenancy.models import ApiKey, Membership, Organization, User
from tests import make
from tracking.pricing.usage import Usage as Used
from tracking.usage import operations
from tracking.usage.serializers import ROWS
from tracking.usage.urls import urlpatterns

pytestmark = pytest.mark.django_db

ROUTES = [f"/{route.pattern}" for route in urlpatterns]
BY_ROUTES = [route for route in ROUTES if "/by-" in route]


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(make.NOW + timedelta(hours=1), tick=False):
        yield


@dataclass(frozen=True)
class World:
    """acme, where alice owns, bob is a member, lena leads Side and vera views; carol's globex."""

    acme: Organization
    alice: User
    bob: User
    lena: User
    vera: User
    carol: User
    costs: dict[str, Decimal]
    keys: dict[str, ApiKey]


@pytest.fixture
def world() -> World:
    acme = make.organization(time_zone="Europe/Berlin")
    alice = make.user()
    bob = make.member(of=acme)
    lena = make.member(of=acme, name="lena", role=Membership.Role.LEAD)
    vera = make.member(of=acme, name="vera", role=Membership.Role.VIEWER)
    carol = make.user(name="carol")
    globex = make.organization(slug="globex", owner=carol)
    side = make.project(of=acme, slug="side")
    side.leads.set([Membership.objects.get(organization=acme, user=lena)])
    keys = {
        "alice": make.key(of=acme, user=alice)[0],
        "bob": make.key(of=acme, user=bob)[0],
        "bob-side": make.key(of=acme, user=bob, in_project=side)[0],
        "lena": make.key(of=acme, user=lena)[0],
        "carol": make.key(of=globex, user=carol)[0],
    }
    costs = {
        name: make.call(
            key=key, model=f"canary-{name}", used=Used(input_tokens=10 ** (n + 1), output_tokens=n)
        )[1]
        for n, (name, key) in enumerate(keys.items())
    }
    return World(acme, alice, bob, lena, vera, carol, costs, keys)


def ask(who: User | None, address: str, **params: Any) -> Any:
    client = Client()
    if who:
        client.force_login(who)
    return client.get(address, {name.rstrip("_"): value for name, value in params.items()})


def total_of(who: User, **params: Any) -> Decimal:
    return Decimal(ask(who, "/api/v1/usage/total", **params).json()["total"]["cost_usd"])


def error(response: Any, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is an error in the documented shape; give what it says."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    told: dict[str, Any] = response.json()["error"]
    assert {"message", "type", "param", "code"} <= set(told)
    assert told["code"] == code
    return told


def test_every_route_is_swept() -> None:
    assert len(ROUTES) == len(ROWS) + 9


@pytest.mark.parametrize("route", ROUTES)
def test_opens_nothing_to_strangers(world: World, route: str) -> None:
    error(ask(None, route), 401, "not_authenticated")
    for slug in ("acme", "nowhere"):
        error(ask(world.carol, route, organization=slug), 404, "not_found")
    nobody = make.user(name="nobody", is_superuser=True, is_staff=True)
    error(ask(nobody, route), 403, "permission_denied")
    error(Client().post(route, {}, content_type="application/json"), 401, "not_authenticated")


@pytest.mark.parametrize("route", ROUTES)
def test_tells_nothing_of_others(world: World, route: str) -> None:
    """Every model's name is a canary of whose call it was."""
    for who, sees in (
        (world.alice, {"alice", "bob", "bob-side", "lena"}),
        (world.vera, {"alice", "bob", "bob-side", "lena"}),
        (world.lena, {"lena", "bob-side"}),
        (world.bob, {"bob", "bob-side"}),
        (world.carol, {"carol"}),
    ):
        told = ask(who, route, limit=50) if "/by-" in route else ask(who, route)
        assert told.status_code == 200, told.content
        shown = {name for name in world.costs if f"canary-{name}" in told.content.decode()}
        assert shown <= {f for f in world.costs if f in sees or any(s.startswith(f) for s in sees)}
        if route.endswith(("by-model", "efficiency", "report", "movers")):
            assert {f'"canary-{name}"' for name in sees} == {
                f'"canary-{name}"'
                for name in world.costs
                if f'"canary-{name}"' in told.content.decode()
            }


def test_adds_up_what_each_role_sees(world: World) -> None:
    costs = world.costs
    everything = sum(costs.values()) - costs["carol"]

    assert total_of(world.alice) == total_of(world.vera) == everything
    assert total_of(world.bob) == costs["bob"] + costs["bob-side"]
    assert total_of(world.lena) == costs["lena"] + costs["bob-side"]
    assert total_of(world.carol) == costs["carol"]
    operations.fill(now=make.NOW)
    assert total_of(world.lena) == costs["lena"] + costs["bob-side"]
    assert total_of(world.bob) == costs["bob"] + costs["bob-side"]


def test_a_lead_leads_only_while_that_is_their_role(world: World) -> None:
    Membership.objects.filter(user=world.lena).update(role=Membership.Role.MEMBER)

    assert total_of(world.lena) == world.costs["lena"]


@pytest.mark.parametrize("route", ROUTES)
def test_answers_for_what_may_not_be_seen_as_for_what_is_not(world: World, route: str) -> None:
    carols = world.keys["carol"]
    for who, wrong in (
        (world.alice, {"user": world.carol.pk}),
        (world.alice, {"project": carols.project_id}),
        (world.alice, {"key": carols.pk}),
        (world.alice, {"user": 2**62}),
        (world.bob, {"user": world.alice.pk}),
        (world.bob, {"key": world.keys["alice"].pk}),
        (world.lena, {"user": world.alice.pk}),
        (world.lena, {"key": world.keys["bob"].pk}),
    ):
        told = error(ask(who, route, **wrong), 404, "not_found")
        assert told["param"] == next(iter(wrong))


def test_a_lead_may_ask_for_those_who_spend_in_their_project(world: World) -> None:
    assert total_of(world.lena, user=world.bob.pk) == world.costs["bob-side"]
    assert total_of(world.lena, key=world.keys["bob-side"].pk) == world.costs["bob-side"]


def test_takes_a_key_with_the_scope(world: World) -> None:
    key, text = make.key(of=world.acme, user=world.bob, scopes=["usage:read"])
    headers = {"Authorization": f"Bearer {text}"}
    address = "/api/v1/usage/total"

    told = Client().get(address, headers=headers)
    assert told.status_code == 200
    assert Decimal(told.json()["total"]["cost_usd"]) == total_of(world.bob)
    error(Client().get(f"{address}?organization=globex", headers=headers), 404, "not_found")

    ApiKey.objects.filter(pk=key.pk).update(scopes=[])
    assert error(Client().get(address, headers=headers), 403, "scope_missing")["scope"]
    ApiKey.objects.filter(pk=key.pk).update(scopes=["usage:read"], expires_at=make.NOW)
    error(Client().get(address, headers=headers), 401, "invalid_api_key")
    ApiKey.objects.filter(pk=key.pk).update(expires_at=None, status="revoked")
    refused = Client().get(address, headers=headers)
    error(refused, 401, "invalid_api_key")
    assert refused["WWW-Authenticate"] == "Bearer"
    for sent in ("", "Bearer nonsense", f"Bearer {text[:-1]}0", "Basic YTpi"):
        error(Client().get(address, headers={"Authorization": sent}), 401, "invalid_api_key")


def test_a_key_ends_with_its_users_membership(world: World) -> None:
    _, text = make.key(of=world.acme, user=world.bob, scopes=["usage:read"])
    Membership.objects.filter(user=world.bob).delete()

    refused = Client().get("/api/v1/usage/total", headers={"Authorization": f"Bearer {text}"})
    error(refused, 401, "invalid_api_key")


def test_writes_money_with_twelve_places_and_instants_in_utc(world: World) -> None:
    told = ask(world.alice, "/api/v1/usage/total", from_="2026-03-01", to="2026-03-31").json()

    assert told["organization"] == "acme"
    assert told["period"] == {
        "first_on": "2026-03-01",
        "last_on": "2026-03-31",
        "days": 31,
        "time_zone": "Europe/Berlin",
        "starts_at": "2026-02-28T23:00:00Z",
        "ends_at": "2026-03-31T22:00:00Z",
    }
    assert len(told["total"]["cost_usd"].partition(".")[2]) == 12
    assert told["total"]["calls"] == 4
    assert (told["in_flight_calls"], told["in_flight_usd"]) == (0, "0.000000000000")


@pytest.mark.parametrize("route", BY_ROUTES)
def test_rows_add_up_to_their_total(world: World, route: str) -> None:
    make.call(key=world.keys["bob"], end_user="u1", at=make.NOW - timedelta(days=2))
    told = ask(world.alice, route).json()

    if "tag" not in route and "session" not in route and "end-user" not in route:
        assert sum(Decimal(row["cost_usd"]) for row in told["results"]) == Decimal(
            told["total"]["cost_usd"]
        )
        assert [row["cost_usd"] for row in told["results"]] == sorted(
            (row["cost_usd"] for row in told["results"]), key=Decimal, reverse=True
        )
    assert Decimal(told["total"]["cost_usd"]) == total_of(world.alice)
    assert len(ask(world.alice, route, limit=1).json()["results"]) <= 1


def test_names_people_projects_and_keys(world: World) -> None:
    (first, *_) = ask(world.alice, "/api/v1/usage/by-user").json()["results"]
    assert {"user_id": world.lena.pk, "name": "Lena", "email": "lena@example.org"}.items() <= (
        first.items()
    )
    projects = ask(world.alice, "/api/v1/usage/by-project").json()["results"]
    assert {row["slug"] for row in projects} == {"default", "side"}
    keys = ask(world.alice, "/api/v1/usage/by-key").json()["results"]
    assert {row["masked"] for row in keys} == {
        key.masked for name, key in world.keys.items() if name != "carol"
    }


def test_gives_every_day_and_every_hour(world: World) -> None:
    days = ask(world.alice, "/api/v1/usage/daily", from_="2026-03-27", to="2026-03-31").json()
    hours = ask(world.alice, "/api/v1/usage/hourly", from_="2026-03-29", to="2026-03-29").json()

    assert [row["date"] for row in days["results"]] == [f"2026-03-{n}" for n in range(27, 32)]
    # Clocks go forward that night: a day of 23 hours.
    assert len(hours["results"]) == 23
    assert hours["results"][0]["starts_at"] == "2026-03-28T23:00:00Z"
    today = ask(world.alice, "/api/v1/usage/hourly", days=1).json()
    busy = [row for row in today["results"] if row["calls"]]
    assert [row["starts_at"] for row in busy] == ["2026-03-18T12:00:00Z"]


def test_compares_with_the_days_before(world: World) -> None:
    key = world.keys["alice"]
    _, before = make.call(key=key, model="canary-alice", at=make.NOW - timedelta(days=7))
    make.call(key=key, model="gone", at=make.NOW - timedelta(days=8))

    told = ask(world.alice, "/api/v1/usage/by-model", days=7, compare="previous").json()
    rows = {row["model"]: row for row in told["results"]}
    assert Decimal(rows["canary-alice"]["previous"]["cost_usd"]) == before
    assert Decimal(rows["canary-alice"]["change_usd"]) == world.costs["alice"] - before
    assert Decimal(rows["canary-alice"]["change"]) < 0
    assert rows["gone"]["calls"] == 0
    assert rows["canary-bob"]["change"] is None
    moved = ask(world.alice, "/api/v1/usage/movers", days=7, limit=3).json()["results"]
    changes = [abs(Decimal(row["change_usd"])) for row in moved]
    assert changes == sorted(changes, reverse=True)
    assert len(changes) == 3
    total = ask(world.alice, "/api/v1/usage/total", days=7, compare="previous").json()
    assert Decimal(total["change_usd"]) == Decimal(total["total"]["cost_usd"]) - Decimal(
        total["previous"]["cost_usd"]
    )


def test_reports_as_the_chapter_does(world: World) -> None:
    told = ask(world.alice, "/api/v1/report", days=30).json()

    assert set(told) == {
        "organization",
        "period",
        "total_cost",
        "daily_breakdown",
        "cost_by_model",
        "cost_by_user",
        "cost_efficiency",
        "alerts",
    }
    assert Decimal(told["total_cost"]) == total_of(world.alice)
    for part in ("daily_breakdown", "cost_by_model", "cost_by_user"):
        assert sum(Decimal(row["cost"]) for row in told[part]) == Decimal(told["total_cost"])
    assert len(told["daily_breakdown"]) == 30
    tokens = [Decimal(row["cost_per_token"]) for row in told["cost_efficiency"]]
    assert tokens == sorted(tokens)
    assert told["alerts"] == []


def test_says_what_money_gave(world: World) -> None:
    make.call(
        key=world.keys["alice"],
        model="canary-alice",
        used=Used(input_tokens=990, cached_input_tokens=500, output_tokens=1000),
    )
    told = ask(world.alice, "/api/v1/usage/efficiency", model="canary-alice").json()

    (row,) = told["results"]
    cost = Decimal(row["cost_usd"])
    assert row["tokens"] == 2000
    assert Decimal(row["usd_per_token"]) == cost / 2000
    assert Decimal(row["usd_per_1k_output_tokens"]) == cost
    assert row["tokens_per_call"] == "1000.000000"
    assert row["cached_share"] == "0.500000"


@pytest.mark.parametrize("asked", [{"format": "csv"}, {}])
def test_gives_a_table_to_spreadsheets(world: World, asked: dict[str, str]) -> None:
    make.call(key=world.keys["alice"], end_user='=HYPERLINK("evil")', model="m")
    client = Client()
    client.force_login(world.alice)
    headers = {} if asked else {"Accept": "text/csv"}

    told = client.get("/api/v1/usage/by-end-user", asked, headers=headers)

    assert told["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(told.content.decode()))
    assert row["end_user"] == '\'=HYPERLINK("evil")'
    as_json = client.get("/api/v1/usage/by-end-user").json()["results"]
    assert row["cost_usd"] == as_json[0]["cost_usd"]
    assert error(client.get("/api/v1/usage/total?format=csv&days=0"), 400, "value_out_of_range")


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"days": "0"}, "value_out_of_range", "days"),
        ({"days": "367"}, "value_out_of_range", "days"),
        ({"days": "-1"}, "value_out_of_range", "days"),
        ({"days": "1' or '1'='1"}, "value_out_of_range", "days"),
        ({"days": "٣"}, "value_out_of_range", "days"),
        ({"days": "9" * 400}, "value_out_of_range", "days"),
        ({"days": "3", "from": "2026-03-01"}, "value_out_of_range", "days"),
        ({"to": "2026-03-01"}, "value_out_of_range", "from"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "value_out_of_range", "from"),
        ({"from": "2024-03-02", "to": "2026-03-01"}, "value_out_of_range", "from"),
        ({"from": "yesterday"}, "value_out_of_range", "from"),
        ({"from": "0001-01-01"}, "value_out_of_range", "from"),
        ({"model": "a\x00b"}, "value_out_of_range", "model"),
        ({"model": "m" * 161}, "value_out_of_range", "model"),
        ({"user": "me"}, "value_out_of_range", "user"),
        ({"user": str(2**63)}, "value_out_of_range", "user"),
        ({"colour": "red"}, "unknown_parameter", "colour"),
        ({"model": ["a", "b"]}, "value_out_of_range", "model"),
    ],
)
@pytest.mark.parametrize("route", ["/api/v1/usage/total", "/api/v1/report"])
def test_says_what_makes_no_sense(
    world: World, route: str, params: dict[str, Any], code: str, param: str
) -> None:
    told = error(ask(world.alice, route, **params), 400, code)

    assert told["param"] == param


def test_gives_hours_of_a_month_at_most(world: World) -> None:
    error(ask(world.alice, "/api/v1/usage/hourly", days=32), 400, "value_out_of_range")
    error(ask(world.alice, "/api/v1/usage/movers", by="colour"), 400, "value_out_of_range")
    error(ask(world.alice, "/api/v1/usage/total", format="xml"), 404, "not_found")
    error(ask(world.alice, "/api/v1/usage/nothing"), 404, "not_found")


def check(value: Any, node: Any, where: str, parts: dict[str, Any]) -> None:
    """Hold a value against what a schema says of it: the same fields, all the way down."""
    while "$ref" in node:
        node = parts[node["$ref"].rpartition("/")[2]]
    if isinstance(value, dict):
        assert set(node.get("required", ())) <= set(value) <= set(node["properties"]), where
        for name, part in value.items():
            told = node["properties"][name]
            check(part, told.get("allOf", [told])[0], f"{where}.{name}", parts)
    for part in value if isinstance(value, list) else ():
        check(part, node["items"], f"{where}[]", parts)


def test_is_described_by_its_schema(world: World) -> None:
    """What is answered has the fields that the document tells of, and no others."""
    schema = Client().get("/api/schema/?format=json").json()
    for route in ROUTES:
        params = {"compare": "previous"} if "/by-" in route or route.endswith("total") else {}
        answer = schema["paths"][route]["get"]["responses"]["200"]
        node = answer["content"]["application/json"]["schema"]
        check(
            ask(world.alice, route, **params).json(), node, route, schema["components"]["schemas"]
        )


def test_has_pages_of_documentation_from_our_own_files() -> None:
    page = Client().get(reverse("api-docs"))

    assert page.status_code == 200
    text = page.content.decode()
    assert "swagger-ui" in text
    assert "//cdn" not in text
    assert 'src="http' not in text
    assert 'href="http' not in text


def test_keeps_to_filters(world: World) -> None:
    at = datetime(2026, 3, 18, 11, tzinfo=UTC)
    _, cost = make.call(
        key=world.keys["bob-side"], at=at, end_user="u1", provider="other", endpoint="embeddings"
    )
    own = world.keys["bob-side"]
    for filters in (
        {"end_user": "u1"},
        {"provider": "other"},
        {"endpoint": "embeddings"},
        {"model": "gpt-4o-mini"},
        {"user": own.user_id, "provider": "other", "project": own.project_id, "key": own.pk},
    ):
        assert total_of(world.alice, **filters) == cost, filters
        operations.fill(now=make.NOW)
        assert total_of(world.alice, **filters) == cost, filters
    assert total_of(world.alice, provider="other", model="nothing") == 0
