"""Publishing prices of one model at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import DatabaseError, connection

from tests.make import NOW
from tracking.pricing import operations
from tracking.pricing.models import CatalogModel, Price
from tracking.pricing.operations import (
    PriceStartsTooEarly,
    Publication,
    publish_price,
    set_callable,
)
from tracking.pricing.rates import Rates

THREADS, ROUNDS = 6, 5


def publish_at(model: CatalogModel, at: datetime, usd: Decimal) -> None:
    publish_price(
        model=model,
        rates=Rates({"input": usd, "output": usd}),
        publication=Publication(source=Price.Source.STATED, at=at),
    )


@pytest.mark.usefixtures("committed_db")
def test_would_go_wrong_without_taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CatalogModel.objects.create(name="race/unguarded", provider="race", listed_at=NOW)
    both_have_read, end = Barrier(2), operations._end

    def end_together(price: Price, at: datetime) -> None:
        both_have_read.wait(timeout=10)
        end(price, at)

    monkeypatch.setattr(operations, "_take_turn", lambda: None)

    def publish(hours: int) -> bool:
        try:
            publish_at(model, NOW + timedelta(hours=hours), Decimal(hours + 1).scaleb(-6))
        except DatabaseError:
            return False
        finally:
            connection.close()
        return True

    assert publish(0)
    monkeypatch.setattr(operations, "_end", end_together)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(publish, [1, 2])) == [False, True]


@pytest.mark.usefixtures("committed_db")
def test_leaves_one_unbroken_chain_of_versions_whoever_comes_first() -> None:
    # Published prices stay for good, so this model is left behind: a name of its own.
    model = CatalogModel.objects.create(name="race/model", provider="race", listed_at=NOW)

    def publish(thread: int) -> list[str]:
        outcomes = []
        for number in range(ROUNDS):
            at = NOW + timedelta(seconds=number * THREADS + thread)
            usd = Decimal(number * THREADS + thread + 1).scaleb(-6)
            try:
                publish_at(model, at, usd)
                outcomes.append("published")
            except PriceStartsTooEarly:
                outcomes.append("overtaken")
            # Another writer of the same rows, in another order: must wait, not deadlock.
            set_callable(models=CatalogModel.objects.filter(provider="race"), active=True)
        connection.close()
        return outcomes

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = [outcome for each in pool.map(publish, range(THREADS)) for outcome in each]
    versions = list(model.prices.order_by("version"))
    assert len(versions) == outcomes.count("published") >= ROUNDS
    assert [price.version for price in versions] == list(range(1, len(versions) + 1))
    ends = [price.valid_to for price in versions]
    assert ends == [*(price.valid_from for price in versions[1:]), None]
