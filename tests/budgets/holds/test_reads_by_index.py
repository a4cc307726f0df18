"""A step reads no table whole, whatever the planner believed when the step was first planned."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from budgets.holds.operations import step
from budgets.holds.terms import HoldRequest, IdempotentName, Settlement
from budgets.tenancy.models import ApiKey
from tests import make

# Counted in this transaction alone.
READ_WHOLE = """
select relname, seq_scan from pg_stat_xact_user_tables
where seq_scan > 0 and relname like 'budgets\\_%'
"""


@pytest.fixture
def key(db: None) -> ApiKey:
    """A key whose calls fall under budgets of every owner and kind of window."""
    plan = make.plan(usd_per_user="10")
    organization = make.organization(on_plan=plan)
    key, _ = make.key(of=organization, user=make.user())
    make.budget(limit="1000", each="organization")
    make.budget(limit="10", organization=organization, window="rolling", rolling_days=3)
    make.budget(limit="10", organization=organization, each="tag", model_pattern="gpt*")
    make.budget(limit="10", organization=organization, unit="requests", window="minute")
    return key


def hold_of(key: ApiKey, **fields: Any) -> HoldRequest:
    asked = HoldRequest(
        request_id=uuid4(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="gpt-4o-mini",
        usd=Decimal(1),
        least_usd=Decimal(1),
        tokens=100,
        ttl_s=60,
    )
    return replace(asked, **fields)


def settlement_of(hold: HoldRequest) -> Settlement:
    return Settlement(hold.request_id, hold.organization_id, hold.usd / 2, 50)


def read_whole() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(READ_WHOLE)
        return dict(cursor.fetchall())


def test_reads_tables_by_their_indexes(key: ApiKey) -> None:
    before = read_whole()
    holds = [
        hold_of(key, tags=("red",), session="run"),
        hold_of(key, usd=Decimal(99)),
        hold_of(key, named=IdempotentName("one", "f" * 64)),
    ]

    told = step(holds=holds)
    settled = step(settlements=[settlement_of(hold) for hold in (*holds, *holds[:1])])

    assert sorted(verdict.code for verdict in told) == ["admitted", "admitted", "over_limit"]
    assert [verdict.code for verdict in settled].count("settled") == 2
    assert read_whole() == before
