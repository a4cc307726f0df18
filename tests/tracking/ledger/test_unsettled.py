"""Settlements that the database was not there for are written down, and made when it is back."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from budgets.core.sql import read_sql
from budgets.holds.lane import Lane, Unsettled
from budgets.holds.operations import expire
from budgets.holds.terms import HoldRequest, Settlement
from tests import make, tenants
from tests.tenants import Tenant
from tracking.ledger import unsettled
from tracking.ledger.unsettled import Replay
from tracking.pricing.usage import Usage

NOW = make.NOW
USED = Usage(input_tokens=1000, output_tokens=500)


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    return tenants.tenant(limit="10")


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """Where settlements are written down."""
    settings.COSTSITE_DATA = tmp_path
    return tmp_path / "unsettled"


def left_of(tenant: Tenant, *, hold: bool = True, **record: Any) -> Unsettled:
    """Make a call whose settling is still to do; ``hold`` False: the ledger knows nothing of it."""
    price = make.price()
    spent = make.cost_of(usage=USED, of=price)
    request_id = make.request_id()
    if hold:
        request_id = make.held_call(key=tenant.key, usd=str(spent.total_usd * 2))
    written = {
        "organization_id": tenant.organization.pk,
        "request_id": str(request_id),
        "attempt": 1,
        "endpoint": "chat.completions",
        "provider": "openai",
        "asked_model": "gpt-4o-mini",
        "model": "gpt-4o-mini",
        "price_id": price.pk,
        "outcome": "completed",
        "usage_source": "provider",
        "status": 200,
        "error_code": "",
        "is_streamed": False,
        "input_tokens": USED.input_tokens,
        "cached_input_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": USED.output_tokens,
        "reasoning_tokens": 0,
        "lines": spent.lines_json(),
        "cost_usd": str(spent.total_usd),
        "output_cap_tokens": 500,
        "is_fitted": False,
        "finish_reason": "stop",
        "provider_request_id": "chatcmpl-1",
        "end_user": "",
        "session": "",
        "tags": ["nächtlich"],
        "metadata": {"ticket": "☂"},
        "started_at": NOW.isoformat(),
        "first_byte_ms": None,
        "duration_ms": 800,
    }
    settlement = Settlement(request_id, tenant.organization.pk, spent.total_usd, 1500)
    return Unsettled(settlement, [written | record])


def replayed(code: int = 0) -> str:
    """Run the command; give what it printed. It must end with this exit code."""
    printed = StringIO()
    if not code:
        call_command("replay_settlements", stdout=printed)
        return printed.getvalue()
    with pytest.raises(CommandError) as failed:
        call_command("replay_settlements", stdout=printed)
    assert failed.value.returncode == code
    return printed.getvalue()


def test_a_lane_hands_back_what_it_could_not_settle(
    alice: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is away when the process stops; a call still waits and another is on its way."""
    sent = [left_of(alice), left_of(alice)]

    async def nobody(**_: str) -> Any:
        raise psycopg.OperationalError("nobody listens")

    async def scenario() -> list[Unsettled]:
        monkeypatch.setattr("budgets.holds.lane.connect", nobody)
        lane = Lane(statement=read_sql("tracking.ledger", "book"))
        await lane.start()
        settling = [
            asyncio.create_task(lane.settle(left.settlement, records=left.records))
            for left in sent[:1]
        ]
        holding = asyncio.create_task(lane.hold(hold_of(alice)))
        await asyncio.sleep(0.01)
        settling += [
            asyncio.create_task(lane.settle(left.settlement, records=left.records))
            for left in sent[1:]
        ]
        await asyncio.sleep(0.01)
        left_over = await lane.stop(patience_s=0.1)
        for task in (*settling, holding):
            task.cancel()
        await asyncio.gather(*settling, holding, return_exceptions=True)
        return left_over

    left = asyncio.run(scenario())

    assert left == sent
    assert not alice.journal()
    assert unsettled.write_down(unsettled=left, folder=folder, now=NOW)
    assert replayed().startswith("2 settled now, 0 settled before, 0 unknown")
    assert len(alice.journal()) == len(alice.records()) == 2
    assert not alice.holds()
    assert not alice.differences()


def hold_of(tenant: Tenant) -> HoldRequest:
    return HoldRequest(
        request_id=make.request_id(),
        organization_id=tenant.organization.pk,
        api_key_id=tenant.key.pk,
        model="test/plain",
        usd=Decimal(1),
        least_usd=Decimal(1),
        tokens=1,
        ttl_s=60,
    )


def test_settles_each_once_with_its_record(alice: Tenant, folder: Path) -> None:
    left = [left_of(alice), left_of(alice)]
    path = unsettled.write_down(unsettled=left, folder=folder, now=NOW)
    assert path is not None
    content = path.read_bytes()

    assert unsettled.replay(folder=folder) == Replay(settled=2, already=0, unknown=0, refused=0)
    assert not list(folder.iterdir())
    # A copy that somebody kept does no harm.
    path.write_bytes(content)
    assert unsettled.replay(folder=folder) == Replay(settled=0, already=2, unknown=0, refused=0)

    entries, records = alice.journal(), alice.records()
    assert [entry.amount_usd for entry in entries] == [one.settlement.usd for one in left]
    assert [record.cost_usd for record in records] == [one.settlement.usd for one in left]
    assert records[0].tags == ["nächtlich"]
    assert records[0].metadata == {"ticket": "☂"}
    assert not alice.holds()
    assert not alice.differences()


def test_corrects_what_the_sweeper_estimated_meanwhile(alice: Tenant, folder: Path) -> None:
    left = left_of(alice)
    unsettled.write_down(unsettled=[left], folder=folder, now=NOW)
    expire(now=NOW + timedelta(minutes=2))
    assert [entry.kind for entry in alice.journal()] == ["estimate"]

    assert replayed().startswith("1 settled now")

    assert [entry.kind for entry in alice.journal()] == ["estimate", "correction"]
    assert sum(entry.amount_usd for entry in alice.journal()) == left.settlement.usd
    (record,) = alice.records()
    assert record.cost_usd == left.settlement.usd
    assert not alice.differences()


def test_keeps_the_file_of_a_call_that_is_unknown_here(alice: Tenant, folder: Path) -> None:
    known, unknown = left_of(alice), left_of(alice, hold=False)
    path = unsettled.write_down(unsettled=[unknown, known], folder=folder, now=NOW)

    told = replayed(code=1)

    assert told == ("1 settled now, 0 settled before, 1 unknown to this ledger, 0 refused by it.\n")
    assert list(folder.iterdir()) == [path]
    assert len(alice.journal()) == len(alice.records()) == 1
    assert replayed(code=1).startswith("0 settled now, 1 settled before, 1 unknown")


def test_tells_a_program_the_same(alice: Tenant, folder: Path) -> None:
    known, unknown = left_of(alice), left_of(alice, hold=False)
    unsettled.write_down(unsettled=[unknown, known], folder=folder, now=NOW)
    printed = StringIO()

    with pytest.raises(CommandError):
        call_command("replay_settlements", json=True, stdout=printed)

    assert json.loads(printed.getvalue()) == {
        "settled": 1,
        "already": 0,
        "unknown": 1,
        "refused": 0,
    }


@pytest.mark.parametrize(
    "poison", [{"metadata": {"a": "\x00"}}, {"outcome": None}, {"price_id": 10**30}], ids=str
)
def test_what_the_database_refuses_does_not_stop_the_others(
    alice: Tenant, folder: Path, poison: dict[str, Any]
) -> None:
    bad, good = left_of(alice, **poison), left_of(alice)
    unsettled.write_down(unsettled=[bad], folder=folder, now=NOW)
    unsettled.write_down(unsettled=[good], folder=folder, now=NOW + timedelta(hours=1))

    assert "1 settled now" in replayed(code=1)

    (entry,) = alice.journal()
    assert entry.request_id == good.settlement.request_id
    assert len(list(folder.iterdir())) == 1


def test_writes_a_private_file_of_plain_lines(folder: Path, tmp_path: Path) -> None:
    left = Unsettled(Settlement(make.request_id(), 1, Decimal("0.000000000001"), 5), [{"a": "é"}])
    path = unsettled.write_down(unsettled=[left, left], folder=folder, now=NOW)

    assert path is not None
    assert folder.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0]["settlement"]["usd"] == "1E-12"
    assert lines[0]["records"] == [{"a": "é"}]


def test_writes_nothing_when_nothing_is_left(folder: Path) -> None:
    assert unsettled.write_down(unsettled=[], folder=folder, now=NOW) is None
    assert not folder.exists()
    assert unsettled.replay(folder=folder) == Replay(settled=0, already=0, unknown=0, refused=0)


def test_processes_of_one_number_do_not_write_over_each_other(folder: Path) -> None:
    """Containers that share a folder often have the same process id."""
    left = Unsettled(Settlement(make.request_id(), 1, Decimal(1), 5), [])

    paths = {unsettled.write_down(unsettled=[left], folder=folder, now=NOW) for _ in range(3)}

    assert len(paths) == 3


def test_a_file_that_was_not_finished_is_not_replayed(
    alice: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies while it writes: what it wrote so far is no settlement."""
    syncing: Callable[[int], None] = os.fsync

    def die(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", die)
    with pytest.raises(OSError, match="no space"):
        unsettled.write_down(unsettled=[left_of(alice)], folder=folder, now=NOW)
    monkeypatch.setattr("os.fsync", syncing)

    assert replayed().startswith("0 settled now, 0 settled before, 0 unknown")
    assert not alice.journal()
