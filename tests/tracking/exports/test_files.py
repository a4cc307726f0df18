"""What files hold: the same money as the page to the last digit, in every form, and no formula."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.core.money import usd_text
from budgets.holds import operations as holds
from budgets.holds.operations import step
from budgets.holds.terms import HoldRequest
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.exports.focus import COLUMNS, COST_COLUMNS
from tracking.exports.operations import ExportTooLarge, write_now
from tracking.exports.queries import rows_of
from tracking.exports.terms import CALLS, WHATS, Form, Wanted
from tracking.pricing.usage import Usage as Used
from tracking.usage import operations as usage
from tracking.usage.queries import figures_of
from tracking.usage.terms import By, Days, Figures, Slice

EVIL = '=HYPERLINK("http://evil","x")'
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def spend(key: ApiKey, *, minutes: int, model: str, tags: tuple[str, ...], **more: Any) -> None:
    """Make a call with tags and a session, and refund or abandon it where that is asked."""
    at = make.NOW - timedelta(minutes=minutes)
    of, used = make.price(model=model), Used(input_tokens=minutes * 7 + 1, output_tokens=minutes)
    spent = make.cost_of(usage=used, of=of)
    request = make.request_id()
    asked = HoldRequest(
        request_id=request,
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model=model,
        usd=spent.total_usd * 2,
        least_usd=spent.total_usd,
        tokens=1000,
        ttl_s=60,
        tags=tags,
        session=more.get("session", ""),
    )
    (verdict,) = step(holds=[asked], now=at)
    assert verdict.code == "admitted", verdict
    make.charge(key=key, request=request, usd=str(spent.total_usd), at=at)
    if more.get("is_recorded", True):
        user = more.get("end_user", "")
        make.record(key=key, request=request, of=of, at=at, spent=spent, used=used, end_user=user)
    if more.get("is_refunded"):
        less = Decimal("-0.000000000001")
        adjustment = holds.Adjustment(key.organization, request, "refund", less, "Goodwill", None)
        holds.adjust(adjustment=adjustment, now=at)


def written(wanted: Wanted) -> bytes:
    file = io.BytesIO()
    write_now(wanted=wanted, to=file)
    return file.getvalue()


def read(wanted: Wanted) -> list[dict[str, str]]:
    """Read a file back, by a reader that is not ours."""
    content = written(wanted)
    if wanted.form == Form.JSONL:
        return [json.loads(line) for line in content.splitlines()]
    if wanted.form == Form.XLSX:
        return sheet(content)
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def sheet(content: bytes, *, number: int = 1) -> list[dict[str, str]]:
    """Read a sheet by its XML: the first row has the names; no cell may hold a formula."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314
    assert root.findall(f".//{_SHEET}f") == []
    rows = [
        {
            "".join(c for c in cell.get("r", "") if c.isalpha()): "".join(cell.itertext())
            for cell in row
        }
        for row in root.iter(f"{_SHEET}row")
    ]
    names = rows[0]
    return [{names[place]: text for place, text in row.items()} for row in rows[1:]]


def cost_column(form: Form) -> str:
    return {Form.FOCUS: "BilledCost", Form.XLSX: "cost_usd_exact"}.get(form, "cost_usd")


def total(part: Slice, days: Days) -> Figures:
    rows = figures_of(part=part, days=days)
    return rows[0].figures if rows else Figures()


LEDGERS = st.lists(
    st.fixed_dictionaries(
        {
            "who": st.integers(0, 2),
            "minutes": st.integers(0, 60 * 24 * 4),
            "model": st.sampled_from(["gpt-4o-mini", "claude-sonnet"]),
            "tags": st.sampled_from([(), ("a",), ("a", "b")]),
            "session": st.sampled_from(["", "s"]),
            "end_user": st.sampled_from(["", "u"]),
            "is_recorded": st.booleans(),
            "is_refunded": st.booleans(),
        }
    ),
    max_size=10,
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["gpt-4o-mini", "claude-sonnet", "nowhere"]),
        "tag": st.sampled_from(["a", "b"]),
        "session": st.just("s"),
        "end_user": st.just("u"),
        "provider": st.just("openai"),
        "endpoint": st.just("/v1/chat/completions"),
        "user": st.integers(0, 1),
        "viewer": st.integers(0, 1),
    },
)


@pytest.mark.django_db
@given(LEDGERS, FILTERS, st.booleans())
@settings(max_examples=30, deadline=None)
def test_add_up_to_the_figures_to_the_last_digit(
    ledger: list[dict[str, Any]], filters: dict[str, Any], is_filled: bool
) -> None:
    with transaction.atomic():
        acme = make.organization(time_zone="Asia/Kathmandu")
        keys = [
            make.key(of=acme, user=make.user())[0],
            make.key(of=acme, user=make.member(of=acme))[0],
        ]
        keys.append(
            make.key(of=acme, user=keys[0].user, in_project=make.project(of=acme, slug="b"))[0]
        )
        for call in ledger:
            spend(keys[call.pop("who")], **call)
        if is_filled:
            usage.fill(now=make.NOW)
        names = {k: v for k, v in filters.items() if k not in ("user", "viewer")}
        ids = {
            f"{name}_id": keys[filters[name]].user_id
            for name in ("user", "viewer")
            if name in filters
        }
        part = Slice(acme.pk, **names, **ids)
        days = Days(date(2026, 3, 15), date(2026, 3, 18), acme.zone)
        told = total(part, days)
        for what, form in product(WHATS, Form):
            rows = read(Wanted(what, form, part, days))
            costs = [Decimal(row[cost_column(form)]) for row in rows]
            if what not in (CALLS, "day") and By(what).is_label:
                expected = figures_of(part=part, days=days, by=By(what))
                assert sum(costs) == sum(row.figures.cost_usd for row in expected)
            else:
                assert sum(costs) == told.cost_usd
            if what == CALLS:
                assert len(rows) == told.calls
        transaction.set_rollback(True)


@pytest.fixture
def acme(db: None) -> Organization:
    return make.organization(slug="acme", time_zone="Europe/Berlin")


@pytest.fixture
def march(acme: Organization) -> Days:
    return Days(date(2026, 3, 1), date(2026, 3, 31), acme.zone)


@pytest.mark.parametrize("text", [EVIL, "+1+1", "-1+1", "@SUM(A1)", "\tx", "\rx"])
@pytest.mark.parametrize("what", [CALLS, "end_user"])
def test_run_in_no_spreadsheet(
    acme: Organization, alice: ApiKey, march: Days, what: str, text: str
) -> None:
    make.call(key=alice, end_user=text)
    part = Slice(acme.pk)

    (row,) = read(Wanted(what, Form.CSV, part, march))
    assert row["end_user"] == f"'{text}"
    (row,) = read(Wanted(what, Form.XLSX, part, march))
    # XML of spreadsheets writes what is no text of XML by its number.
    assert row["end_user"] == text.replace("\r", "_x000D_")
    (row,) = read(Wanted(what, Form.JSONL, part, march))
    assert row["end_user"] == text
    for cell in read(Wanted(what, Form.FOCUS, part, march))[0].values():
        assert not cell.startswith(("=", "+", "@", "\t", "\r"))


def test_hold_amounts_that_a_spreadsheets_numbers_cannot(
    acme: Organization, alice: ApiKey, march: Days
) -> None:
    """Sixteen digits and more: the number is what fits, the text beside it is the amount."""
    usd = Decimal("123456.123456789012")
    request = make.held_call(key=alice, usd=str(usd))
    make.charge(key=alice, request=request, usd=str(usd))

    content = written(Wanted(CALLS, Form.XLSX, Slice(acme.pk), march))
    (row,) = sheet(content)
    assert row["cost_usd_exact"] == usd_text(usd)
    assert abs(Decimal(row["cost_usd"]) - usd) < Decimal("1e-9")
    about = written(Wanted(CALLS, Form.XLSX, Slice(acme.pk, model="gpt-4o-mini"), march))
    with zipfile.ZipFile(io.BytesIO(about)) as book:
        assert usd_text(usd) in book.read("xl/worksheets/sheet2.xml").decode()


def test_have_all_their_columns_without_a_row(acme: Organization, march: Days) -> None:
    for what, form in product(WHATS, (Form.CSV, Form.FOCUS)):
        header = written(Wanted(what, form, Slice(acme.pk), march)).decode().splitlines()[0]
        assert header.split(",") == list(
            rows_of(wanted=Wanted(what, form, Slice(acme.pk), march)).columns
        )
    assert read(Wanted("model", Form.JSONL, Slice(acme.pk), march)) == []
    assert read(Wanted("model", Form.XLSX, Slice(acme.pk), march)) == []


def test_compare_as_the_page_does(acme: Organization, alice: ApiKey, march: Days) -> None:
    _, now = make.call(key=alice)
    _, before = make.call(key=alice, at=make.NOW - timedelta(days=31), used=Used(input_tokens=3))

    (row,) = read(Wanted("model", Form.CSV, Slice(acme.pk), march, compares=True))
    assert Decimal(row["previous.cost_usd"]) == before
    assert Decimal(row["change_usd"]) == now - before
    (plain,) = read(Wanted("model", Form.CSV, Slice(acme.pk), march))
    assert "change_usd" not in plain


def test_name_the_columns_of_focus(acme: Organization, alice: ApiKey, march: Days) -> None:
    request, cost = make.call(key=alice)

    (call,) = read(Wanted(CALLS, Form.FOCUS, Slice(acme.pk), march))
    (group,) = read(Wanted("project", Form.FOCUS, Slice(acme.pk), march))
    for row in (call, group):
        assert list(row) == list(COLUMNS)
        assert {row[name] for name in COST_COLUMNS} == {usd_text(cost)}
        assert row["BillingCurrency"] == "USD"
        assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
            "2026-02-28T23:00:00Z",
            "2026-03-31T22:00:00Z",
        )
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert row["SubAccountId"] == str(alice.project_id)
    assert call["x_RequestId"] == str(request)
    assert (call["ChargePeriodStart"], call["ChargePeriodEnd"]) == (
        "2026-03-18T12:00:00Z",
        "2026-03-18T12:00:01Z",
    )
    assert group["ChargePeriodStart"] == "2026-03-17T23:00:00Z"


def test_are_answered_at_once_only_where_they_are_small(
    acme: Organization, alice: ApiKey, march: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        make.call(key=alice)
    wanted = Wanted(CALLS, Form.CSV, Slice(acme.pk), march)

    monkeypatch.setattr("tracking.exports.operations.MOST_AT_ONCE", 3)
    assert len(read(wanted)) == 3
    monkeypatch.setattr("tracking.exports.operations.MOST_AT_ONCE", 2)
    with pytest.raises(ExportTooLarge) as told:
        written(wanted)
    assert told.value.details["rows"] == 3


def test_read_many_calls_page_by_page(
    acme: Organization, alice: ApiKey, march: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.exports.queries._CALLS_AT_ONCE", 2)
    made = {str(make.call(key=alice)[0]) for _ in range(5)}

    rows = read(Wanted(CALLS, Form.CSV, Slice(acme.pk), march))
    assert [len(rows), {row["request_id"] for row in rows}] == [5, made]
