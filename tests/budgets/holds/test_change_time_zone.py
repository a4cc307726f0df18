"""Moving an organization to another time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from budgets.holds.operations import change_time_zone
from budgets.holds.queries import differences
from budgets.limits.models import Balance
from tests import make

pytestmark = pytest.mark.django_db


def test_gives_nobody_a_fresh_allowance() -> None:
    organization = make.organization()
    make.budget(limit="1", organization=organization, window="day")
    key, _ = make.key(of=organization, user=make.user())
    make.charge(key=key, request=make.held_call(key=key, usd="0.75"), usd="0.75")
    under_way = make.held_call(key=key, usd="0.25")

    change_time_zone(organization=organization, time_zone="Europe/Berlin", now=make.NOW)

    of_berlin = Balance.objects.get(window_start=datetime(2026, 3, 17, 23, tzinfo=UTC))
    assert (of_berlin.spent, of_berlin.held) == (Decimal("0.75"), Decimal("0.25"))
    make.charge(key=key, request=under_way, usd="0.1")
    of_berlin.refresh_from_db()
    assert (of_berlin.spent, of_berlin.held) == (Decimal("0.85"), Decimal(0))
    assert differences() == []


def test_counts_only_what_lies_in_the_new_window() -> None:
    organization = make.organization()
    make.budget(limit="1", organization=organization, window="day")
    key, _ = make.key(of=organization, user=make.user())
    early = datetime(2026, 3, 18, 0, 30, tzinfo=UTC)
    make.charge(key=key, request=make.held_call(key=key, usd="1", at=early), usd="1", at=early)

    change_time_zone(organization=organization, time_zone="America/New_York", now=make.NOW)

    make.held_call(key=key, usd="1")


def test_refuses_a_zone_that_does_not_exist() -> None:
    organization = make.organization()

    with pytest.raises(ValidationError):
        change_time_zone(organization=organization, time_zone="Mars/Olympus", now=make.NOW)
