"""Prices in force against a second source, and models that nobody has priced."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests import make
from tracking.pricing.audit import Difference, differences_of
from tracking.pricing.models import CatalogModel
from tracking.pricing.rates import Rates
from tracking.pricing.second_source import PROVIDERS, Quote, SecondSource

AT = datetime(2026, 11, 20, tzinfo=UTC)


def micro(**usd_per_million: str) -> dict[str, Decimal]:
    return {kind: Decimal(usd).scaleb(-6) for kind, usd in usd_per_million.items()}


@pytest.fixture(scope="module")
def source() -> SecondSource:
    return SecondSource(at=AT)


def test_reads_the_second_source_as_exact_decimals(source: SecondSource) -> None:
    quote = source.quote(provider="openai", name="gpt-4o-mini")
    assert quote is not None
    assert quote.per_unit == micro(input="0.15", cached_input="0.075", output="0.6")
    assert all(type(rate) is Decimal for rate in quote.per_unit.values())


def test_reads_prices_past_a_threshold(source: SecondSource) -> None:
    quote = source.quote(provider="gemini", name="gemini/gemini-2.5-pro")
    assert quote is not None
    assert quote.per_unit["input"] < quote.per_unit["input>200000"]


def test_knows_no_price_of_a_stranger(source: SecondSource) -> None:
    assert source.quote(provider="openai", name="no-such-model-at-all") is None
    assert source.quote(provider="somebody", name="gpt-4o-mini") is None


def test_names_only_providers_that_the_second_source_has(source: SecondSource) -> None:
    assert set(PROVIDERS.values()) <= source._providers.keys()


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"input": "1", "output": "2"}, {"input": "1", "output": "2"}, []),
        ({"input": "1", "output": "2"}, {"input": "1", "output": "3"}, ["output"]),
        ({"input": "1", "output": "2"}, {"input": "1"}, []),
        # Without a rate of its own a kind is charged as what it is part of.
        ({"input": "1", "output": "2"}, {"cached_input": "0.5"}, ["cached_input"]),
        ({"input": "1", "output": "2"}, {"cached_input": "1"}, []),
        ({"input": "1", "output": "2"}, {"input>200000": "2"}, ["input>200000"]),
        ({"input": "1", "output": "2", "input>200000": "2"}, {"input>200000": "2"}, []),
        ({"input": "1", "output": "2"}, {"input_per_page": "9"}, []),
    ],
)
def test_compares_what_both_name(
    ours: dict[str, str], theirs: dict[str, str], found: list[str]
) -> None:
    quote = Quote("m", micro(**theirs))
    differences = list(differences_of(rates=Rates(per_unit=micro(**ours)), quote=quote))
    assert [difference.key for difference in differences] == found


def test_tells_both_rates_of_a_difference() -> None:
    (difference,) = differences_of(
        rates=Rates(per_unit=micro(input="1")), quote=Quote("m", micro(input="2"))
    )
    assert difference == Difference("input", Decimal("0.000001"), Decimal("0.000002"))


def told(*arguments: Any) -> str:
    out = io.StringIO()
    call_command("prices_audit", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def catalogue(db: None) -> None:
    """One model that agrees, one that differs, one that only we list, and three without a price."""
    make.price(model="gpt-4o-mini", input_usd="0.00000015", output_usd="0.0000006")
    make.price(model="gpt-4o", input_usd="0.000009", output_usd="0.00001")
    make.price(model="no-such-model-at-all")
    CatalogModel.objects.create(name="unpriced", provider="openai", listed_at=make.NOW)
    CatalogModel.objects.create(name="stopped", provider="lab", listed_at=make.NOW, active=False)
    # A price of tokens prices no images.
    images = make.price(model="images").model
    images.mode = CatalogModel.Mode.IMAGE_GENERATION
    images.save()


@pytest.mark.usefixtures("catalogue")
def test_prints_per_provider_what_agrees_differs_and_is_only_here() -> None:
    said = told("--missing", "--unpriced")
    (row,) = (line.split() for line in said.splitlines() if line.startswith("openai "))
    assert row == ["openai", "1", "1", "1"]
    assert "gpt-4o: input 9 here, 2.5 there; cached_input 0.075 here, 1.25 there" in said
    assert "no-such-model-at-all: only here" in said
    assert "2 models have no price; calls to them are refused." in said
    assert "unpriced (openai, chat)" in said
    assert "images (openai, image_generation)" in said
    assert "stopped" not in said


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--fail-on", "differences"], "1 differences"),
        (["--fail-on", "missing"], "1 missing"),
        (["--fail-on", "differences", "--fail-on", "unpriced"], "1 differences, 2 unpriced"),
    ],
)
def test_fails_on_what_it_is_told_to(options: list[str], reason: str) -> None:
    with pytest.raises(CommandError) as failed:
        told(*options)
    assert str(failed.value) == reason


@pytest.mark.usefixtures("catalogue")
def test_looks_at_the_chosen_providers_only() -> None:
    said = told("--provider", "lab", "--fail-on", "differences", "--fail-on", "unpriced")
    assert "openai" not in said
    assert "0 models have no price" in said
