"""A window of the last days is not overspent by calls on both sides of midnight."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from tests import make, tenants
from tests.tenants import Tenant

MIDNIGHT = datetime(2026, 5, 2, tzinfo=UTC)
BEFORE, AFTER = MIDNIGHT - timedelta(milliseconds=5), MIDNIGHT + timedelta(milliseconds=5)
STEP = "select code from budgets_step(%s::json, '[]'::json, %s)"
IS_WAITING = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"

Session = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def alice(committed_db: None) -> Tenant:
    """An organization of its own that may spend a dollar in three days, both of them begun."""
    alice = tenants.tenant(limit=None)
    make.budget(organization=alice.organization, limit="1", window="rolling", rolling_days=3)
    with session() as one:
        for at in (BEFORE, AFTER):
            assert ask(one, alice, "0", at) == "admitted"
    return alice


def session() -> Session:
    """Open a connection beside Django's."""
    name = str(connection.settings_dict["NAME"])
    return psycopg.connect(
        make_conninfo(**settings.COSTSITE_POSTGRES | {"dbname": name}), autocommit=True
    )


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
    told: list[str] = []
    with session() as one, session() as other, session() as watching:
        late = threading.Thread(target=lambda: told.append(ask(other, alice, "0.6", second)))
        with one.transaction():
            assert ask(one, alice, "0.6", first) == "admitted"
            late.start()
            while late.is_alive() and not told:
                row = watching.execute(IS_WAITING, [other.info.backend_pid]).fetchone()
                if row is not None and row[0]:
                    break
        late.join(20)

    assert told == ["over_limit"]
    assert not alice.differences()
