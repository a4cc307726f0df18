"""The drill, on the test's own database: real servers, real HTTP, and a provider that counts."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from budgets.holds.models import Hold, JournalEntry
from budgets.tenancy.models import Organization
from tests.serving import address_of
from tracking.drill.operations import Findings
from tracking.drill.servers import Servers


@pytest.fixture
def deployed(
    committed_database: str,
    committed_db: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """As a deployment is: with a public address of its own, and called from anywhere."""
    monkeypatch.setenv("DATABASE_URL", address_of(committed_database))
    monkeypatch.setenv("COSTSITE_BASE_URL", "https://spend.example.com")
    monkeypatch.setenv("ALLOWED_HOSTS", "spend.example.com")
    monkeypatch.chdir(tmp_path)


def drilled(**options: object) -> dict[str, Any]:
    printed = StringIO()
    call_command("drill", json=True, stdout=printed, **options)
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found


@pytest.mark.usefixtures("deployed")
def test_a_small_drill_is_clean() -> None:
    known = set(Organization.objects.values_list("pk", flat=True))

    found = drilled(calls=60, parallel=20, limit="0.05")

    assert found["clean"] is True
    assert found["answered"] + sum(found["refused"].values()) == 60
    assert found["answered"] == found["served_by_provider"] > 0
    # The limit pays for a fraction of the calls, so the budget did stand in the way.
    assert sum(found["refused"].values()) > 0
    assert Decimal(found["true_cost_usd"]) == Decimal(found["charged_usd"]) <= Decimal("0.05")
    assert (found["leaked_holds"], found["differences"], found["broken_off"]) == (0, 0, 0)
    # Its tenant is shut afterwards, and nobody else's ledger was touched.
    (made,) = Organization.objects.exclude(pk__in=known)
    assert made.status == Organization.Status.SUSPENDED
    assert JournalEntry.objects.for_organization(made).count() == found["answered"]
    assert not Hold.objects.for_organization(made).exists()


@pytest.mark.usefixtures("deployed")
def test_a_drill_that_is_to_kill_does_so_however_short_it_is() -> None:
    found = drilled(calls=60, parallel=20, processes=2, limit="1", kill=True)

    assert found["clean"] is True
    assert found["kills"] == 1
    # Whoever finds a server away goes to the other one: only what was under way is broken off.
    assert found["answered"] + found["broken_off"] + sum(found["refused"].values()) == 60
    assert found["broken_off"] <= 20
    assert Decimal(found["charged_usd"]) >= Decimal(found["true_cost_usd"])


def test_does_not_wait_for_a_server_that_has_ended(tmp_path: Path) -> None:
    log = tmp_path / "servers.log"
    servers = Servers(count=1, log=log, environment={"DATABASE_URL": "nowhere"})

    with pytest.raises(ChildProcessError, match="has ended with"):
        servers.await_ready()

    assert "DATABASE_URL" in log.read_text()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given",
    [
        {"limit": "a dollar"},
        {"limit": "NaN"},
        {"limit": "Infinity"},
        {"limit": "0"},
        {"calls": 0},
        {"parallel": -1},
        {"processes": 0},
    ],
    ids=str,
)
def test_refuses_orders_that_make_no_sense(given: dict[str, object]) -> None:
    with pytest.raises(CommandError, match="--limit"):
        call_command("drill", **given)


def findings(**fields: object) -> Findings:
    """Write what a good drill found, but for what a test says."""
    found: dict[str, object] = {
        "seed": 1,
        "limit_usd": Decimal(1),
        "answered": 10,
        "refused": {},
        "broken_off": 0,
        "kills": 0,
        "served_by_provider": 10,
        "true_cost_usd": Decimal("0.5"),
        "charged_usd": Decimal("0.5"),
        "estimated_usd": Decimal(0),
        "overshoot_usd": Decimal(0),
        "leaked_holds": 0,
        "differences": 0,
        "seconds": 1.0,
    }
    return Findings(**(found | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "is_clean"),
    [
        ({}, True),
        ({"charged_usd": Decimal("0.500000000001")}, False),
        ({"charged_usd": Decimal("0.499999999999")}, False),
        ({"overshoot_usd": Decimal("0.000000000001")}, False),
        ({"leaked_holds": 1}, False),
        ({"differences": 1}, False),
        ({"answered": 0}, False),
        # What a killed server was doing is charged in full; less than the truth is never right.
        ({"kills": 1, "charged_usd": Decimal("0.6")}, True),
        ({"kills": 1, "charged_usd": Decimal("0.4")}, False),
    ],
    ids=str,
)
def test_is_clean_only_if_every_promise_held(fields: dict[str, object], is_clean: bool) -> None:
    assert findings(**fields).is_clean is is_clean


@pytest.mark.django_db
def test_fails_with_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.drill.operations.run", lambda orders: findings(leaked_holds=2))
    printed = StringIO()

    with pytest.raises(CommandError) as failed:
        call_command("drill", stdout=printed)

    assert failed.value.returncode == 1
    assert "leaked holds         2" in printed.getvalue()
