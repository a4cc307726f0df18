"""The page of files, and the buttons that lead to it."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from budgets.tenancy.models import ApiKey, User
from tests import make
from tests.tracking.spending.pages import amounts, get, text
from tracking.exports import operations
from tracking.exports.models import Export
from tracking.pricing.usage import Usage as Used

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

PAGE = "/spending/exports/"


def signed_in(user: User) -> Any:
    client = Client()
    client.force_login(user)
    return client


def press(client: Any, address: str, *, what: str, form: str) -> Any:
    """Press a button of a page as a browser would: send all fields of its form."""
    page = client.get(address).content.decode()
    forms = re.findall(r'<form class="files".*?</form>', page, re.DOTALL)
    (found,) = [one for one in forms if f'name="what" value="{what}"' in one]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found))
    assert f'name="as" value="{form}"' in found
    given = {name: html.unescape(value) for name, value in fields.items()}
    return client.post(PAGE, given | {"as": form}, follow=True)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("/spending/", "model"),
        ("/spending/?group=user&compare=previous", "user"),
        ("/spending/?group=key&model=b&period=last-7-days", "key"),
        ("/spending/", "calls"),
        ("/spending/", "day"),
        ("/spending/calls/?model=a", "calls"),
    ],
)
def test_gives_exactly_what_is_shown(alice: ApiKey, bob: ApiKey, address: str, what: str) -> None:
    make.call(key=alice, model="a", used=Used(input_tokens=1000))
    make.call(key=bob, model="b", used=Used(input_tokens=7))
    make.call(key=bob, model="b", at=make.NOW - timedelta(days=8))
    make.call(key=bob, model="b", at=make.NOW - timedelta(days=60))
    shown = get(alice.user, address)

    told = press(signed_in(alice.user), address, what=what, form="csv")

    assert told["Content-Type"] == "text/csv; charset=utf-8", told.content
    rows = list(csv.DictReader(io.StringIO(told.content.decode())))
    assert rows
    for row in rows:
        assert Decimal(row["cost_usd"]) in amounts(shown) or not int(row.get("calls") or 1)
    assert sum(Decimal(row["cost_usd"]) for row in rows) in amounts(shown)
    assert ("change_usd" in rows[0]) == ("compare" in address)


def test_orders_what_is_large_and_shows_how_far_it_is(
    alice: ApiKey, bob: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.spending.views_exports.MOST_AT_ONCE", 0)
    _, cost = make.call(key=alice)
    client = signed_in(alice.user)

    told = press(client, "/spending/", what="calls", form="xlsx")
    assert told.redirect_chain == [(f"{PAGE}?organization=acme", 302)]
    assert "waiting, 0 %" in text(told)
    assert operations.build_next(clock=lambda: make.NOW)
    ready = client.get(PAGE)
    assert "ready" in text(ready)
    assert cost in amounts(ready)
    assert "costsite-calls-" not in get(bob.user, PAGE).content.decode()

    Export.objects.update(state="failed", last_error="OSError")
    assert "failed: OSError Build again" in text(client.get(PAGE))
    export = Export.objects.get()
    again = f"{PAGE}{export.pk}/retry/"
    assert signed_in(bob.user).post(again).status_code == 404
    assert "waiting, 0 %" in text(client.post(again, {"organization": "acme"}, follow=True))
    assert client.post(again).status_code == 409


@pytest.mark.parametrize(
    "given",
    [
        {"what": "calls"},
        {"what": "secrets", "as": "csv"},
        {"what": "calls", "as": "pdf"},
        {"what": "calls", "as": "csv", "from": "soon"},
        {"what": "calls", "as": "csv", "user": "999999"},
    ],
)
def test_says_what_makes_no_sense(alice: ApiKey, given: dict[str, str]) -> None:
    told = signed_in(alice.user).post(PAGE, given)

    assert told.status_code == 400
    assert 'role="alert"' in told.content.decode()
    assert not Export.objects.exists()


def test_refreshes_itself_only_where_its_address_gives_it_again(
    alice: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.spending.views_exports.MOST_AT_ONCE", 0)
    make.call(key=alice)
    client = signed_in(alice.user)
    press(client, "/spending/", what="calls", form="csv")
    again = f"{PAGE}{Export.objects.get().pk}/retry/"

    assert 'hx-trigger="every 3s"' in client.get(PAGE).content.decode()
    for refused in (client.post(PAGE, {"what": "secrets"}), client.post(again)):
        assert "Look again" in text(refused)
        assert "hx-" not in refused.content.decode()


def test_opens_nothing_to_strangers(alice: ApiKey, carol: User) -> None:
    assert get(None, PAGE).status_code == 302
    assert get(carol, PAGE, organization="acme").status_code == 404
    posted = {"organization": "acme", "what": "calls", "as": "csv"}
    assert signed_in(carol).post(PAGE, posted).status_code == 404
    assert Client().post(PAGE, posted).status_code == 302
    nobody = make.user(name="nobody")
    assert "not a member" in text(get(nobody, PAGE))
