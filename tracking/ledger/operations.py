"""Book calls with their records, for callers that stand on Django's own connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from budgets.core.sql import read_sql
from budgets.holds.terms import HoldRequest, Settlement, Verdict


def book(
    *,
    holds: Sequence[HoldRequest] = (),
    settlements: Sequence[Settlement] = (),
    records: Sequence[dict[str, Any]] = (),
    now: datetime | None = None,
) -> list[Verdict]:
    """Settle and hold calls and write the records of those settled, in one transaction.

    ``now`` None judges by the database's clock. A record without a settlement is not written.
    """
    arguments = {
        "holds": json.dumps([hold.as_json() for hold in holds]),
        "settles": json.dumps([settlement.as_json() for settlement in settlements]),
        "records": json.dumps(list(records)),
        "now": now,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.ledger", "book"), arguments)
        rows = cursor.fetchall()
    return [
        Verdict.from_row((*most, json.loads(told) if isinstance(told, str) else told))
        for *most, told in rows
    ]
