"""Many threads on real PostgreSQL ask for the same budget at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from budgets.holds import queries
from budgets.limits.models import Balance, Budget
from budgets.plans.models import Plan
from budgets.tenancy.models import ApiKey, Organization
from tests import make

THREADS = 12
PER_THREAD = 30
COST = Decimal("0.000123456789")
FITTING = 100

STEP = "select code from budgets_step(%s::json, '[]'::json)"
STEP_ON_DAY = "select code from budgets_step(%s::json, '[]'::json, now() + %s * interval '1 day')"


@pytest.fixture
def tenant(committed_db: None) -> tuple[Organization, list[ApiKey]]:
    """An organization of two members, each with a key, on a plan without allowances."""
    name = uuid4().hex[:12]
    organization = make.organization(slug=name, on_plan=Plan.objects.create(code=name, name=name))
    alice = organization.memberships.get().user
    bob = make.member(of=organization)
    return organization, [make.key(of=organization, user=who)[0] for who in (alice, bob)]


def in_threads(work: Callable[[psycopg.Connection[tuple[str]], int], int]) -> int:
    """Run work on a connection of its own in each thread, all at once; give the sum of results."""
    address = connection.get_connection_params()
    address = {k: v for k, v in address.items() if k in ("dbname", "user", "host", "port")}
    barrier = threading.Barrier(THREADS)
    results: list[int] = []
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with psycopg.connect(**address, autocommit=True) as own:
                barrier.wait(10)
                results.append(work(own, number))
        except BaseException as error:  # noqa: BLE001  # Told by the test's own thread.
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    return sum(results)


def asked(key: ApiKey) -> str:
    """Write one hold of the known cost as the SQL function reads it."""
    return (
        f'{{"id": "{uuid4()}", "key": {key.pk}, "model": "m", "usd": "{COST}",'
        f' "least_usd": "{COST}", "tokens": 1, "ttl_s": 600}}'
    )


def test_overspends_with_the_guard_off(tenant: tuple[Organization, list[ApiKey]]) -> None:
    organization, _ = tenant
    budget = make.budget(organization=organization, limit=str(COST * FITTING))
    with connection.cursor() as cursor:
        cursor.execute("create unlogged table if not exists unguarded (id bigint, spent numeric)")
        cursor.execute("insert into unguarded values (%s, 0)", [budget.pk])

    def check_then_act(own: psycopg.Connection[tuple[str]], number: int) -> int:
        admitted = 0
        for _ in range(PER_THREAD):
            row = own.execute("select spent from unguarded where id = %s", [budget.pk]).fetchone()
            assert row is not None
            if Decimal(row[0]) + COST <= budget.limit_amount:
                own.execute(
                    "update unguarded set spent = spent + %s where id = %s", [COST, budget.pk]
                )
                admitted += 1
        return admitted

    assert in_threads(check_then_act) > FITTING


@pytest.mark.parametrize("size", [1, 7], ids=["alone", "in batches"])
def test_admits_exactly_what_fits(tenant: tuple[Organization, list[ApiKey]], size: int) -> None:
    organization, keys = tenant
    make.budget(organization=organization, limit=str(COST * FITTING))

    def ask(own: psycopg.Connection[tuple[str]], number: int) -> int:
        codes = []
        for _ in range(-(-PER_THREAD // size)):
            batch = ",".join(asked(keys[number % 2]) for _ in range(size))
            codes += [row[0] for row in own.execute(STEP, [f"[{batch}]"])]
        assert set(codes) <= {"admitted", "over_limit"}
        return codes.count("admitted")

    assert in_threads(ask) == FITTING
    assert mine(organization) == []
    (balance,) = Balance.objects.for_organization(organization)
    assert balance.held == COST * FITTING


def test_gives_back_the_narrow_budgets_when_the_wide_one_is_full(
    tenant: tuple[Organization, list[ApiKey]],
) -> None:
    organization, keys = tenant
    make.budget(organization=organization, limit=str(COST * FITTING))
    for each in ("user", "api_key", "model"):
        make.budget(organization=organization, limit="1000", each=each)

    def ask(own: psycopg.Connection[tuple[str]], number: int) -> int:
        codes = [
            own.execute(STEP, [f"[{asked(keys[number % 2])}]"]).fetchone()
            for _ in range(PER_THREAD)
        ]
        return codes.count(("admitted",))

    assert in_threads(ask) == FITTING
    assert mine(organization) == []
    wide = Budget.objects.get(organization=organization, each="")
    held = {b.budget_id: Decimal(0) for b in Balance.objects.for_organization(organization)}
    for balance in Balance.objects.for_organization(organization):
        held[balance.budget_id] += balance.held
    assert set(held.values()) == {held[wide.pk]} == {COST * FITTING}


def test_opens_a_new_window_once_whoever_comes_first(
    tenant: tuple[Organization, list[ApiKey]],
) -> None:
    organization, keys = tenant
    for each in ("", "user", "api_key", "model"):
        make.budget(organization=organization, limit="1000", each=each)

    def ask(own: psycopg.Connection[tuple[str]], number: int) -> int:
        batch = ",".join(asked(key) for key in (keys if number % 2 else reversed(keys)))
        return sum(row[0] == "admitted" for row in own.execute(STEP, [f"[{batch}]"]))

    assert in_threads(ask) == THREADS * 2
    assert Balance.objects.for_organization(organization).count() == 1 + 2 + 2 + 1
    assert mine(organization) == []


def test_opens_windows_in_one_order(tenant: tuple[Organization, list[ApiKey]]) -> None:
    """Steps that open the same balances wait for each other in turn, never in a circle."""
    organization, keys = tenant
    for each in ("", "", "", "", "user", "api_key", "model"):
        make.budget(organization=organization, limit="1000", each=each, window="day")

    days = 8
    morning = threading.Barrier(THREADS)

    def ask(own: psycopg.Connection[tuple[str]], number: int) -> int:
        codes = []
        for day in range(days):
            batch = ",".join(asked(key) for key in (keys if number % 2 else reversed(keys)))
            morning.wait(30)
            codes += own.execute(STEP_ON_DAY, [f"[{batch}]", day]).fetchall()
        return codes.count(("admitted",))

    assert in_threads(ask) == THREADS * 2 * days
    assert mine(organization) == []


def test_the_database_refuses_what_the_code_would_let_through(
    tenant: tuple[Organization, list[ApiKey]],
) -> None:
    organization, keys = tenant
    make.budget(organization=organization, limit=str(COST))
    with psycopg.connect(
        **{
            k: v
            for k, v in connection.get_connection_params().items()
            if k in ("dbname", "user", "host", "port")
        },
        autocommit=True,
    ) as own:
        own.execute(STEP, [f"[{asked(keys[0])}]"])
        with pytest.raises(psycopg.errors.CheckViolation, match="balance_never_overspent"):
            own.execute(
                "update budgets_balance set held = held * 2 where organization_id = %s",
                [organization.pk],
            )


def mine(organization: Organization) -> list[queries.Difference]:
    """The differences of one organization: other tests work beside this one."""
    return [d for d in queries.differences() if d.organization_id == organization.pk]
