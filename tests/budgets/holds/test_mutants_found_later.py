"""What no test noticed when the second list of faults was seeded (tests/mutation/later_faults.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from budgets.holds import operations, queries
from budgets.holds.models import IdempotencyKey, JournalEntry
from budgets.holds.terms import HoldRequest, IdempotentName, Settlement, Verdict
from budgets.limits.models import Balance, Budget, LimitRaise
from budgets.plans.models import Plan
from budgets.tenancy.models import ApiKey, User
from tests import make
from tests.budgets.holds.test_mutants_found import asked, code_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def key() -> ApiKey:
    """Alice's key in an organization whose plan gives each user $1 a month."""
    organization = make.organization(on_plan=make.plan(code="tiny", usd_per_user="1"))
    return make.key(of=organization, user=organization.memberships.get().user)[0]


def admitted(key: ApiKey, usd: str, *, at: datetime = make.NOW, **fields: Any) -> UUID:
    """Hold an amount; it must be admitted."""
    request = asked(key, usd=Decimal(usd), least_usd=Decimal(usd), **fields)
    assert operations.hold(request=request, now=at).code == "admitted"
    return request.request_id


def settle(
    key: ApiKey, request: UUID, usd: str, *, tokens: int = 1, kind: str = "charge"
) -> Verdict:
    settlement = Settlement(request, key.organization_id, Decimal(usd), tokens, kind)
    return operations.settle(settlement=settlement, now=make.NOW)


def refund(key: ApiKey, request: UUID, usd: str) -> None:
    adjustment = operations.Adjustment(
        organization=key.organization,
        request_id=request,
        kind="refund",
        amount_usd=Decimal(usd),
        reason="a test",
        actor=None,
    )
    operations.adjust(adjustment=adjustment, now=make.NOW)


def new_budget(key: ApiKey, limit: str, *, at: datetime = make.NOW, **fields: Any) -> Budget:
    """Put a budget of the key's organization in mid-window."""
    budget = Budget(
        organization=key.organization, name="new", limit_amount=Decimal(limit), **fields
    )
    operations.put_budget(budget=budget, now=at)
    return budget


def balance_of(budget: Budget) -> Balance:
    return Balance.objects.get(budget=budget)


def test_a_budget_that_is_only_to_warn_from_now_on_lets_through(key: ApiKey) -> None:
    budget = new_budget(key, "0.1", window="total")
    admitted(key, "0.1")
    assert code_of(key, "0.1") == "over_limit"

    budget.enforcement = Budget.Enforcement.WARN
    operations.put_budget(budget=budget, now=make.NOW)
    assert code_of(key, "0.1") == "admitted"
    # And the other way: what went through meanwhile counts.
    budget.enforcement = Budget.Enforcement.BLOCK
    operations.put_budget(budget=budget, now=make.NOW)

    assert code_of(key, "0.1") == "over_limit"
    assert code_of(key, "0") == "admitted"
    assert balance_of(budget).excess == Decimal("0.1")
    assert queries.differences() == []


def test_where_more_is_spent_than_the_limit_nothing_is_held(key: ApiKey) -> None:
    budget = new_budget(key, "0.5", window="total")
    admitted(key, "0.5")
    budget.limit_amount = Decimal("0.2")
    operations.put_budget(budget=budget, now=make.NOW)

    request = asked(key, usd=Decimal("0.4"), least_usd=Decimal(0))
    verdict = operations.hold(request=request, now=make.NOW)

    assert (verdict.code, verdict.amount_usd) == ("admitted", Decimal(0))


def test_a_hold_of_the_window_before_does_not_count_in_a_new_budget(key: ApiKey) -> None:
    admitted(key, "0.5", at=make.NOW - DAY)
    admitted(key, "0.1")

    budget = new_budget(key, "0.4", window="day")

    assert balance_of(budget).held == Decimal("0.1")
    assert code_of(key, "0.3") == "admitted"
    assert queries.differences() == []


def test_counting_an_organization_leaves_the_sites_balance_alone(key: ApiKey) -> None:
    other = make.organization(slug="other", owner=make.user(name="carol"))
    carols, _ = make.key(of=other, user=other.memberships.get().user)
    site = make.budget(limit="1", window="total", name="Site")
    for one in (key, carols):
        settle(one, admitted(one, "0.4"), "0.4")

    operations.recount(organization=key.organization, now=make.NOW)

    assert balance_of(site).spent == Decimal("0.8")


def test_the_sites_day_is_the_same_for_all(key: ApiKey) -> None:
    """It is the evening of one organization and the night of the other, and one day of the site."""
    late = make.NOW.replace(hour=22)
    other = make.organization(slug="other", owner=make.user(name="carol"), time_zone="Asia/Kolkata")
    carols, _ = make.key(of=other, user=other.memberships.get().user)
    site = make.budget(limit="1", window="day", name="Site")

    for one in (key, carols):
        admitted(one, "0.4", at=late)

    held = Balance.objects.filter(budget=site).values_list("held", flat=True)
    assert list(held) == [Decimal("0.8")]


def test_a_new_window_of_the_last_days_has_each_days_spend_on_its_day(key: ApiKey) -> None:
    for days_ago in (2, 1, 0):
        at = make.NOW - days_ago * DAY
        make.charge(key=key, request=make.held_call(key=key, usd="0.1", at=at), usd="0.1", at=at)

    budget = new_budget(key, "0.5", window="rolling", rolling_days=3)

    spent = Balance.objects.filter(budget=budget).order_by("window_start")
    assert [balance.spent for balance in spent] == [Decimal("0.1")] * 3
    # Tomorrow the first of the days has dropped out.
    request = asked(key, usd=Decimal(9), least_usd=Decimal(0))
    held = operations.hold(request=request, now=make.NOW + DAY)
    assert held.amount_usd == Decimal("0.3")


def test_days_of_a_time_zone_that_was_left_do_not_count(key: ApiKey) -> None:
    """What was spent in them was counted again, on the days of the new one."""
    budget = make.budget(
        organization=key.organization, limit="0.5", window="rolling", rolling_days=3
    )
    yesterday = make.NOW - DAY
    make.charge(
        key=key, request=make.held_call(key=key, usd="0.3", at=yesterday), usd="0.3", at=yesterday
    )

    operations.change_time_zone(
        organization=key.organization, time_zone="Asia/Kolkata", now=make.NOW
    )

    assert Balance.objects.filter(budget=budget, spent__gt=0).count() == 2
    request = asked(key, usd=Decimal(9), least_usd=Decimal(0))
    assert operations.hold(request=request, now=make.NOW).amount_usd == Decimal("0.2")


def test_a_refund_in_dollars_gives_back_no_requests_and_no_tokens(key: ApiKey) -> None:
    limits = [new_budget(key, "9", unit=unit, window="day") for unit in ("requests", "tokens")]
    request = admitted(key, "1")
    settle(key, request, "1", tokens=5)

    refund(key, request, "-1")

    assert [balance_of(limit).spent for limit in limits] == [Decimal(1), Decimal(5)]
    assert queries.differences() == []


def test_a_late_settle_corrects_the_tokens_too(key: ApiKey) -> None:
    limit = new_budget(key, "9", unit="tokens", window="day")
    request = admitted(key, "1", tokens=9)
    operations.expire(now=make.NOW + timedelta(hours=1))

    assert settle(key, request, "0.5", tokens=4).code == "corrected"

    assert balance_of(limit).spent == Decimal(4)
    assert queries.differences() == []


def test_a_late_settle_gives_back_no_more_than_a_refund_has_left(key: ApiKey) -> None:
    request = admitted(key, "0.8")
    operations.expire(now=make.NOW + timedelta(hours=1))
    refund(key, request, "-0.7")

    assert settle(key, request, "0.3").code == "corrected"

    assert [entry.amount_usd for entry in JournalEntry.objects.filter(seq=1)] == [Decimal("-0.1")]
    assert queries.differences() == []


def test_an_estimate_is_not_corrected_by_another_estimate(key: ApiKey) -> None:
    request = admitted(key, "1")
    operations.expire(now=make.NOW + timedelta(hours=1))

    assert settle(key, request, "0.5", kind="estimate").code == "already"
    assert JournalEntry.objects.get().amount_usd == Decimal(1)


def test_of_two_settles_in_one_batch_one_is_booked(key: ApiKey) -> None:
    request = admitted(key, "1")
    settlements = [
        Settlement(request, key.organization_id, Decimal(usd), 1) for usd in ("0.2", "0.3")
    ]

    verdicts = operations.step(settlements=settlements, now=make.NOW)

    assert [verdict.code for verdict in verdicts] == ["settled"]
    assert JournalEntry.objects.count() == 1
    assert queries.differences() == []


def named(key: ApiKey, name: str, **fields: Any) -> HoldRequest:
    return asked(key, named=IdempotentName(name, "b"), **fields)


def test_a_refused_call_leaves_the_names_of_others_alone(key: ApiKey) -> None:
    operations.hold(request=named(key, "one"), now=make.NOW)

    dear = named(key, "two", usd=Decimal(9), least_usd=Decimal(9))
    assert operations.hold(request=dear, now=make.NOW).code == "over_limit"

    assert list(IdempotencyKey.objects.values_list("name", flat=True)) == ["one"]


def test_a_call_that_asks_for_too_much_beside_others_gives_its_name_back(key: ApiKey) -> None:
    """It would fit alone, so it is refused behind the locks, and not before them."""
    dear = {"usd": Decimal("0.6"), "least_usd": Decimal("0.6")}
    verdicts = operations.step(
        holds=[named(key, "one", **dear), named(key, "two", **dear)], now=make.NOW
    )

    assert [verdict.code for verdict in verdicts] == ["admitted", "over_limit"]
    assert list(IdempotencyKey.objects.values_list("name", flat=True)) == ["one"]


def test_a_name_that_is_used_again_after_a_day_is_told_of_the_second_call(key: ApiKey) -> None:
    operations.hold(request=named(key, "n"), now=make.NOW)
    later = make.NOW + DAY
    second = named(key, "n")
    operations.hold(request=second, now=later)

    third = operations.hold(request=named(key, "n"), now=later + timedelta(hours=23))

    assert third.code == "name_in_flight"
    assert third.first is not None
    assert third.first.request_id == second.request_id


def test_a_person_who_was_shut_out_and_a_model_the_plan_forbids_are_refused(key: ApiKey) -> None:
    Plan.objects.filter(code="tiny").update(allowed_models=["openai/*"])
    assert code_of(key, "0.1") == "model_not_allowed"
    assert code_of(key, "0.1", model="openai/small") == "admitted"

    User.objects.update(is_active=False)
    assert code_of(key, "0.1", model="openai/small") == "invalid_api_key"


def test_what_is_left_is_told_after_a_settle_but_not_the_sites(key: ApiKey) -> None:
    make.budget(limit="0.5", window="total", name="Site")
    own = make.budget(organization=key.organization, limit="0.8", window="total", name="Own")

    told = settle(key, admitted(key, "0.2"), "0.1").balance

    assert told is not None
    assert (told.budget_id, told.left) == (own.pk, Decimal("0.7"))


def test_a_refusal_by_the_site_says_whose_limit_it_is(key: ApiKey) -> None:
    make.budget(limit="0.05", window="total", name="Site")

    request = replace(asked(key), session="s")
    refused = operations.hold(request=request, now=make.NOW)

    assert refused.balance is not None
    assert refused.balance.is_sites


def test_a_raise_for_one_user_is_nobody_elses(key: ApiKey) -> None:
    bob, _ = make.key(of=key.organization, user=make.member(of=key.organization))
    budget = Budget.objects.get(plan__code="tiny")
    operations.raise_limit(
        limit_raise=LimitRaise(
            budget=budget,
            subject=str(bob.user_id),
            amount=Decimal(1),
            starts_at=make.NOW,
            ends_at=make.NOW + DAY,
            reason="more",
            made_at=make.NOW,
        )
    )

    assert (code_of(key, "1.5"), code_of(bob, "1.5")) == ("over_limit", "admitted")


def test_new_balances_are_opened_in_their_order(key: ApiKey) -> None:
    """In every step the same, so that two that open the same ones do not wait in a circle."""
    for each in ("tag", "", "model", "user", "tag", "api_key"):
        make.budget(organization=key.organization, limit="9", each=each, window="day")

    admitted(key, "0.1", tags=("b", "c", "a"))

    opened = Balance.objects.order_by("id").values_list("budget_id", "subject")
    assert len(opened) == 11
    assert list(opened) == sorted(opened)


def test_a_minute_that_has_just_ended_is_kept(key: ApiKey) -> None:
    new_budget(key, "5", unit="requests", window="minute")
    settle(key, admitted(key, "0.1"), "0.1")

    assert operations.sweep_rate_balances(now=make.NOW + timedelta(minutes=60)) == 0
    assert operations.sweep_rate_balances(now=make.NOW + timedelta(minutes=61)) == 1
