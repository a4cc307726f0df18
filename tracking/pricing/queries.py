"""Reads prices: what a model costs at an instant, and the whole price book."""

from __future__ import annotations

import json
from datetime import datetime

from django.db import connection
from django.db.models import Q

from budgets.core.sql import read_sql
from tracking.pricing.book import ModelNotFound, ModelNotPriced, PriceBook, PricedModel, Version
from tracking.pricing.models import CatalogModel, Price


def price_at(*, name: str, at: datetime) -> PricedModel:
    """Find a model by the name a client sent, with the price in force at the instant.

    As PriceBook.price_at without price rules, for callers that need one model and hold no book.

    :raises ModelNotFound: if no active model has the name
    :raises ModelNotPriced: if it has no price then, or none for what its calls use
    """
    model = _named(name)
    if model is None:
        raise ModelNotFound(f"There is no model {name!r}.", model=name)
    price = Price.objects.in_force(at).filter(model=model).first()
    priced = _version(model, price).priced() if price else None
    if priced is None:
        raise ModelNotPriced(
            f"The model {name!r} has no price, and nothing is taken to be free.", model=name
        )
    return priced


def price_book(*, at: datetime) -> PriceBook:
    """Copy all active models with the prices and rules in force at the instant or later."""
    with connection.cursor() as cursor:
        # The edition first: a change between the two makes the book look stale, never fresh.
        cursor.execute(edition_sql())
        (edition,) = cursor.fetchone()
        cursor.execute(book_sql(), {"at": at})
        rows = cursor.fetchall()
        cursor.execute(rules_sql(), {"at": at})
        return PriceBook.of_rows(edition=edition, rows=rows, rules=cursor.fetchall())


def unpriced_models(*, book: PriceBook, at: datetime) -> list[Version]:
    """List the active models that no call can name: without a price for what their calls use.

    One version of each, in the order of the catalogue.
    """
    priced = {model.name for model in book.priced_at(at)}
    return [versions[0] for name, versions in book.versions.items() if name not in priced]


def book_sql() -> str:
    """Give the statement whose rows make a PriceBook; its parameter ``at`` is an instant.

    For asynchronous callers: run edition_sql() first, then this on the same connection.
    """
    return read_sql("tracking.pricing", "price_book")


def rules_sql() -> str:
    """Give the statement for a PriceBook's rules; run it after book_sql(), with the same ``at``."""
    return read_sql("tracking.pricing", "price_rules")


def edition_sql() -> str:
    """Give the statement that reads the edition: one row, one number, cheap enough to poll."""
    return read_sql("tracking.pricing", "price_book_edition")


def _named(name: str) -> CatalogModel | None:
    provider, _, bare = name.partition("/")
    found = CatalogModel.objects.filter(
        Q(name=name) | Q(name=bare, provider=provider), active=True
    ).in_bulk(field_name="name")
    return found.get(name) or found.get(bare)


def _version(model: CatalogModel, price: Price) -> Version:
    return Version(
        model_id=model.pk,
        name=model.name,
        provider=model.provider,
        mode=model.mode,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        capabilities=model.capabilities,
        price_id=price.pk,
        price_version=price.version,
        valid_from=price.valid_from,
        valid_to=price.valid_to,
        rates=json.dumps(price.rates),
    )
