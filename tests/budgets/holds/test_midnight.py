"""A window of the last days is not overspent by calls on both sides of midnight."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests import make, tenants
from tests.sessions import Session, await_waiting, session
from tests.tenants import Tenant

MIDNIGHT = datetime(2026, 5, 2, tzinfo=UTC)
BEFORE, AFTER = MIDNIGHT - timedelta(milliseconds=5), MIDNIGHT + timedelta(milliseconds=5)
STEP = "select code from budgets_step(%s::json, '[]'::json, %s)"


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    """An organization of its own that may spend a dollar in three days, both of them begun."""
    alice = tenants.tenant(limit=None)
    make.budget(organization=alice.organization, limit="1", window="rolling", rolling_days=3)
    with session() as one:
        for at in (BEFORE, AFTER):
            assert ask(one, alice, "0", at) == "admitted"
    return alice


def ask(own: Session, tenant: Tenant, usd: str, at: datetime) -> str:
    """Hold an amount, as of an instant."""
    hold = {"id": uuid4().hex, "key": tenant.key.pk, "model": "m", "usd": usd}
    hold |= {"least_usd": usd, "tokens": 1, "ttl_s": 60}
    row = own.execute(STEP, [json.dumps([hold]), at]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(("first", "second"), [(BEFORE, AFTER), (AFTER, BEFORE)])
def test_the_second_waits_for_the_first_and_is_refused(
    alice: Tenant, first: datetime, second: datetime
) -> None:
    with session() as one, session() as other, ThreadPoolExecutor(1) as thread:
        with one.transaction():
            assert ask(one, alice, "0.6", first) == "admitted"
            late = thread.submit(ask, other, alice, "0.6", second)
            await_waiting(other.info.backend_pid, late)
        told = late.result(20)

    assert told == "over_limit"
    assert not alice.differences()
