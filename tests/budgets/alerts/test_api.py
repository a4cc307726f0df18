"""Alerts, rules, channels and deliveries over HTTP: walls between tenants, clear errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings

from budgets.alerts.models import Alert, AlertRule, Channel, Delivery
from budgets.alerts.urls import urlpatterns
from budgets.tenancy.models import ApiKey, Organization, User
from tests import make
from tests.budgets.alerts.things import SLACK_URL, channel, rule, spend, tick
from tests.fakes.receiver import Receiver
from tests.make import NOW

pytestmark = pytest.mark.django_db

JSON = "application/json"
RULE = {"name": "Rate", "kind": "spend_rate", "critical_at": ["50"]}


@pytest.fixture
def bob(acme: Organization) -> User:
    return make.member(of=acme)


@pytest.fixture
def carol() -> User:
    carol = make.user(name="carol")
    make.organization(slug="globex", owner=carol)
    return carol


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running, override_settings(COSTSITE_OUTBOUND_NETWORKS=["127.0.0.0/8"]):
        yield running


def as_(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


def error(response: Any, status: int, code: str, param: str | None = None) -> str:
    assert response.status_code == status, response.content
    told = response.json()["error"]
    assert (told["code"], told["param"]) == (code, param)
    return str(told["message"])


def results(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    return list(response.json()["results"])


def crossed(acme: Organization, key: ApiKey) -> Alert:
    rule(of=acme, each="user")
    spend(key=key, usd="12")
    tick()
    return Alert.objects.get()


def test_lists_alerts_with_amounts_as_text(acme: Organization, key: ApiKey, slack: Channel) -> None:
    crossed(acme, key)
    (told,) = results(as_(key.user).get("/api/v1/alerts"))

    assert told["title"] == "User alice@example.org spending alert: $12.00 (limit: $10.00)"
    assert (told["value"], told["threshold"]) == ("12.000000000000", "10.000000000000")
    assert (told["state"], told["level"], told["kind"]) == ("open", "warning", "spend")
    assert results(as_(key.user).get("/api/v1/alerts", {"state": "recovered"})) == []


def test_shows_members_what_is_about_them_only(
    acme: Organization, key: ApiKey, bob: User, carol: User
) -> None:
    alert = crossed(acme, key)

    for who in (bob, carol):
        assert results(as_(who).get("/api/v1/alerts")) == []
        error(as_(who).post(f"/api/v1/alerts/{alert.pk}/acknowledge"), 404, "not_found")
    alert.refresh_from_db()
    assert alert.state == "open"


def test_takes_an_alert_on(acme: Organization, key: ApiKey) -> None:
    alert = crossed(acme, key)

    told = as_(key.user).post(f"/api/v1/alerts/{alert.pk}/acknowledge").json()

    assert (told["state"], told["acknowledged_by"]) == ("acknowledged", "alice@example.org")


def test_makes_and_changes_a_rule(acme: Organization, key: ApiKey, slack: Channel) -> None:
    client = as_(key.user)
    given = RULE | {"scope": "user", "target": "alice@example.org", "channels": [slack.pk]}
    made = client.post("/api/v1/rules", given, JSON)
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["target"], told["channels"]) == ("alice@example.org", [slack.pk])
    assert told["critical_at"] == ["50.000000000000"]
    kept = AlertRule.objects.get()
    assert (kept.organization, kept.target) == (acme, str(key.user_id))

    address = f"/api/v1/rules/{kept.pk}"
    changed = client.patch(address, {"muted_until": "2030-01-01T00:00:00Z"}, JSON)
    assert changed.status_code == 200, changed.content
    assert client.get(address).json()["muted_until"] == "2030-01-01T00:00:00Z"
    assert results(client.get("/api/v1/rules"))[0]["critical_at"] == ["50.000000000000"]
    kept.refresh_from_db()
    assert kept.channels.get() == slack


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"kind": "nonsense"}, "invalid_request"),
        ({"critical_at": ["much"]}, "invalid_request"),
        ({"critical_at": []}, "value_out_of_range"),
        ({"critical_at": ["1"] * 30}, "invalid_request"),
        ({"treshold": 5}, "invalid_request"),
        ({"scope": "user", "target": "nobody@example.org"}, "value_out_of_range"),
        ({"scope": "user"}, "value_out_of_range"),
        ({"quiet_from": "09:00"}, "value_out_of_range"),
        ({"channels": [10**30]}, "invalid_request"),
        ({"budget": 999}, "invalid_request"),
        ({"name": "a\x00b"}, "invalid_request"),
        ({"cooldown_minutes": -1}, "invalid_request"),
    ],
)
def test_says_what_is_wrong_with_a_rule(
    acme: Organization, key: ApiKey, wrong: dict[str, Any], code: str
) -> None:
    response = as_(key.user).post("/api/v1/rules", RULE | wrong, JSON)

    assert response.status_code == 400, response.content
    assert response.json()["error"]["code"] == code
    assert not AlertRule.objects.exists()


@pytest.mark.parametrize("body", ["[]", "7", '"x"', "{", "null", ""])
def test_refuses_what_is_no_object(acme: Organization, key: ApiKey, body: str) -> None:
    for path in ("rules", "channels"):
        response = as_(key.user).generic("POST", f"/api/v1/{path}", body, JSON)
        assert response.status_code == 400, response.content
        assert set(response.json()) == {"error"}


def test_refuses_channels_and_budgets_of_others(
    acme: Organization, key: ApiKey, carol: User
) -> None:
    globex = Organization.objects.get(slug="globex")
    theirs, budget = channel(of=globex), make.budget(organization=globex, limit="1")

    for more in ({"channels": [theirs.pk]}, {"budget": budget.pk}):
        response = as_(key.user).post("/api/v1/rules", RULE | more, JSON)
        assert response.status_code == 400, response.content


def test_makes_a_channel_and_never_shows_its_secret(acme: Organization, key: ApiKey) -> None:
    client = as_(key.user)
    given = {"name": "Ops", "kind": "slack", "settings": {"url": SLACK_URL}}

    made = client.post("/api/v1/channels", given, JSON)

    assert made.status_code == 201, made.content
    assert made.json()["settings"] == {"url": "93.184.215.14/…oken"}
    assert b"secret-token" not in made.content + client.get("/api/v1/channels").content


def test_tells_a_webhooks_secret_once_and_a_new_one_when_asked(
    acme: Organization, key: ApiKey
) -> None:
    client = as_(key.user)
    given = {"name": "Hook", "kind": "webhook", "settings": {"url": SLACK_URL}}
    made = client.post("/api/v1/channels", given, JSON).json()
    assert made["secret"].startswith("whsec_")

    address = f"/api/v1/channels/{made['id']}"
    assert "secret" not in client.get(address).json()
    assert "secret" not in client.patch(address, {"name": "Other"}, JSON).json()
    assert client.post(f"{address}/secret").json()["secret"] != made["secret"]


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"kind": "slack", "settings": {"url": "https://10.0.0.7/"}}, "address_refused", None),
        ({"kind": "teams", "settings": {"url": "http://93.184.215.14/"}}, "address_refused", None),
        ({"kind": "webhook"}, "value_out_of_range", "url"),
        ({"kind": "webhook", "settings": []}, "invalid_request", None),
        ({"kind": "email", "settings": {"to": ["nobody"]}}, "value_out_of_range", "to"),
        ({"kind": "email", "settings": {"to": [7]}}, "value_out_of_range", "to"),
        ({"kind": "email", "settings": {"roles": ["king"]}}, "value_out_of_range", "roles"),
        ({"kind": "email"}, "value_out_of_range", "to"),
        ({"kind": "pigeon"}, "invalid_request", None),
    ],
)
def test_says_what_is_wrong_with_a_channel(
    acme: Organization, key: ApiKey, given: dict[str, Any], code: str, param: str | None
) -> None:
    response = as_(key.user).post("/api/v1/channels", {"name": "Ops"} | given, JSON)

    error(response, 400, code, param)
    assert not Channel.objects.exists()


def test_tests_a_channel(acme: Organization, key: ApiKey, receiver: Receiver) -> None:
    made = channel(of=acme, url=receiver.url)
    client = as_(key.user)
    assert client.post(f"/api/v1/channels/{made.pk}/test").json()["state"] == "sent"

    receiver.answer(404, body=b"no_service")
    told = client.post(f"/api/v1/channels/{made.pk}/test").json()
    assert (told["state"], told["last_error"]) == ("dead", "The receiver answered 404: no_service")


def test_sends_dead_messages_again(acme: Organization, key: ApiKey, slack: Channel) -> None:
    crossed(acme, key)
    Delivery.objects.update(state="dead")
    client = as_(key.user)
    (dead,) = results(client.get("/api/v1/deliveries", {"state": "dead"}))

    assert client.post(f"/api/v1/deliveries/{dead['id']}/resend").json()["state"] == "waiting"


def test_lets_only_managers_at_rules_channels_and_deliveries(
    acme: Organization, key: ApiKey, bob: User, slack: Channel
) -> None:
    kept = rule(of=acme)
    for method, path in (
        ("get", "rules"),
        ("post", "rules"),
        ("get", f"rules/{kept.pk}"),
        ("patch", f"rules/{kept.pk}"),
        ("get", "channels"),
        ("post", "channels"),
        ("patch", f"channels/{slack.pk}"),
        ("post", f"channels/{slack.pk}/test"),
        ("post", f"channels/{slack.pk}/secret"),
        ("get", "deliveries"),
    ):
        response = getattr(as_(bob), method)(f"/api/v1/{path}", content_type=JSON)
        error(response, 403, "permission_denied")


def test_knows_nothing_of_other_tenants(acme: Organization, key: ApiKey, carol: User) -> None:
    kept, slack = rule(of=acme), channel(of=acme)
    for path in (f"rules/{kept.pk}", f"channels/{slack.pk}", "rules/0", f"rules/{2**70}"):
        error(as_(carol).get(f"/api/v1/{path}"), 404, "not_found")
    for path in ("alerts", "rules", "channels", "deliveries"):
        error(as_(carol).get(f"/api/v1/{path}?organization=acme"), 404, "not_found")
        assert results(as_(carol).get(f"/api/v1/{path}")) == []


@pytest.mark.parametrize(
    "path", sorted({f"/{p.pattern}" for p in urlpatterns if "api/" in str(p.pattern)})
)
def test_opens_nothing_to_strangers(path: str) -> None:
    address = path.replace("<int:pk>", "1").replace(
        "<uuid:pk>", "00000000-0000-0000-0000-000000000001"
    )
    for method in ("get", "post", "patch"):
        assert getattr(Client(), method)(address).status_code == 401


def test_takes_keys_that_carry_the_scope(acme: Organization) -> None:
    alice = make.user()
    reads, text = make.key(of=acme, user=alice, name="Reads")
    reads.scopes = ["alerts:read"]
    reads.save()
    headers = {"authorization": f"Bearer {text}"}

    assert Client().get("/api/v1/rules", headers=headers).status_code == 200
    response = Client().post("/api/v1/rules", RULE, JSON, headers=headers)
    error(response, 403, "scope_missing")


def test_pages_by_cursor(acme: Organization, key: ApiKey) -> None:
    for number in range(5):
        rule(of=acme, name=f"Rule {number}")
    client, seen = as_(key.user), []
    address = "/api/v1/rules?limit=2"
    while address:
        page = client.get(address).json()
        seen += [row["name"] for row in page["results"]]
        address = page["next"]

    assert seen == [f"Rule {number}" for number in (4, 3, 2, 1, 0)]
    assert client.get("/api/v1/rules?cursor=nonsense").status_code == 404
    error(client.get("/api/v1/alerts?satte=open"), 400, "unknown_parameter", "satte")


def test_the_report_lists_what_was_told(acme: Organization, key: ApiKey, bob: User) -> None:
    crossed(acme, key)
    days = {"from": NOW.date().isoformat(), "to": NOW.date().isoformat()}

    told = as_(key.user).get("/api/v1/report", days).json()["alerts"]
    assert told == ["User alice@example.org spending alert: $12.00 (limit: $10.00)"]
    assert as_(bob).get("/api/v1/report", days).json()["alerts"] == []
    before = {"from": "2026-03-01", "to": "2026-03-17"}
    assert as_(key.user).get("/api/v1/report", before).json()["alerts"] == []
