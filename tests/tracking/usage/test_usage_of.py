"""Figures of past use, against sums made independently of the query."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from budgets.holds.models import JournalEntry
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.pricing.usage import Usage as Used
from tracking.usage.queries import in_flight_of, usage_of
from tracking.usage.terms import Days, Figures, InFlight, Slice

pytestmark = pytest.mark.django_db

UTC_ZONE = ZoneInfo("UTC")
MARCH = Days(date(2026, 3, 1), date(2026, 3, 31), UTC_ZONE)


def whole(organization: Organization) -> Slice:
    return Slice(organization_id=organization.pk)


def test_adds_up_days_models_and_users_as_python_does(
    acme: Organization, alice: ApiKey, bob: ApiKey
) -> None:
    make.price(model="claude-sonnet", input_usd="0.000003000001", output_usd="0.000015")
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    by_model: dict[str, Decimal] = defaultdict(Decimal)
    by_user: dict[int, Decimal] = defaultdict(Decimal)
    tokens = 0
    for n in range(40):
        key, model = (alice, bob)[n % 2], ("gpt-4o-mini", "claude-sonnet")[n % 3 == 0]
        at = datetime(2026, 3, 1 + n * 7 % 31, n % 24, tzinfo=UTC)
        used = Used(input_tokens=100 + n, cached_input_tokens=n, output_tokens=7 * n)
        _, cost_usd = make.call(key=key, at=at, model=model, used=used)
        by_day[at.date()] += cost_usd
        by_model[model] += cost_usd
        by_user[key.user_id] += cost_usd
        tokens += 100 + n

    usage = usage_of(part=whole(acme), days=MARCH)

    total = sum(by_day.values())
    assert usage.total.cost_usd == total
    assert usage.total.cost_usd == sum(
        entry.amount_usd for entry in JournalEntry.objects.for_organization(acme)
    )
    assert (usage.total.calls, usage.total.input_tokens) == (40, tokens)
    assert usage.total.output_tokens == 7 * sum(range(40))
    assert usage.total.cached_input_tokens == sum(range(40))
    assert {day.on: day.figures.cost_usd for day in usage.days if day.figures.calls} == by_day
    assert {row.model: row.figures.cost_usd for row in usage.models} == by_model
    assert {row.user_id: row.figures.cost_usd for row in usage.users} == by_user
    for rows in (usage.days, usage.models, usage.users):
        assert sum(row.figures.cost_usd for row in rows) == total
        assert sum(row.figures.calls for row in rows) == 40
        assert sum(row.figures.input_tokens for row in rows) == tokens
    for day in usage.days:
        assert sum(cost for _, cost in day.model_costs_usd) == day.figures.cost_usd


def test_gives_every_day_of_the_period_and_dearest_first_elsewhere(
    acme: Organization, alice: ApiKey
) -> None:
    for model, tokens in (("b", 10), ("a", 10), ("dear", 20)):
        make.call(key=alice, model=model, used=Used(input_tokens=tokens))

    usage = usage_of(part=whole(acme), days=MARCH)

    assert [day.on for day in usage.days] == list(MARCH)
    assert [row.model for row in usage.models] == ["dear", "a", "b"]


def test_is_all_zero_when_nothing_was_called(acme: Organization) -> None:
    usage = usage_of(part=whole(acme), days=MARCH)

    assert usage.total == Figures()
    assert usage.total.usd_per_call is None
    assert (usage.models, usage.users) == ((), ())
    assert {day.figures for day in usage.days} == {Figures()}


def test_puts_a_call_on_the_day_it_was_admitted_where_the_organization_is(
    acme: Organization, alice: ApiKey
) -> None:
    # 22:59:59 UTC on 28 March is a second before midnight in Berlin; on 29 March, after clocks
    # have gone forward, 21:59:59 UTC is.
    costs: dict[str, Decimal] = {}
    for at in (
        "2026-03-28T22:59:59",
        "2026-03-28T23:00:00",
        "2026-03-29T21:59:59",
        "2026-03-29T22:00:00",
    ):
        instant = datetime.fromisoformat(at).replace(tzinfo=UTC)
        _, costs[at] = make.call(key=alice, at=instant, used=Used(input_tokens=1 + len(costs)))
    first, second, third, fourth = costs.values()
    berlin = Days(date(2026, 3, 28), date(2026, 3, 30), ZoneInfo("Europe/Berlin"))

    usage = usage_of(part=whole(acme), days=berlin)

    assert [day.figures.cost_usd for day in usage.days] == [first, second + third, fourth]


def test_leaves_out_what_lies_before_and_after(acme: Organization, alice: ApiKey) -> None:
    for at in ("2026-02-28T23:59:59.999999", "2026-04-01T00:00:00"):
        make.call(key=alice, at=datetime.fromisoformat(at).replace(tzinfo=UTC))

    assert usage_of(part=whole(acme), days=MARCH).total == Figures()


def test_books_a_correction_on_the_day_of_its_call_and_counts_the_call_once(
    acme: Organization, alice: ApiKey
) -> None:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    request = make.held_call(key=alice, usd="0.5", at=at)
    make.charge(key=alice, request=request, usd="0.5", kind="estimate", at=at)
    make.charge(key=alice, request=request, usd="0.2", at=at + timedelta(days=2))

    usage = usage_of(part=whole(acme), days=MARCH)

    assert usage.total == Figures(cost_usd=Decimal("0.2"), calls=1)
    assert usage.days[2].figures.cost_usd == Decimal("0.2")


def test_counts_tokens_of_every_attempt_and_the_call_once(
    acme: Organization, alice: ApiKey
) -> None:
    request, cost_usd = make.call(key=alice, used=Used(input_tokens=10, output_tokens=1))
    spent, used, of = make.cost_of(usage=Used(input_tokens=4)), Used(input_tokens=4), make.price()
    make.record(key=alice, request=request, of=of, spent=spent, used=used, attempt=2)

    total = usage_of(part=whole(acme), days=MARCH).total

    assert (total.calls, total.input_tokens, total.cost_usd) == (1, 14, cost_usd)


def test_counts_a_call_that_was_not_billed(acme: Organization, alice: ApiKey) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0", kind="release")

    assert usage_of(part=whole(acme), days=MARCH).total == Figures(calls=1)


def test_tells_nothing_of_another_organization(acme: Organization, alice: ApiKey) -> None:
    make.call(key=alice)
    globex = make.organization(slug="globex", owner=make.user(name="carol"))

    assert usage_of(part=whole(globex), days=MARCH).total == Figures()
    assert usage_of(part=Slice(globex.pk, user_id=alice.user_id), days=MARCH).users == ()


def test_tells_apart_the_same_person_and_request_in_two_organizations(
    acme: Organization, alice: ApiKey
) -> None:
    _, cost_usd = make.call(key=alice)
    globex = make.organization(slug="globex")
    elsewhere, _ = make.key(of=globex, user=alice.user)
    make.call(key=elsewhere, used=Used(input_tokens=999))

    usage = usage_of(part=whole(acme), days=MARCH)

    assert (usage.total.cost_usd, usage.total.input_tokens) == (cost_usd, 1000)


def test_keeps_to_a_user_a_project_a_key_or_a_model(
    acme: Organization, alice: ApiKey, bob: ApiKey
) -> None:
    side = make.project(of=acme, slug="side")
    second, _ = make.key(of=acme, user=alice.user, in_project=side)
    costs = {
        name: make.call(key=key, model=model, used=Used(input_tokens=tokens))[1]
        for name, key, model, tokens in (
            ("alice", alice, "a", 1),
            ("second", second, "b", 10),
            ("bob", bob, "b", 100),
        )
    }

    def cost(**filters: int | str) -> Decimal:
        part = Slice(organization_id=acme.pk, **filters)  # type: ignore[arg-type]
        return usage_of(part=part, days=MARCH).total.cost_usd

    assert cost(user_id=alice.user_id) == costs["alice"] + costs["second"]
    assert cost(project_id=side.pk) == costs["second"]
    assert cost(api_key_id=alice.pk) == costs["alice"]
    assert cost(model="b") == costs["second"] + costs["bob"]
    assert cost(user_id=alice.user_id, model="b") == costs["second"]
    assert cost(user_id=bob.user_id, project_id=side.pk) == 0


def test_takes_the_mean_cost_of_a_call() -> None:
    assert Figures(cost_usd=Decimal("0.1"), calls=3).usd_per_call == Decimal("0.033333333333")


def test_counts_what_is_under_way(acme: Organization, alice: ApiKey, bob: ApiKey) -> None:
    make.held_call(key=alice, usd="0.25")
    make.held_call(key=bob, usd="0.5")
    make.call(key=alice)

    assert in_flight_of(part=whole(acme)) == InFlight(2, Decimal("0.75"))
    assert in_flight_of(part=Slice(acme.pk, user_id=bob.user_id)) == InFlight(1, Decimal("0.5"))
    assert in_flight_of(part=Slice(acme.pk + 1)) == InFlight(0, Decimal(0))
