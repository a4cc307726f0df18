"""Refunds, credits and corrections in the admin, and what else of the ledger can be read there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from budgets.holds.models import IdempotencyKey, JournalEntry, Seal
from budgets.limits.models import Balance
from budgets.tenancy.models import ApiKey
from tests import make
from tests.admin_pages import fields_in, list_of, page_of, staff, submit, superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    made, _ = make.key(of=make.organization(), user=make.user())
    make.budget(limit="5", organization=made.organization)
    return made


@pytest.fixture
def charge(key: ApiKey) -> JournalEntry:
    make.charge(key=key, request=make.held_call(key=key, usd="2"), usd="2")
    return JournalEntry.objects.get()


def page(entry: JournalEntry) -> str:
    return page_of(entry).removesuffix("change/") + "adjust/"


def ask(entry: JournalEntry, *, client: Client | None = None, **fields: str) -> Any:
    wanted = {"kind": "refund", "amount_usd": "-0.5", "reason": "Cut off in the middle"}
    return submit(client or superuser(), page(entry), **(wanted | fields))


def test_books_a_refund_once_it_is_confirmed(charge: JournalEntry) -> None:
    client = superuser()

    asked = ask(charge, client=client)
    assert JournalEntry.objects.count() == 1
    assert "Book a refund of -0.500000000000 USD" in asked.content.decode()
    done = client.post(page(charge), fields_in(asked.content.decode()))

    assert done.status_code == 302
    entry = JournalEntry.objects.get(kind="refund")
    assert (entry.amount_usd, entry.reason) == (Decimal("-0.5"), "Cut off in the middle")
    assert str(entry.actor) == "root@example.org"
    assert Balance.objects.get().spent == Decimal("1.5")
    html = text_of(client, page_of(charge))
    assert "Cut off in the middle" in html
    assert page(charge) in html


def test_books_a_confirmation_only_once(charge: JournalEntry) -> None:
    client = superuser()
    confirmation = fields_in(ask(charge, client=client).content.decode())
    client.post(page(charge), confirmation)

    again = client.post(page(charge), confirmation)

    assert "Something was booked under this call meanwhile" in again.content.decode()
    assert JournalEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reason": " "}, "This field is required"),
        ({"amount_usd": "0"}, "This changes nothing"),
        ({"amount_usd": "0.5"}, "its amount is negative"),
        ({"kind": "credit", "amount_usd": "0.5"}, "its amount is negative"),
        ({"kind": "charge"}, "not one of the available choices"),
        ({"amount_usd": "-0.0000000000001"}, "no more than 12 decimal places"),
    ],
)
def test_says_in_the_form_what_is_wrong(
    charge: JournalEntry, fields: dict[str, Any], told: str
) -> None:
    assert told in ask(charge, **fields).content.decode()
    assert JournalEntry.objects.count() == 1


def test_says_in_the_form_what_the_ledger_refuses(charge: JournalEntry) -> None:
    client = superuser()
    asked = ask(charge, client=client, amount_usd="-2.5")

    refused = client.post(page(charge), fields_in(asked.content.decode())).content.decode()

    assert "That would give back more than was charged" in refused
    assert fields_in(refused)["amount_usd"] == "-2.5"
    assert JournalEntry.objects.count() == 1


def test_lets_only_those_adjust_who_may(charge: JournalEntry) -> None:
    viewer = staff("view_journalentry")

    assert page(charge) not in text_of(viewer, page_of(charge))
    assert viewer.get(page(charge)).status_code == 403
    assert viewer.post(page(charge), {"kind": "refund"}).status_code == 403
    clerk = staff("view_journalentry", "add_journalentry", name="booker")
    assert "Book a refund" in ask(charge, client=clerk).content.decode()


def test_shows_seals_and_the_names_of_requests(key: ApiKey, charge: JournalEntry) -> None:
    seal = Seal.objects.create(
        organization=key.organization,
        hour=make.NOW,
        entries=1,
        previous=b"",
        digest=b"\x0a" * 32,
        sealed_at=make.NOW,
    )
    name = IdempotencyKey.objects.create(
        api_key=key,
        name="order-7",
        fingerprint="f" * 64,
        request_id=charge.request_id,
        claimed_at=make.NOW,
    )
    client = superuser()

    assert "0a" * 32 in text_of(client, page_of(seal))
    assert "Acme" in text_of(client, list_of(Seal))
    for term in ("order-7", str(charge.request_id)):
        assert "order-7" in text_of(client, f"{list_of(IdempotencyKey)}?q={term}")
    assert "None found" in text_of(client, f"{list_of(IdempotencyKey)}?q=order")
    assert name.fingerprint not in text_of(client, page_of(name))
