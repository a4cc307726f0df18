"""API keys in the admin."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from budgets.core.clock import now
from budgets.holds.operations import hold
from budgets.holds.terms import HoldRequest
from budgets.tenancy import keys
from budgets.tenancy.models import ApiKey, Organization
from budgets.tenancy.operations import pepper
from tests import make
from tests.admin_pages import (
    act,
    fields_in,
    list_of,
    new,
    page_of,
    staff,
    submit,
    superuser,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    return make.organization()


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user())[0]


def asked(key: ApiKey) -> str:
    request = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal("0.1"),
        least_usd=Decimal("0.1"),
        tokens=10,
        ttl_s=60,
    )
    return hold(request=request).code


def add(client: Client, acme: Organization, **fields: Any) -> Any:
    project = make.project(of=acme)
    wanted = {"project": str(project.pk), "user": str(make.user().pk), "name": "Batch"}
    return submit(client, new(ApiKey), **(wanted | fields))


def text_in(html: str) -> str:
    return html.split('value="cs_live_')[1].split('"', maxsplit=1)[0]


def test_shows_a_new_key_once_with_a_line_to_try_it(acme: Organization) -> None:
    client = superuser()

    answer = add(client, acme, allowed_models="openai/*, gpt-4o-mini")

    html = answer.content.decode()
    text = f"cs_live_{text_in(html)}"
    made = ApiKey.objects.get(name="Batch")
    parts = keys.split(text)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert parts is not None
    assert keys.digest(secret=parts.secret, pepper=pepper()) == bytes(made.secret_digest)
    assert (made.organization, made.allowed_models) == (acme, ["openai/*", "gpt-4o-mini"])
    assert "curl -si http://testserver/v1/chat/completions" in html
    assert html.count(text) == 3
    assert "&quot;model&quot;" not in html
    assert '"model": "gpt-4o-mini"' in html

    for address in (page_of(made), list_of(ApiKey), page_of(made).replace("change", "history")):
        later = text_of(client, address)
        assert parts.secret not in later
        assert bytes(made.secret_digest).hex() not in later
    assert parts.secret not in str(client.session.items())
    assert parts.secret not in str(client.cookies)


def test_refuses_a_user_who_is_no_member(acme: Organization) -> None:
    carol = make.user(name="carol")

    answer = add(superuser(), acme, user=str(carol.pk))

    assert "carol@example.org is not a member of Acme." in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_refuses_an_archived_project_and_an_expiry_in_the_past(acme: Organization) -> None:
    acme.projects.update(archived_at=now())

    html = add(
        superuser(), acme, expires_at_0="2020-01-01", expires_at_1="00:00:00"
    ).content.decode()

    assert "The project is archived" in html
    assert "This is in the past" in html


def test_changes_name_expiry_and_models_and_nothing_else(key: ApiKey) -> None:
    digest, until = key.secret_digest, now() + timedelta(days=7)

    answer = submit(
        superuser(),
        page_of(key),
        name="Desktop",
        allowed_models="demo/*",
        expires_at_0=f"{until:%Y-%m-%d}",
        expires_at_1="12:00:00",
    )

    assert answer.status_code == 302
    key.refresh_from_db()
    assert (key.name, key.allowed_models) == ("Desktop", ["demo/*"])
    assert key.expires_at is not None
    assert key.expires_at.hour == 12
    assert bytes(key.secret_digest) == bytes(digest)


def test_suspends_and_resumes_and_revokes_for_good(key: ApiKey) -> None:
    client = superuser()

    act(client, "suspend", key)
    assert asked(key) == "invalid_api_key"
    act(client, "resume", key)
    assert asked(key) == "admitted"

    assert "never be used again" in act(client, "revoke", key).content.decode()
    assert asked(key) == "admitted"
    act(client, "revoke", key, confirmed="yes")
    assert asked(key) == "invalid_api_key"

    answer = client.post(
        list_of(ApiKey), {"action": "resume", "_selected_action": [str(key.pk)]}, follow=True
    )
    assert "0 set to active. The others were so already, or are revoked." in answer.content.decode()
    assert asked(key) == "invalid_api_key"


def test_a_revoked_key_is_not_brought_back_on_its_page_either(key: ApiKey) -> None:
    client = superuser()
    submit(client, page_of(key), status="revoked")

    client.post(page_of(key), {"name": "Laptop", "status": "active"})

    assert asked(key) == "invalid_api_key"


def test_finds_a_key_by_what_somebody_pasted_of_it(key: ApiKey, acme: Organization) -> None:
    other, _ = make.key(of=acme, user=make.user(), name="Other")
    client = superuser()

    for term in (key.lookup_id, key.masked, "Laptop"):
        html = text_of(client, f"{list_of(ApiKey)}?q={term}")
        assert key.lookup_id in html
        assert other.lookup_id not in html


def test_finds_keys_that_nobody_needs(key: ApiKey, acme: Organization) -> None:
    ApiKey.objects.filter(pk=key.pk).update(
        last_used_at=now() - timedelta(days=100), expires_at=now() + timedelta(days=3)
    )
    fresh, _ = make.key(of=acme, user=make.user(), name="Fresh")
    client = superuser()

    for query, found in (
        ("unused=long", key),
        ("unused=never", fresh),
        ("expiry=soon", key),
        ("expiry=none", fresh),
    ):
        rows = client.get(f"{list_of(ApiKey)}?{query}").context["cl"].result_list
        assert list(rows) == [found], query
    assert not client.get(f"{list_of(ApiKey)}?expiry=past").context["cl"].result_list


def test_lets_staff_act_only_where_they_may_change(key: ApiKey, acme: Organization) -> None:
    act(staff("view_apikey", name="viewer"), "suspend", key)
    assert asked(key) == "admitted"

    clerk = staff("view_apikey", "change_apikey")
    assert clerk.get(new(ApiKey)).status_code == 403
    act(clerk, "suspend", key)
    assert asked(key) == "invalid_api_key"


def rotation_of(key: ApiKey) -> str:
    return page_of(key).removesuffix("change/") + "rotate/"


def test_rotates_a_key_and_shows_the_new_secret_once(key: ApiKey) -> None:
    client = superuser()
    before = bytes(key.secret_digest)
    assert rotation_of(key) in text_of(client, page_of(key))

    answer = submit(client, rotation_of(key), overlap_hours="2")

    parts = keys.split(f"cs_live_{text_in(answer.content.decode())}")
    assert parts is not None
    assert "no-store" in answer["Cache-Control"]
    key.refresh_from_db()
    assert bytes(key.secret_digest) == keys.digest(secret=parts.secret, pepper=pepper())
    assert bytes(key.previous_digest) == before
    assert key.previous_expires_at is not None
    assert abs(key.previous_expires_at - now() - timedelta(hours=2)) < timedelta(minutes=1)
    assert parts.secret not in text_of(client, page_of(key))


def test_offers_a_day_of_overlap_and_refuses_a_negative_one(key: ApiKey) -> None:
    client = superuser()

    assert fields_in(text_of(client, rotation_of(key)))["overlap_hours"] == "24"
    refused = submit(client, rotation_of(key), overlap_hours="-1")

    assert "greater than or equal to 0" in refused.content.decode()


def test_rotates_no_revoked_key_and_for_nobody_who_may_not(key: ApiKey) -> None:
    assert staff("view_apikey").get(rotation_of(key)).status_code == 403
    ApiKey.objects.filter(pk=key.pk).update(status=ApiKey.Status.REVOKED)
    client = superuser()

    assert client.post(rotation_of(key), {"overlap_hours": "1"}).status_code == 403
    assert rotation_of(key) not in text_of(client, page_of(key))
