"""check_ledger finds whatever does not agree, in balances, records and seals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from budgets.holds import operations
from tests import make
from tests.databases import on_own_copy
from tracking.pricing.usage import Usage

HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of its own with calls of two hours, sealed, and one under way.

    The audit opens a snapshot of its own, which it cannot within a test's transaction.
    """
    with django_db_blocker.unblock(), on_own_copy():
        organization = make.organization()
        make.budget(organization=organization, limit="10")
        key, _ = make.key(of=organization, user=organization.memberships.get().user)
        for hours in (8, 8, 6):
            make.call(
                key=key,
                at=make.NOW - hours * HOUR,
                used=Usage(input_tokens=1000, output_tokens=500, cached_input_tokens=300),
            )
        make.held_call(key=key, usd="0.5")
        assert operations.seal(now=make.NOW) == 2
        yield


def tamper(statement: str) -> None:
    """Change what only someone with a superuser's rights can."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount > 0


def findings() -> list[str]:
    """Run the command, which must fail with exit code 1; give what it printed."""
    printed = StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("check_ledger", stdout=printed)
    assert failed.value.returncode == 1
    lines = printed.getvalue().splitlines()
    assert str(failed.value) == f"{len(lines)} differences."
    return lines


def test_says_so_when_all_agrees(ledger: None) -> None:
    printed = StringIO()
    call_command("check_ledger", stdout=printed)

    assert (
        printed.getvalue() == "Balances, open holds, journal, records, seals and rollups agree.\n"
    )


def test_tells_a_program_the_same(ledger: None) -> None:
    printed = StringIO()
    call_command("check_ledger", json=True, stdout=printed)
    nothing: dict[str, Any] = {"balances": [], "records": [], "seals": [], "rollups": []}
    assert json.loads(printed.getvalue()) == nothing | {"agrees": True}

    tamper("update budgets_balance set spent = spent + 0.000000000001")
    printed = StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("check_ledger", json=True, stdout=printed)

    assert failed.value.returncode == 1
    told = json.loads(printed.getvalue())
    (balance,) = told["balances"]
    assert told["agrees"] is False
    off_usd = Decimal(balance["spent"]) - Decimal(balance["spent_by_journal"])
    assert off_usd == Decimal("0.000000000001")


@pytest.mark.parametrize(
    "change",
    [
        "update budgets_balance set spent = spent + 0.000000000001",
        "update budgets_balance set held = held - 0.000000000001",
        "update budgets_hold set amount_usd = amount_usd + 0.000000000001",
        "delete from budgets_hold",
    ],
)
def test_finds_a_balance_that_is_not_its_holds_and_entries(ledger: None, change: str) -> None:
    tamper(change)

    (line,) = findings()
    assert line.startswith("balance ")
    assert "(Limit  from 2026-03-01 00:00)" in line


def test_finds_a_journal_entry_that_was_changed(ledger: None) -> None:
    """The outside of it all: its balance, its record and its seal contradict it."""
    tamper(
        "update budgets_journalentry set amount_usd = amount_usd + 0.000000000001"
        " where id = (select min(id) from budgets_journalentry)"
    )

    balance, call, seal = findings()

    assert balance.startswith("balance ")
    assert call.endswith("the journal charged another amount than the records say")
    assert seal.startswith("seal of organization ")
    assert seal.endswith("2026-03-18 04h: entries changed")


NOT_THE_SUM = "the lines of a record do not add up to its cost"
NOT_THE_CHARGE = "the journal charged another amount than the records say"
NO_RECORD = "the journal charged a call that has no record"


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ("set cost_usd = cost_usd + 0.000000000001", {NOT_THE_SUM, NOT_THE_CHARGE}),
        ("""set lines = jsonb_set(lines, '{0,amount_usd}', '"9"')""", {NOT_THE_SUM}),
        ("set lines = lines - 0", {NOT_THE_SUM}),
        ("set lines = '[{}]'", {NOT_THE_SUM}),
    ],
)
def test_finds_a_record_that_does_not_add_up(ledger: None, change: str, reasons: set[str]) -> None:
    tamper(
        f"update tracking_costrecord {change}"  # noqa: S608  Written above.
        " where id = (select min(id) from tracking_costrecord)"
    )

    lines = findings()

    assert {line.partition(": ")[2] for line in lines} == reasons
    assert len(lines) == len(reasons)


def test_finds_a_charge_whose_record_is_gone(ledger: None) -> None:
    tamper("delete from tracking_costrecord where id = (select min(id) from tracking_costrecord)")

    (line,) = findings()
    assert line.endswith(NO_RECORD)


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (
            "update budgets_seal set digest = sha256('') where hour = (select min(hour) from"
            " budgets_seal)",
            ["04h: entries changed", "06h: the seal before it changed"],
        ),
        (
            "delete from budgets_seal where hour = (select min(hour) from budgets_seal)",
            ["04h: entries without a seal", "06h: the seal before it changed"],
        ),
    ],
)
def test_finds_a_seal_that_was_changed(ledger: None, change: str, reasons: list[str]) -> None:
    tamper(change)

    assert [line.partition("18 ")[2] for line in findings()] == reasons
