"""Price rules in the admin: added and ended, never edited; mistakes are told at the field."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgets.core.clock import now
from tests import make
from tests.admin_pages import act, list_of, new, page_of, staff, submit, superuser, text_of
from tracking.pricing.models import PriceRule
from tracking.pricing.operations import add_rule

pytestmark = pytest.mark.django_db


def added(**fields: Any) -> PriceRule:
    """A discount of 20 % for the site that holds from now on."""
    return add_rule(rule=PriceRule(**{"factor": Decimal("0.8")} | fields), now=now())


@pytest.mark.parametrize(
    ("percent", "factor", "told"),
    [
        ("-20", "0.8", "-20 %"),
        ("15", "1.15", "+15 %"),
        ("-100", "0", "-100 %"),
        ("0.5", "1.005", "+0.5 %"),
    ],
)
def test_adds_a_discount_or_a_markup_in_percent(percent: str, factor: str, told: str) -> None:
    make.price(model="gpt-4o")
    organization = make.organization()
    answer = submit(
        superuser(),
        new(PriceRule),
        organization=str(organization.pk),
        model_pattern="gpt-*",
        percent=percent,
        note="framework agreement",
    )
    assert answer.status_code == 302
    rule = PriceRule.objects.get()
    assert (rule.factor, rule.terms) == (Decimal(factor), told)
    assert (rule.organization, rule.model_pattern) == (organization, "gpt-*")
    assert rule.valid_from <= now()


def test_adds_rates_of_its_own_for_one_model() -> None:
    make.price(model="gpt-4o")
    submit(superuser(), new(PriceRule), model_pattern="gpt-4o", own_rates="input = 1\noutput = 3")
    rule = PriceRule.objects.get()
    assert rule.rates == {"per_unit": {"input": "0.000001", "output": "0.000003"}}
    shown = text_of(staff("view_pricerule"), page_of(rule))
    assert "output = 3" in shown
    assert "own rates" in shown


def test_takes_the_place_of_the_rule_before() -> None:
    before = added()
    submit(superuser(), new(PriceRule), percent="-30")
    before.refresh_from_db()
    after = PriceRule.objects.latest("pk")
    assert before.valid_to == after.valid_from
    assert after.factor == Decimal("0.7")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Give either a change in percent or rates of its own."),
        ({"percent": "-20", "own_rates": "input = 1"}, "Give either a change"),
        ({"percent": "-101"}, "greater than or equal to -100"),
        ({"percent": "0.00001"}, "no more than 4 decimal places"),
        ({"percent": "cheap"}, "Enter a number"),
        ({"percent": "-20", "model_pattern": "gtp-*"}, "No model is called gtp-*."),
        ({"own_rates": "input = 1\noutput = 2"}, "Rates of its own are for one model: name it."),
        (
            {"own_rates": "input = 1\noutput = 2", "model_pattern": "gpt-*"},
            "Rates of its own are for one model: name it.",
        ),
        (
            {"own_rates": "input = 1", "model_pattern": "gpt-4o"},
            "Calls for chat need rates of input and output",
        ),
        ({"own_rates": "input: 1", "model_pattern": "gpt-4o"}, "(input: 1)"),
        (
            {"percent": "-20", "valid_from_0": "2020-01-01", "valid_from_1": "00:00:00"},
            "A price rule starts now or later.",
        ),
    ],
)
def test_tells_what_is_wrong_with_a_rule(fields: dict[str, str], told: str) -> None:
    make.price(model="gpt-4o")
    answer = submit(superuser(), new(PriceRule), **fields)
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not PriceRule.objects.exists()


def test_tells_that_a_rule_is_for_an_organization_or_a_plan() -> None:
    plan = make.plan(code="gold")
    organization = make.organization()
    answer = submit(
        superuser(),
        new(PriceRule),
        percent="-5",
        organization=str(organization.pk),
        plan=str(plan.pk),
    )
    assert (
        "A price rule is for an organization or for a plan, not for both."
        in answer.content.decode()
    )
    assert not PriceRule.objects.exists()


def test_tells_that_a_rule_would_begin_before_the_one_it_replaces() -> None:
    added(valid_from=now() + timedelta(days=9))
    answer = submit(superuser(), new(PriceRule), percent="-30")
    assert "A price rule starts now or later, and after the one" in answer.content.decode()
    assert PriceRule.objects.count() == 1


def test_ends_rules_after_asking() -> None:
    rule, client = added(), superuser()
    assert "End these price rules now?" in act(client, "end_now", rule).content.decode()
    rule.refresh_from_db()
    assert rule.valid_to is None
    act(client, "end_now", rule, confirmed="yes")
    rule.refresh_from_db()
    assert rule.valid_to is not None


def test_lets_nobody_edit_or_delete_a_rule() -> None:
    rule, client = added(), superuser()
    before = PriceRule.objects.values().get()
    assert client.post(page_of(rule), {"percent": "-99"}).status_code == 403
    assert (
        client.post(page_of(rule).replace("change", "delete"), {"post": "yes"}).status_code == 403
    )
    assert PriceRule.objects.values().get() == before


@pytest.mark.parametrize(("time", "shown"), [("now", True), ("later", False), ("past", False)])
def test_tells_rules_in_force_from_others(time: str, shown: bool) -> None:
    added(note="of today")
    listed = text_of(superuser(), f"{list_of(PriceRule)}?time={time}")
    assert ("of today" in listed) is shown
