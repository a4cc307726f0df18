"""Limits raised for a while, the last days, the site's own budgets, and one for each session."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from budgets.holds import operations, queries
from budgets.holds.refusals import resets_at
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from budgets.limits.models import Balance, Budget, LimitRaise
from budgets.tenancy.models import ApiKey, Organization
from tests import make

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENT = timedelta(microseconds=1)


def key_of(slug: str, **fields: Any) -> ApiKey:
    """Make an organization of alice's, and her key in it."""
    organization = make.organization(slug=slug, **fields)
    return make.key(of=organization, user=organization.memberships.get().user)[0]


def ask(key: ApiKey, usd: str, *, at: datetime = make.NOW, session: str = "") -> Verdict:
    """Hold an amount, all or nothing."""
    request = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(usd),
        least_usd=Decimal(usd),
        tokens=10,
        ttl_s=60,
        session=session,
    )
    return operations.hold(request=request, now=at)


def spend(key: ApiKey, usd: str, *, at: datetime = make.NOW, session: str = "") -> None:
    """Make a whole call; it must be admitted."""
    verdict = ask(key, usd, at=at, session=session)
    assert verdict.code == "admitted"
    settlement = Settlement(verdict.request_id, key.organization_id, Decimal(usd), 10)
    assert operations.settle(settlement=settlement, now=at).code == "settled"


def room(key: ApiKey, *, at: datetime = make.NOW, session: str = "") -> Decimal:
    """Find what is left: as much as is held of far too much, given back at once."""
    asked = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(1000),
        least_usd=Decimal(0),
        tokens=10,
        ttl_s=60,
        session=session,
    )
    verdict = operations.hold(request=asked, now=at)
    assert verdict.code == "admitted"
    assert verdict.amount_usd is not None
    nothing = Settlement(asked.request_id, key.organization_id, Decimal(0), 0, "release")
    operations.settle(settlement=nothing, now=at)
    return verdict.amount_usd


def raised(
    budget: Budget,
    amount: str,
    *,
    starts_at: datetime = make.NOW,
    ends_at: datetime = make.NOW + HOUR,
    **fields: Any,
) -> LimitRaise:
    """Raise a limit for an hour, unless told otherwise."""
    made = LimitRaise(
        budget=budget,
        amount=Decimal(amount),
        starts_at=starts_at,
        ends_at=ends_at,
        reason="End of the quarter",
        made_at=make.NOW,
        **fields,
    )
    operations.raise_limit(limit_raise=made)
    return made


def budget_of(key: ApiKey) -> Budget:
    """Find the one budget of the key's organization."""
    return key.organization.budgets.get()


@pytest.fixture
def key() -> ApiKey:
    """A key of an organization that may spend $1 a month."""
    made = key_of("acme")
    make.budget(organization=made.organization, limit="1")
    return made


def test_a_raise_counts_from_its_start_and_ends_by_itself(key: ApiKey) -> None:
    begin, end = make.NOW + HOUR, make.NOW + 3 * HOUR
    raised(budget_of(key), "0.5", starts_at=begin, ends_at=end)

    assert room(key, at=begin - MOMENT) == 1
    assert room(key, at=begin) == Decimal("1.5")
    assert room(key, at=end - MOMENT) == Decimal("1.5")
    assert room(key, at=end) == 1
    assert queries.differences() == []


def test_what_was_spent_under_a_raise_stays_spent(key: ApiKey) -> None:
    raised(budget_of(key), "0.5")
    spend(key, "1.4")

    refused = ask(key, "0.01", at=make.NOW + HOUR)

    assert refused.code == "over_limit"
    assert refused.balance is not None
    assert (refused.balance.limit, refused.balance.spent) == (Decimal(1), Decimal("1.4"))
    # A call that costs nothing is let through, and carries the old limit over.
    assert ask(key, "0", at=make.NOW + HOUR).code == "admitted"
    balance = Balance.objects.get()
    assert (balance.limit_amount, balance.excess) == (Decimal(1), Decimal("0.4"))
    assert queries.differences() == []


def test_raises_add_up_and_one_can_be_ended(key: ApiKey) -> None:
    first = raised(budget_of(key), "0.5", ends_at=make.NOW + 2 * HOUR)
    raised(budget_of(key), "0.25")
    later = raised(budget_of(key), "9", starts_at=make.NOW + HOUR, ends_at=make.NOW + DAY)
    assert room(key) == Decimal("1.75")

    operations.end_raise(limit_raise=first, now=make.NOW + MOMENT)
    operations.end_raise(limit_raise=later, now=make.NOW + MOMENT)

    assert room(key, at=make.NOW + MOMENT) == Decimal("1.25")
    assert room(key, at=make.NOW + 2 * HOUR) == 1
    # What has ended already is left as it is.
    operations.end_raise(limit_raise=first, now=make.NOW + DAY)
    first.refresh_from_db()
    assert first.ends_at == make.NOW + MOMENT


def test_refuses_a_raise_that_ends_before_it_starts(key: ApiKey) -> None:
    with pytest.raises(ValidationError):
        raised(budget_of(key), "0.5", ends_at=make.NOW - HOUR)

    assert room(key) == 1


def test_a_raise_can_be_for_one_organization_on_a_plan() -> None:
    plan = make.plan(code="tiny")
    budget = make.budget(plan=plan, limit="1")
    acme, other = key_of("acme", on_plan=plan), key_of("other", on_plan=plan)

    raised(budget, "2", organization=acme.organization)

    assert (room(acme), room(other)) == (Decimal(3), Decimal(1))


def test_a_raise_can_be_for_one_of_each_users() -> None:
    alice = key_of("acme", on_plan=make.plan(code="tiny", usd_per_user="1"))
    bob, _ = make.key(of=alice.organization, user=make.member(of=alice.organization))

    raised(
        Budget.objects.get(plan__code="tiny"),
        "2",
        subject=str(bob.user_id),
        organization=alice.organization,
    )

    assert (room(alice), room(bob)) == (Decimal(1), Decimal(3))


def test_the_last_days_add_up_and_the_first_day_drops_out() -> None:
    key = key_of("acme", time_zone="Europe/Berlin")
    make.budget(organization=key.organization, limit="10", window="rolling", rolling_days=3)
    midnight = make.NOW.replace(hour=23, minute=0)  # In Berlin, in winter.
    spend(key, "4", at=midnight - MOMENT)
    spend(key, "3", at=midnight)
    spend(key, "1", at=midnight + DAY)
    assert Balance.objects.count() == 3

    third_day = midnight + DAY
    assert room(key, at=third_day) == 2
    refused = ask(key, "2.1", at=third_day)
    assert refused.balance is not None
    assert (refused.balance.limit, refused.balance.spent) == (Decimal(10), Decimal(8))
    assert resets_at(refused.balance, zone=key.organization.zone, now=third_day) is not None

    assert room(key, at=midnight + 2 * DAY - MOMENT) == 2
    assert room(key, at=midnight + 2 * DAY) == 6
    assert room(key, at=midnight + 3 * DAY) == 9
    assert room(key, at=midnight + 4 * DAY) == 10
    assert queries.differences() == []


def test_a_call_under_way_from_yesterday_counts_in_the_last_days(key: ApiKey) -> None:
    budget = replace_window(budget_of(key), rolling_days=2)
    under_way = make.held_call(key=key, usd="0.9")

    assert room(key, at=make.NOW + DAY) == Decimal("0.1")
    make.charge(key=key, request=under_way, usd="0.2", at=make.NOW + DAY)

    assert room(key, at=make.NOW + DAY) == Decimal("0.8")
    raised(budget, "0.5", starts_at=make.NOW + DAY, ends_at=make.NOW + 2 * DAY)
    assert room(key, at=make.NOW + DAY) == Decimal("1.3")


def replace_window(budget: Budget, *, rolling_days: int) -> Budget:
    """Let a budget count the last days."""
    budget.window, budget.rolling_days = Budget.Window.ROLLING, rolling_days
    operations.put_budget(budget=budget, now=make.NOW)
    return budget


def test_the_sites_budget_counts_every_organization() -> None:
    acme, other = key_of("acme"), key_of("other", owner=make.user(name="carol"))
    spend(acme, "0.4")
    operations.put_budget(budget=Budget(name="Site", limit_amount=Decimal(1)), now=make.NOW)

    assert (room(acme), room(other)) == (Decimal("0.6"), Decimal("0.6"))
    spend(other, "0.5")
    assert ask(acme, "0.2").code == ask(other, "0.2").code == "over_limit"
    spend(acme, "0.1")

    balance = Balance.objects.get()
    assert balance.organization is None
    assert balance.spent == 1
    assert queries.differences() == []


def test_the_sites_budget_can_be_for_each_organization() -> None:
    acme, other = key_of("acme"), key_of("other", owner=make.user(name="carol"))
    budget = Budget(name="Each", limit_amount=Decimal(1), each=Budget.Each.ORGANIZATION)
    operations.put_budget(budget=budget, now=make.NOW)

    spend(acme, "0.7")
    raised(budget, "1", organization=other.organization)

    assert (room(acme), room(other)) == (Decimal("0.3"), Decimal(2))


def test_each_session_has_a_balance_of_its_own() -> None:
    key = key_of("acme")
    make.budget(organization=key.organization, limit="1", each=Budget.Each.SESSION, window="total")

    spend(key, "0.75", session="run-1")

    assert room(key, session="run-1") == Decimal("0.25")
    assert room(key, session="run-2") == 1
    assert ask(key, "0.5", session="run-1").code == "over_limit"
    # A call that belongs to no session falls under none of them.
    assert ask(key, "50").code == "admitted"
    # The same name in another organization is another session.
    other = key_of("other", owner=make.user(name="carol"))
    assert ask(other, "50", session="run-1").code == "admitted"
    assert Organization.objects.count() == 2
    assert queries.differences() == []
