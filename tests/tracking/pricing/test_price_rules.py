"""Price rules in the database: dated, never edited, one at a time, kept with every call."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests import make
from tests.make import NOW
from tracking.pricing.models import PriceRule
from tracking.pricing.operations import PriceRuleStartsTooEarly, add_rule, end_rule
from tracking.pricing.queries import price_book

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def rule(**fields: Any) -> PriceRule:
    """A rule that is not yet added: a discount of 20 % for the site, from NOW on."""
    return PriceRule(**{"factor": Decimal("0.8"), "valid_from": NOW} | fields)


def test_closes_the_rule_it_takes_the_place_of_and_leaves_others_alone() -> None:
    first = add_rule(rule=rule(), now=NOW)
    other = add_rule(rule=rule(model_pattern="gpt-*"), now=NOW)
    add_rule(rule=rule(factor=Decimal("0.7"), valid_from=NOW + HOUR), now=NOW)
    first.refresh_from_db()
    other.refresh_from_db()
    assert (first.valid_to, other.valid_to) == (NOW + HOUR, None)
    assert first.factor == Decimal("0.8")


def test_refuses_a_rule_that_starts_in_the_past_or_before_the_open_one() -> None:
    with pytest.raises(PriceRuleStartsTooEarly):
        add_rule(rule=rule(valid_from=NOW - HOUR), now=NOW)
    add_rule(rule=rule(valid_from=NOW + HOUR), now=NOW)
    with pytest.raises(PriceRuleStartsTooEarly):
        add_rule(rule=rule(valid_from=NOW + HOUR), now=NOW)


def test_ends_a_rule_once_and_one_to_come_before_it_begins() -> None:
    held = add_rule(rule=rule(), now=NOW)
    to_come = add_rule(rule=rule(model_pattern="gpt-*", valid_from=NOW + HOUR), now=NOW)
    assert end_rule(rule=held, at=NOW + HOUR / 2)
    assert not end_rule(rule=held, at=NOW + HOUR)
    assert end_rule(rule=to_come, at=NOW)
    to_come.refresh_from_db()
    assert to_come.valid_to == to_come.valid_from
    assert not PriceRule.objects.in_force(NOW + HOUR).exists()


@pytest.mark.parametrize(
    "change", [{"factor": Decimal("0.5")}, {"note": "other"}, {"valid_from": NOW - HOUR}]
)
def test_the_database_refuses_to_change_a_rule(change: dict[str, Any]) -> None:
    added = add_rule(rule=rule(), now=NOW)
    with pytest.raises(DatabaseError), transaction.atomic():
        PriceRule.objects.filter(pk=added.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        PriceRule.objects.filter(pk=added.pk)._raw_delete(using="default")


def test_the_database_refuses_two_rules_of_one_owner_and_pattern_at_once() -> None:
    organization = make.organization()
    rule(organization=organization).save()
    rule(organization=organization, model_pattern="gpt-*").save()
    rule().save()
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(organization=organization, valid_from=NOW + HOUR).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(valid_from=NOW + HOUR).save()


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": None},
        {"rates": {"per_unit": {"input": "1"}}},
        {"factor": None, "rates": {"per_unit": {"input": "1"}}},
        {"factor": None, "rates": {"per_unit": {"input": "1"}}, "model_pattern": "gpt-*"},
        {"factor": Decimal("-0.1")},
        {"valid_to": NOW - HOUR},
    ],
)
def test_the_database_refuses_a_rule_that_says_nothing_or_too_much(wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(**wrong).save()


def test_makes_every_price_book_stale_and_is_in_the_next() -> None:
    make.price(model="gpt-4o", input_usd="0.000001", output_usd="0.000002")
    plan = make.plan(code="gold")
    before = price_book(at=NOW)
    added = add_rule(rule=rule(plan=plan), now=NOW)
    after = price_book(at=NOW)
    assert after.edition > before.edition
    priced = after.price_at(name="gpt-4o", at=NOW, organization_id=1, plan="gold")
    assert (priced.rates.per_unit["output"], priced.price_rule_id) == (
        Decimal("0.0000016"),
        added.pk,
    )
    assert after.price_at(name="gpt-4o", at=NOW, plan="free").price_rule_id is None


def test_keeps_who_added_and_who_ended_a_rule() -> None:
    added = add_rule(rule=rule(), now=NOW)
    end_rule(rule=added, at=NOW + HOUR)
    with connection.cursor() as cursor:
        cursor.execute(
            "select pgh_label, factor from tracking_priceruleevent where pgh_obj_id = %s order by 1",
            [added.pk],
        )
        assert cursor.fetchall() == [("insert", Decimal("0.8")), ("update", Decimal("0.8"))]
