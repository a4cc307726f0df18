"""Very many demo calls agree with themselves as if each had been made."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Sum

from budgets.holds.models import JournalEntry
from budgets.limits.models import Balance
from budgets.tenancy.models import Organization
from tests import make
from tests.databases import on_own_copy
from tracking.gateway.demo_bulk import create_bulk
from tracking.ledger.models import CostRecord
from tracking.usage.models import DayUsage, FillState

CALLS = 900


@pytest.fixture
def seeded(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[str]]:
    """A database of its own with three tenants and forty days; gives what was told."""
    with django_db_blocker.unblock(), on_own_copy():
        for model in ("gpt-4o-mini", "demo/small", "demo/large"):
            make.price(model=model)
        yield list(create_bulk(calls=CALLS, now=make.NOW, days=40))


def test_makes_as_many_calls_as_asked_that_all_agree(seeded: list[str]) -> None:
    assert [line.partition(":")[0] for line in seeded[:3]] == ["Northwind", "Globex", "Initech"]
    calls = JournalEntry.objects.filter(seq=0)
    # Of today, what would lie in the future is left out.
    assert CALLS - 60 <= calls.count() <= CALLS
    assert not calls.filter(admitted_at__gt=make.NOW).exists()
    assert not JournalEntry.objects.filter(booked_at__gt=make.NOW).exists()

    printed = StringIO()
    call_command("check_ledger", stdout=printed)
    assert printed.getvalue().endswith("agree.\n")

    booked = JournalEntry.objects.aggregate(total=Sum("amount_usd"))["total"]
    assert booked > Decimal(0)
    for sums in (Balance.objects.aggregate(total=Sum("spent")), _rolled_up()):
        assert sums["total"] == booked
    assert FillState.objects.get().entry_id == JournalEntry.objects.latest("id").pk


def test_is_as_varied_as_a_site_is(seeded: list[str]) -> None:
    zones = set(Organization.objects.values_list("time_zone", flat=True))
    assert zones == {"Europe/Berlin", "America/New_York", "Asia/Kolkata"}
    assert CostRecord.objects.values("model").distinct().count() == 3
    assert set(CostRecord.objects.values_list("outcome", flat=True)) >= {"completed", "cancelled"}
    on_weekend = JournalEntry.objects.filter(seq=0, admitted_at__week_day__in=(1, 7)).count()
    assert 0 < on_weekend < CALLS / 5
    for label in ("session", "end_user"):
        assert CostRecord.objects.exclude(**{label: ""}).exists()
    assert CostRecord.objects.exclude(prompt_hash=None).exists()


def _rolled_up() -> dict[str, Any]:
    return DayUsage.objects.aggregate(total=Sum("cost_usd"))
