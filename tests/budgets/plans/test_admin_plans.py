"""Plans in the admin: their rules, and their allowances beside them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from budgets.core.clock import now
from budgets.holds.operations import hold
from budgets.holds.queries import differences
from budgets.holds.terms import HoldRequest
from budgets.limits.models import Budget
from budgets.plans.models import Plan
from budgets.tenancy.models import ApiKey
from tests import make
from tests.admin_pages import list_of, new, page_of, staff, submit, superuser, text_of

pytestmark = pytest.mark.django_db


def asked(key: ApiKey, usd: str) -> str:
    """Ask for a hold by the database's own clock, as a call does."""
    request = HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(usd),
        least_usd=Decimal(usd),
        tokens=10,
        ttl_s=60,
    )
    return hold(request=request).code


def test_a_raised_allowance_lets_the_next_call_through() -> None:
    plan = make.plan(code="tiny", usd_per_user="1")
    key, _ = make.key(of=make.organization(on_plan=plan), user=make.user())
    at = now()
    make.charge(key=key, request=make.held_call(key=key, usd="1", at=at), usd="1", at=at)
    assert asked(key, "0.5") == "over_limit"

    answer = submit(superuser(), page_of(plan), **{"budgets-0-limit_amount": "1.75"})

    assert answer.status_code == 302
    assert asked(key, "0.5") == "admitted"
    assert asked(key, "0.26") == "over_limit"
    assert asked(key, "0.25") == "admitted"
    assert differences() == []


def test_a_switched_off_allowance_limits_nobody() -> None:
    plan = make.plan(code="tiny", usd_per_user="1")
    key, _ = make.key(of=make.organization(on_plan=plan), user=make.user())
    assert asked(key, "5") == "over_limit"

    submit(superuser(), page_of(plan), **{"budgets-0-active": None})

    assert asked(key, "5") == "admitted"


def test_an_allowance_added_in_mid_window_counts_what_was_spent_before() -> None:
    plan = make.plan(code="tiny")
    key, _ = make.key(of=make.organization(on_plan=plan), user=make.user())
    at = now()
    make.charge(key=key, request=make.held_call(key=key, usd="3", at=at), usd="3", at=at)

    submit(
        superuser(),
        page_of(plan),
        **{
            "budgets-TOTAL_FORMS": "1",
            "budgets-0-name": "Tiny: $3.50",
            "budgets-0-limit_amount": "3.5",
        },
    )

    assert Budget.objects.get(plan=plan).each == "user"
    assert asked(key, "0.6") == "over_limit"
    assert asked(key, "0.5") == "admitted"


def test_makes_a_plan_with_its_allowance_on_one_page() -> None:
    answer = submit(
        superuser(),
        new(Plan),
        **{
            "name": "Team",
            "code": "team",
            "allowed_models": "openai/*, gpt-4o*",
            "budgets-0-name": "Team: $25",
            "budgets-0-limit_amount": "25",
        },
    )

    assert answer.status_code == 302
    plan = Plan.objects.get(code="team")
    assert plan.allowed_models == ["openai/*", "gpt-4o*"]
    assert plan.budgets.get().limit_amount == 25


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("limit_amount", "-1", "greater than or equal to 0"),
        ("limit_amount", "lots", "Enter a number"),
        ("limit_amount", "NaN", "Enter a number"),
        ("limit_amount", "1.0000000000001", "12 decimal places"),
        ("limit_amount", "", "required"),
        ("name", "", "required"),
    ],
)
def test_says_in_the_form_what_is_wrong_with_an_allowance(
    field: str, value: str, told: str
) -> None:
    plan = make.plan(code="tiny", usd_per_user="1")

    answer = submit(superuser(), page_of(plan), **{f"budgets-0-{field}": value})

    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert Budget.objects.get(plan=plan).limit_amount == 1


def test_says_in_the_form_that_requests_in_flight_have_no_window() -> None:
    answer = submit(
        superuser(),
        page_of(make.plan(code="tiny")),
        **{
            "budgets-0-name": "At once",
            "budgets-0-limit_amount": "4",
            "budgets-0-unit": "in_flight",
        },
    )

    assert "Requests in flight have no window" in answer.content.decode()


def test_keeps_what_an_allowance_counts() -> None:
    plan = make.plan(code="tiny", usd_per_user="1")
    client = superuser()

    client.post(
        page_of(plan),
        {
            "name": "Tiny",
            "default_output_tokens": "1024",
            "wait_for_room_ms": "0",
            "cache_ttl_s": "0",
            "budgets-TOTAL_FORMS": "1",
            "budgets-INITIAL_FORMS": "1",
            "budgets-0-id": str(plan.budgets.get().pk),
            "budgets-0-plan": str(plan.pk),
            "budgets-0-name": "Renamed",
            "budgets-0-limit_amount": "1",
            "budgets-0-enforcement": "block",
            "budgets-0-active": "on",
            "budgets-0-unit": "tokens",
            "budgets-0-window": "day",
            "budgets-0-each": "",
        },
    )

    budget = plan.budgets.get()
    assert (budget.name, budget.unit, budget.window, budget.each) == (
        "Renamed",
        "usd",
        "month",
        "user",
    )


def test_refuses_a_default_cap_above_the_highest_one() -> None:
    plan = make.plan(code="tiny")

    answer = submit(
        superuser(), page_of(plan), default_output_tokens="2000", max_output_tokens="1000"
    )

    assert "The default output cap is above the highest one." in answer.content.decode()


def test_lists_what_plans_allow_and_who_is_on_them() -> None:
    plan = make.plan(code="tiny", usd_per_user="1")
    organization = make.organization(on_plan=plan)
    make.member(of=organization)
    organization.memberships.filter(user__email="bob@example.org").update(plan=plan)

    html = text_of(superuser(), f"{list_of(Plan)}?q=tiny")

    assert "$1.00 a month, each user" in html
    assert f'?plan__id__exact={plan.pk}">1</a>' in html


def test_writes_a_limit_without_needless_zeros() -> None:
    plan = make.plan(code="tiny", usd_per_user="500000")

    assert 'value="500000"' in text_of(superuser(), page_of(plan))


def test_lets_staff_who_may_not_change_budgets_only_read_allowances() -> None:
    plan = make.plan(code="tiny", usd_per_user="1")
    clerk = staff("change_plan", "view_budget")

    assert "budgets-0-limit_amount" not in text_of(clerk, page_of(plan))
    answer = submit(clerk, page_of(plan), description="For trying out")

    assert answer.status_code == 302
    plan.refresh_from_db()
    assert plan.description == "For trying out"


def test_changes_how_long_calls_wait_for_room() -> None:
    plan = make.plan()

    assert submit(superuser(), page_of(plan), wait_for_room_ms="250").status_code == 302
    refused = submit(superuser(), page_of(plan), wait_for_room_ms="60000")

    plan.refresh_from_db()
    assert plan.wait_for_room_ms == 250
    assert "less than or equal to 10000" in refused.content.decode()
