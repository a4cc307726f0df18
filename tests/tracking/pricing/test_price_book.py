"""The price book in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracking.pricing.book import ModelNotFound, ModelNotPriced, PriceBook

T0 = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEXT = '{"per_unit": {"input": "0.000001", "output": "0.000002"}}'
DEARER = '{"per_unit": {"input": "0.000003", "output": "0.000004"}}'
ONLY_INPUT = '{"per_unit": {"input": "0.000001"}}'


def row(name: str, *price: Any, provider: str = "openai", mode: str = "chat") -> tuple[Any, ...]:
    """A row as the statement of the book gives it; ``price`` is id, version, from, to, rates."""
    return (7, name, provider, mode, 128_000, 16_384, ["vision"], *(price or (None,) * 5))


def book(*rows: tuple[Any, ...]) -> PriceBook:
    return PriceBook.of_rows(edition=1, rows=rows)


def test_gives_the_price_in_force_at_the_instant() -> None:
    versions = book(row("m", 1, 1, T0, T0 + HOUR, TEXT), row("m", 2, 2, T0 + HOUR, None, DEARER))
    assert versions.price_at(name="m", at=T0).price_version == 1
    assert versions.price_at(name="m", at=T0 + HOUR - timedelta(microseconds=1)).price_id == 1
    assert versions.price_at(name="m", at=T0 + HOUR).price_id == 2


def test_refuses_a_model_that_nobody_lists() -> None:
    with pytest.raises(ModelNotFound) as refusal:
        book().price_at(name="m", at=T0)
    assert refusal.value.code == "model_not_found"


@pytest.mark.parametrize(
    "priced",
    [
        row("m"),
        row("m", 1, 1, T0 + HOUR, None, TEXT),
        row("m", 1, 1, T0, None, ONLY_INPUT),
        row("m", 1, 1, T0, None, '{"per_unit": {"input_per_second": "0.01"}}'),
        row("m", 1, 1, T0, None, '{"per_unit": {}}', mode="embedding"),
    ],
)
def test_refuses_a_model_whose_calls_have_no_price_yet(priced: tuple[Any, ...]) -> None:
    with pytest.raises(ModelNotPriced) as refusal:
        book(priced).price_at(name="m", at=T0)
    assert refusal.value.code == "model_not_priced"


@pytest.mark.parametrize(
    ("mode", "per_unit"),
    [
        ("image_generation", '{"output_per_image:hd/1024x1024": "0.08"}'),
        ("image_generation", '{"input": "0.000005", "image_output": "0.00004"}'),
        ("audio_transcription", '{"input_per_second": "0.0001"}'),
        ("audio_transcription", '{"audio_input": "0.000003", "output": "0.000005"}'),
        ("audio_speech", '{"input_per_character": "0.000015"}'),
        ("rerank", '{"input_per_query": "0.002"}'),
        ("rerank", '{"input": "0.00000005"}'),
        ("moderation", '{"input": "0"}'),
        ("other", '{"ocr_per_credit": "0.015"}'),
    ],
)
def test_accepts_a_price_that_names_what_calls_of_its_mode_use(mode: str, per_unit: str) -> None:
    priced = book(row("m", 1, 1, T0, None, f'{{"per_unit": {per_unit}}}', mode=mode))
    assert priced.price_at(name="m", at=T0).mode == mode


@pytest.mark.parametrize(
    ("mode", "per_unit"),
    [
        ("image_generation", '{"input": "0.000005", "output": "0.00001"}'),
        ("image_generation", '{"input_per_image": "0.01"}'),
        ("audio_transcription", '{"output": "0.000005"}'),
        ("audio_speech", '{"output_per_second": "0.00025"}'),
        ("rerank", '{"output": "0.000001"}'),
        ("embedding", '{"input>200000": "0.000001"}'),
        ("embedding", '{"input@flex": "0.000001"}'),
    ],
)
def test_refuses_a_price_that_leaves_out_what_calls_of_its_mode_use(
    mode: str, per_unit: str
) -> None:
    priced = book(row("m", 1, 1, T0, None, f'{{"per_unit": {per_unit}}}', mode=mode))
    with pytest.raises(ModelNotPriced):
        priced.price_at(name="m", at=T0)


def test_accepts_an_embedding_model_that_prices_only_its_input() -> None:
    priced = book(row("m", 1, 1, T0, None, ONLY_INPUT, mode="embedding"))
    assert priced.price_at(name="m", at=T0).mode == "embedding"


def test_understands_a_name_with_its_provider_in_front() -> None:
    priced = book(row("gpt", 1, 1, T0, None, TEXT))
    assert priced.price_at(name="openai/gpt", at=T0).name == "gpt"
    with pytest.raises(ModelNotFound):
        priced.price_at(name="azure/gpt", at=T0)


def test_lists_what_can_be_called() -> None:
    listed = book(row("a", 1, 1, T0, None, TEXT), row("b"), row("c", 2, 1, T0 + HOUR, None, TEXT))
    assert [model.name for model in listed.priced_at(T0)] == ["a"]
    assert [model.name for model in listed.priced_at(T0 + HOUR)] == ["a", "c"]
