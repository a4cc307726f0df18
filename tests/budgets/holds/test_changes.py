"""Changes in the middle of a window take effect at the next hold, and nothing is forgotten."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from budgets.holds import operations, queries
from budgets.holds.models import Hold, JournalEntry
from budgets.holds.terms import HoldRequest, Settlement, Verdict
from budgets.limits.models import Balance, Budget
from budgets.plans.models import Plan
from budgets.tenancy.models import ApiKey, Organization
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    """Alice's key in an organization whose plan gives each user $1 a month."""
    organization = make.organization(on_plan=make.plan(code="tiny", usd_per_user="1"))
    return make.key(of=organization, user=organization.memberships.get().user)[0]


def ask(key: ApiKey, usd: str, *, least: str | None = None) -> Verdict:
    """Hold an amount."""
    request = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(usd),
        least_usd=Decimal(least or usd),
        tokens=10,
        ttl_s=60,
    )
    return operations.hold(request=request, now=make.NOW)


def test_a_raised_limit_lets_the_next_call_through(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="1"), usd="1")
    assert ask(key, "0.5").code == "over_limit"

    budget = Budget.objects.get(plan__code="tiny")
    budget.limit_amount = Decimal(2)
    operations.put_budget(budget=budget, now=make.NOW)

    assert ask(key, "0.5").code == "admitted"
    assert ask(key, "0.6").code == "over_limit"
    assert queries.differences() == []


def test_a_limit_lowered_below_the_spend_refuses_at_once(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="0.9"), usd="0.9")
    under_way = make.held_call(key=key, usd="0.1")

    Budget.objects.filter(plan__code="tiny").update(limit_amount=Decimal("0.5"))

    assert ask(key, "0.000000000001").code == "over_limit"
    assert ask(key, "0").code == "admitted"
    make.charge(key=key, request=under_way, usd="0.1")
    balance = Balance.objects.get(unit="usd")
    assert (balance.spent, balance.excess) == (Decimal(1), Decimal("0.5"))
    assert queries.differences() == []


def test_another_plan_counts_what_was_spent_and_is_held(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="0.7"), usd="0.7")
    under_way = make.held_call(key=key, usd="0.2")

    operations.change_plan(
        organization=key.organization, plan=make.plan(code="two", usd_per_user="2"), now=make.NOW
    )

    assert ask(key, "1.2").code == "over_limit"
    assert ask(key, "1.1").code == "admitted"
    make.charge(key=key, request=under_way, usd="0.05")
    assert ask(key, "0.15").code == "admitted"
    assert ask(key, "0.000000000001").code == "over_limit"
    assert queries.differences() == []


def test_a_members_own_plan_replaces_the_allowance_of_each_user(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="1"), usd="1")

    operations.change_member_plan(
        membership=key.organization.memberships.get(),
        plan=make.plan(code="five", usd_per_user="5"),
        now=make.NOW,
    )

    assert ask(key, "4.1").code == "over_limit"
    assert ask(key, "4").code == "admitted"


def test_a_budget_added_in_mid_window_counts_from_the_windows_start(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="0.6"), usd="0.6")
    make.held_call(key=key, usd="0.1")

    budget = Budget(
        organization=key.organization, name="new", limit_amount=Decimal("0.75"), window="day"
    )
    operations.put_budget(budget=budget, now=make.NOW)

    assert ask(key, "0.06").code == "over_limit"
    assert ask(key, "0.06", least="0.01").amount_usd == Decimal("0.05")
    assert queries.differences() == []


def test_a_suspended_organization_and_a_revoked_key_are_refused(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(status=ApiKey.Status.REVOKED)
    assert ask(key, "0.1").code == "invalid_api_key"

    ApiKey.objects.filter(pk=key.pk).update(status=ApiKey.Status.ACTIVE, expires_at=make.NOW)
    assert ask(key, "0.1").code == "invalid_api_key"

    ApiKey.objects.filter(pk=key.pk).update(expires_at=make.NOW + timedelta(seconds=1))
    Organization.objects.update(status=Organization.Status.SUSPENDED)
    assert ask(key, "0.1").code == "organization_suspended"


def test_the_plan_and_the_key_must_both_allow_the_model(key: ApiKey) -> None:
    Plan.objects.filter(code="tiny").update(allowed_models=["openai/*", "m"])
    assert ask(key, "0.1").code == "admitted"

    ApiKey.objects.filter(pk=key.pk).update(allowed_models=["openai/*"])
    assert ask(key, "0.1").code == "model_not_allowed"


def test_an_overdue_hold_is_charged_in_full_and_corrected_once(key: ApiKey) -> None:
    request = make.held_call(key=key, usd="0.8", ttl_s=60)

    assert operations.expire(now=make.NOW + timedelta(seconds=59)) == 0
    assert operations.expire(now=make.NOW + timedelta(seconds=60)) == 1
    assert JournalEntry.objects.get().kind == JournalEntry.Kind.ESTIMATE
    assert ask(key, "0.3").code == "over_limit"

    settlement = Settlement(request, key.organization_id, Decimal("0.3"), 5)
    assert operations.settle(settlement=settlement, now=make.NOW).code == "corrected"
    assert operations.settle(settlement=settlement, now=make.NOW).code == "already"

    amounts = JournalEntry.objects.order_by("seq").values_list("kind", "amount_usd")
    assert list(amounts) == [("estimate", Decimal("0.8")), ("correction", Decimal("-0.5"))]
    assert Balance.objects.get(unit="usd").spent == Decimal("0.3")
    assert queries.differences() == []
    assert not Hold.objects.exists()


def test_a_cost_above_the_hold_is_booked_in_full(key: ApiKey) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="1"), usd="1.25")

    balance = Balance.objects.get(unit="usd")
    assert (balance.spent, balance.excess, balance.held) == (
        Decimal("1.25"),
        Decimal("0.25"),
        Decimal(0),
    )
    assert queries.differences() == []


def test_a_call_settles_into_the_window_it_was_held_in(key: ApiKey) -> None:
    last_second = make.NOW.replace(day=31, hour=23, minute=59, second=59)
    request = make.held_call(key=key, usd="1", at=last_second)

    make.charge(key=key, request=request, usd="1", at=last_second + timedelta(seconds=2))

    balance = Balance.objects.get(unit="usd")
    assert (balance.window_start.month, balance.spent) == (3, Decimal(1))
    make.held_call(key=key, usd="1", at=last_second + timedelta(seconds=3))


def test_balances_of_rate_limits_are_swept_when_their_minute_is_long_over(key: ApiKey) -> None:
    make.budget(
        organization=key.organization, limit="5", unit="requests", window="minute", name="rate"
    )
    make.charge(key=key, request=make.held_call(key=key, usd="0.1"), usd="0.1")
    make.held_call(key=key, usd="0.1", at=make.NOW + timedelta(minutes=1))

    assert operations.sweep_rate_balances(now=make.NOW + timedelta(minutes=61)) == 1
    assert Balance.objects.filter(unit="requests").get().held == 1
    assert Balance.objects.filter(unit="usd").count() == 1
    assert queries.differences() == []


@pytest.mark.parametrize(
    "statement",
    [
        "update budgets_journalentry set amount_usd = 0",
        "delete from budgets_journalentry",
        "truncate budgets_journalentry",
    ],
)
def test_the_journal_takes_no_change(key: ApiKey, statement: str) -> None:
    make.charge(key=key, request=make.held_call(key=key, usd="1"), usd="0.5")

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert JournalEntry.objects.get().amount_usd == Decimal("0.5")


def test_a_tenant_of_two_thousand_budgets_is_probed_not_scanned(key: ApiKey) -> None:
    Budget.objects.bulk_create(
        Budget(
            organization=key.organization,
            name=str(number),
            scope="user",
            target=str(10_000 + number),
            limit_amount=1,
        )
        for number in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("analyze budgets_budget")
        cursor.execute("set local plan_cache_mode = force_generic_plan")
        cursor.execute(
            "prepare probe(bigint, bigint) as select * from"
            " budgets_applying($1, $2, $2, 1, 1, 1, 'm', array['a', 'b'], 's')"
        )
        cursor.execute(f"explain (analyze, costs off) execute probe({key.organization_id}, 1)")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("deallocate probe")

    assert "budget_of_organization" in plan
    assert "Seq Scan on budgets_budget" not in plan
