"""Publishing prices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.make import NOW
from tracking.pricing.book import ModelNotFound, ModelNotPriced
from tracking.pricing.models import CatalogModel, Price
from tracking.pricing.operations import (
    PriceStartsTooEarly,
    Publication,
    publish_price,
    set_callable,
)
from tracking.pricing.queries import edition_sql, price_at, price_book
from tracking.pricing.rates import Rates

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def rates(usd: str) -> Rates:
    return Rates(per_unit={"input": Decimal(usd), "output": Decimal(usd)})


def model(name: str = "own/model") -> CatalogModel:
    return CatalogModel.objects.create(name=name, provider="own", listed_at=NOW)


def publish(of: CatalogModel, usd: str, hours: int = 0, **starting: int) -> Price:
    """Publish a price some hours after NOW, which holds at once or ``starts_in`` hours later."""
    at = NOW + hours * HOUR
    return publish_price(
        model=of,
        rates=rates(usd),
        publication=Publication(source=Price.Source.STATED, at=at),
        valid_from=at + starting["starts_in"] * HOUR if starting else None,
    )


def edition() -> int:
    with connection.cursor() as cursor:
        cursor.execute(edition_sql())
        (number,) = cursor.fetchone() or (0,)
    return int(number)


def test_ends_the_open_price_where_the_new_one_begins() -> None:
    priced = model()
    first, second = publish(priced, "0.000001"), publish(priced, "0.000002", hours=1)
    first.refresh_from_db()
    assert (first.version, second.version) == (1, 2)
    assert first.valid_to == second.valid_from == NOW + HOUR
    assert price_at(name="own/model", at=NOW).price_id == first.pk
    assert price_at(name="own/model", at=NOW + HOUR).price_id == second.pk


def test_changes_nothing_when_the_rates_are_the_open_ones() -> None:
    priced = model()
    first = publish(priced, "0.0000010")
    before = edition()
    assert publish(priced, "0.000001", hours=1) == first
    assert priced.prices.count() == 1
    assert edition() == before


def test_plans_a_price_for_later() -> None:
    priced = model()
    first, planned = publish(priced, "0.000001"), publish(priced, "0.000002", starts_in=24)
    assert price_at(name="own/model", at=NOW + 23 * HOUR).price_id == first.pk
    assert price_at(name="own/model", at=NOW + 24 * HOUR).price_id == planned.pk


@pytest.mark.parametrize("starts_in", [-1, 0])
def test_refuses_a_price_that_would_rewrite_the_past(starts_in: int) -> None:
    priced = model()
    publish(priced, "0.000001")
    with pytest.raises(PriceStartsTooEarly):
        publish(priced, "0.000002", starts_in=starts_in)
    assert priced.prices.count() == 1


def test_refuses_a_price_before_one_already_planned() -> None:
    priced = model()
    publish(priced, "0.000001", starts_in=24)
    with pytest.raises(PriceStartsTooEarly):
        publish(priced, "0.000002", hours=1)


def test_does_not_let_the_database_change_or_delete_what_was_published() -> None:
    price = publish(model(), "0.000001")
    own = Price.objects.filter(pk=price.pk)
    for forbidden in (
        lambda: own.update(rates=rates("0.000009").as_json()),
        lambda: own.update(valid_to=NOW + HOUR, note="changed"),
        own.delete,
    ):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            forbidden()
    own.update(valid_to=NOW + HOUR)
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        own.update(valid_to=NOW + 2 * HOUR)


def test_does_not_let_the_database_hold_two_prices_at_one_instant() -> None:
    priced = model()
    publish(priced, "0.000001")
    with (
        pytest.raises(IntegrityError, match="price_versions_exclude_each_other"),
        transaction.atomic(),
    ):
        Price.objects.create(
            model=priced,
            version=2,
            valid_from=NOW + HOUR,
            rates=rates("0.000002").as_json(),
            source=Price.Source.STATED,
            published_at=NOW,
        )


def test_lets_two_models_have_prices_at_one_instant() -> None:
    prices = [publish(model("one"), "0.000001"), publish(model("other"), "0.000001")]
    assert list(Price.objects.in_force(NOW).filter(model__provider="own").order_by("pk")) == prices


def test_makes_books_in_memory_stale() -> None:
    before = edition()
    priced = model()
    assert edition() > before
    before = edition()
    publish(priced, "0.000001")
    assert edition() > before


def test_gives_the_book_and_the_query_the_same_price() -> None:
    first = publish(model(), "0.000001")
    book = price_book(at=NOW)
    assert book.edition == edition()
    for name in ("own/model", "own/own/model"):
        assert book.price_at(name=name, at=NOW) == price_at(name=name, at=NOW)
    assert book.price_at(name="own/model", at=NOW).price_id == first.pk


@pytest.mark.parametrize("source", ["book", "query"])
def test_tells_an_unknown_model_from_an_unpriced_one(source: str) -> None:
    set_callable(models=CatalogModel.objects.filter(pk=model("off").pk), active=False)
    model("unpriced")
    book = price_book(at=NOW)
    for name, error in (
        ("off", ModelNotFound),
        ("nothing", ModelNotFound),
        ("unpriced", ModelNotPriced),
    ):
        with pytest.raises(error):
            book.price_at(name=name, at=NOW) if source == "book" else price_at(name=name, at=NOW)
