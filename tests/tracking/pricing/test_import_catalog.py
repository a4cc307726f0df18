"""Importing litellm's price map."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from budgets.core import clock
from tests.make import NOW
from tracking.pricing.catalog import Listing, demo_listings
from tracking.pricing.models import CatalogModel, Price
from tracking.pricing.operations import (
    ImportSummary,
    Publication,
    import_catalog,
    list_own_model,
    publish_price,
)
from tracking.pricing.queries import price_at, price_book
from tracking.pricing.rates import Rates

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DEMO = len(demo_listings())


def rates(usd: str) -> Rates:
    return Rates(per_unit={"input": Decimal(usd), "output": Decimal(usd)})


def listing(name: str, *, usd: str | None = "0.000001") -> Listing:
    return Listing(
        name=name,
        provider="openai",
        mode="chat",
        context_window=128_000,
        max_output_tokens=16_384,
        capabilities=("vision",),
        deprecated_on=None,
        rates=rates(usd) if usd else None,
    )


def bring(*listings: Listing, hours: int = 0) -> ImportSummary:
    return import_catalog(now=NOW + hours * HOUR, listings=listings)


def test_lists_new_models_with_their_first_price() -> None:
    summary = bring(listing("a"), listing("b", usd=None))
    assert (summary.listed, summary.added) == (2 + DEMO, 2 + DEMO)
    assert (summary.repriced, summary.unpriced) == (1 + DEMO, 1)
    price = CatalogModel.objects.get(name="a").prices.get()
    assert (price.version, price.valid_from, price.source) == (1, NOW, Price.Source.CATALOG)
    assert price.note.startswith("litellm ")
    assert price_at(name="demo/small", at=NOW).provider == "demo"


def test_changes_nothing_when_repeated() -> None:
    bring(listing("a"))
    before = list(Price.objects.order_by("pk").values())
    summary = bring(listing("a"), hours=1)
    assert (summary.added, summary.repriced, summary.unchanged) == (0, 0, 1 + DEMO)
    assert list(Price.objects.order_by("pk").values()) == before


def test_gives_a_changed_price_a_new_version_from_now_on() -> None:
    bring(listing("a"))
    assert bring(listing("a", usd="0.000002"), hours=1).repriced == 1
    assert price_at(name="a", at=NOW).rates == rates("0.000001")
    latest = price_at(name="a", at=NOW + HOUR)
    assert (latest.rates, latest.price_version) == (rates("0.000002"), 2)


def test_corrects_what_changed_about_a_model() -> None:
    bring(listing("a"))
    bring(replace(listing("a"), context_window=256_000, mode="something new"), hours=1)
    corrected = CatalogModel.objects.get(name="a")
    assert (corrected.context_window, corrected.mode) == (256_000, CatalogModel.Mode.OTHER)


def test_leaves_alone_what_somebody_stated_here() -> None:
    bring(listing("a"), listing("b"))
    stated = publish_price(
        model=CatalogModel.objects.get(name="a"),
        rates=rates("0.000009"),
        publication=Publication(source=Price.Source.STATED, at=NOW + HOUR),
    )
    own = CatalogModel(name="own", provider="lab", context_window=1)
    list_own_model(model=own, now=NOW)
    summary = bring(listing("a", usd="0.000002"), listing("b"), listing("own"), hours=2)
    assert summary.kept == 1
    assert price_at(name="a", at=NOW + 3 * HOUR).price_id == stated.pk
    own.refresh_from_db()
    assert (own.provider, own.origin, own.prices.count()) == ("lab", CatalogModel.Origin.OWN, 0)


def test_keeps_a_vanished_model_at_its_last_price_and_marks_it() -> None:
    bring(listing("a"), listing("b"))
    assert bring(listing("b"), hours=1).unlisted == 1
    gone = CatalogModel.objects.get(name="a")
    assert gone.unlisted_at == NOW + HOUR
    assert price_at(name="a", at=NOW + 2 * HOUR).price_version == 1
    assert bring(listing("a"), listing("b"), hours=2).unlisted == 0
    gone.refresh_from_db()
    assert gone.unlisted_at is None


def test_does_not_take_a_price_away_because_the_catalogue_lost_it() -> None:
    bring(listing("a"))
    assert bring(listing("a", usd=None), hours=1).unpriced == 1
    assert price_at(name="a", at=NOW + HOUR).price_version == 1


def test_imports_what_litellm_ships_and_repeats_without_a_trace() -> None:
    first, again = io.StringIO(), io.StringIO()
    call_command("prices_update", stdout=first)
    call_command("prices_update", stdout=again)
    assert " 0 unlisted" in first.getvalue()
    assert " 0 added, 0 repriced" in again.getvalue()
    latest = Price.objects.latest("valid_from").valid_from
    book = price_book(at=latest)
    mini = book.price_at(name="openai/gpt-4o-mini", at=latest)
    assert mini.rates.per_unit["output"] == Decimal("0.0000006")
    callable_now = list(book.priced_at(latest))
    assert len(callable_now) > 3_000
    assert all(priced == price_at(name=priced.name, at=latest) for priced in callable_now[::500])


MAP = {
    "a": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 1e-06,
        "output_cost_per_reasoning_token": 4e-06,
    },
    "own/new": {
        "litellm_provider": "own",
        "mode": "rerank",
        "input_cost_per_query": 0.002,
    },
}


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(MAP))
    return path


def told(*arguments: Any) -> str:
    out = io.StringIO()
    call_command("prices_update", *arguments, stdout=out)
    return out.getvalue()


def state() -> list[Any]:
    models = CatalogModel.objects.order_by("pk").values_list("name", "origin", "unlisted_at")
    prices = Price.objects.order_by("pk").values_list("model", "version", "valid_to", "source")
    return [*models, *prices]


def test_a_dry_run_says_what_would_change_and_changes_nothing(price_file: Path) -> None:
    bring(listing("a"), listing("z"))
    before = state()
    said = told("--file", str(price_file), "--dry-run")
    assert "a: input 1 -> 2; reasoning 4 new" in said
    assert "own/new: first price" in said
    assert "Would change: 2 listed, 1 added, 2 repriced" in said
    assert state() == before


def test_takes_the_prices_of_a_file_as_stated_here(price_file: Path) -> None:
    bring(listing("a"), listing("z"))
    told("--file", str(price_file))
    price = CatalogModel.objects.get(name="a").prices.latest("version")
    assert (price.version, price.source, price.note) == (2, Price.Source.STATED, "ours.json")
    assert CatalogModel.objects.get(name="own/new").origin == CatalogModel.Origin.OWN
    assert CatalogModel.objects.get(name="z").unlisted_at is None
    assert bring(listing("a", usd="0.000009"), listing("z"), hours=999_999).kept == 1
    assert "2 unchanged" in told("--file", str(price_file))


def test_leaves_a_price_that_is_to_come_to_whoever_stated_it(price_file: Path) -> None:
    bring(listing("a"))
    publish_price(
        model=CatalogModel.objects.get(name="a"),
        rates=rates("0.000005"),
        publication=Publication(source=Price.Source.STATED, at=NOW),
        valid_from=clock.now() + HOUR,
    )
    assert "1 kept" in told("--file", str(price_file))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "is no price map in litellm's format"),
        ("[1, 2]", "is no price map in litellm's format"),
        ('{"m": 7}', "is no price map in litellm's format"),
        ('{"m": {"input_cost_per_token": -1}}', "zero or more USD"),
        (
            '{"m": {"tiered_pricing": [{"range": ["a", 1], "input_cost_per_token": 1}]}}',
            "price map",
        ),
    ],
)
def test_refuses_a_file_that_is_no_price_map(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=reason):
        told("--file", str(path))
    with pytest.raises(CommandError, match=r"missing\.json"):
        told("--file", str(tmp_path / "missing.json"))
