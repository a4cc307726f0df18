"""What is charged in other units than tokens."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.pricing.strategies import patient
from tracking.pricing.cost import Bounds, Line, cost, upper_bound
from tracking.pricing.modes import NEEDED, free_rates, prices_mode
from tracking.pricing.rates import RateMissing, Rates
from tracking.pricing.usage import UNIT_DIMENSIONS, Usage, UsageContradiction, seconds

# Up to 18 places, as published for seconds and pixels.
FINE_RATES = st.integers(0, 10**15).map(lambda atto: Decimal(atto).scaleb(-18))
SECONDS = st.integers(0, 10**9).map(lambda us: Decimal(us).scaleb(-6))
WHOLE = st.integers(0, 10**6)


def rates(**per_unit: str) -> Rates:
    return Rates(per_unit={key: Decimal(usd) for key, usd in per_unit.items()})


def lines(usage: Usage, price: Rates) -> dict[str, Decimal | int]:
    return {line.dimension: line.units for line in cost(usage=usage, rates=price).lines}


IMAGES = Rates(
    per_unit={
        "input": Decimal("0.000005"),
        "image_output": Decimal("0.00004"),
        "output_per_image": Decimal("0.04"),
        "output_per_image:low": Decimal("0.01"),
        "output_per_image:hd/1024x1024": Decimal("0.08"),
        "output_per_image:1792x1024": Decimal("0.06"),
    }
)


@st.composite
def unit_usages(draw: st.DrawFn) -> Usage:
    counts: dict[str, Any] = {
        name: draw(SECONDS if name.endswith("seconds") else WHOLE) for name in UNIT_DIMENSIONS
    }
    return Usage(
        **counts,
        size=draw(st.sampled_from(["", "1024x1024", "1024-x-1024", "1792x1024", "512x512"])),
        quality=draw(st.sampled_from(["", "hd", "low"])),
    )


@st.composite
def unit_prices(draw: st.DrawFn) -> Rates:
    variants = ["", ":hd/1024x1024", ":low", ":1792x1024"]
    keys = [
        f"{name}{variant}"
        for name in UNIT_DIMENSIONS.values()
        for variant in (variants if name.startswith("output") else [""])
    ]
    named = draw(st.dictionaries(st.sampled_from(keys), FINE_RATES))
    return Rates(per_unit=named | {name: draw(FINE_RATES) for name in UNIT_DIMENSIONS.values()})


def oracle(usage: Usage, price: Rates) -> list[Fraction]:
    """Each unit at the first of its rates by quality and size, as fractions."""
    size = usage.size.replace("-x-", "x")
    amounts = []
    for name, dimension in UNIT_DIMENSIONS.items():
        if dimension == "output_per_pixel" and usage.output_images:
            continue
        tried = [f"{dimension}:{usage.quality}/{size}", f"{dimension}:{usage.quality}"]
        tried += [f"{dimension}:{size}", dimension]
        rate = next(price.per_unit[key] for key in tried if key in price.per_unit)
        if getattr(usage, name):
            amounts.append(Fraction(getattr(usage, name)) * Fraction(rate))
    return amounts


@patient
@given(usage=unit_usages(), price=unit_prices())
def test_equals_an_independent_computation_in_fractions(usage: Usage, price: Rates) -> None:
    amounts = oracle(usage, price)
    charged = cost(usage=usage, rates=price)
    assert len(charged.lines) == len(amounts)
    for line, exact in zip(charged.lines, amounts, strict=True):
        assert abs(Fraction(line.amount_usd) - exact) <= Fraction(1, 2 * 10**12)
    assert sum(line.amount_usd for line in charged.lines) == charged.total_usd


@patient
@given(usage=unit_usages(), price=unit_prices(), slack=st.integers(0, 9), is_known=st.booleans())
def test_is_bounded_from_above(usage: Usage, price: Rates, slack: int, is_known: bool) -> None:
    bounds = Bounds(
        **{name: getattr(usage, name) + slack for name in UNIT_DIMENSIONS},
        size=usage.size if is_known else "",
        quality=usage.quality if is_known else "",
    )
    most = upper_bound(bounds=bounds, rates=price)
    # Each line may be rounded up by half of the last place.
    assert cost(usage=usage, rates=price).total_usd <= most + Decimal("6e-12")


@patient
@given(usage=unit_usages(), price=unit_prices())
def test_reads_back_lines_as_they_were_written(usage: Usage, price: Rates) -> None:
    charged = cost(usage=usage, rates=price)
    assert tuple(Line.of_json(line) for line in charged.lines_json()) == charged.lines


def test_writes_a_part_of_a_second_as_text_and_all_else_as_a_count() -> None:
    price = rates(input_per_second="0.0001", input_per_query="0.002")
    usage = Usage(input_seconds=Decimal("12.345"), queries=2)
    assert [line["units"] for line in cost(usage=usage, rates=price).lines_json()] == ["12.345", 2]


@pytest.mark.parametrize(
    ("size", "quality", "charged"),
    [
        ("1024x1024", "hd", "output_per_image:hd/1024x1024"),
        ("1024-x-1024", "HD", "output_per_image:hd/1024x1024"),
        ("1024x1024", "low", "output_per_image:low"),
        ("1792x1024", "", "output_per_image:1792x1024"),
        ("1792x1024", "hd", "output_per_image:1792x1024"),
        ("512x512", "hd", "output_per_image"),
        ("", "", "output_per_image"),
    ],
)
def test_charges_an_image_by_its_size_and_quality(size: str, quality: str, charged: str) -> None:
    assert lines(Usage(output_images=2, size=size, quality=quality), IMAGES) == {charged: 2}


def test_bounds_an_image_of_unknown_quality_by_the_dearest() -> None:
    unknown = Bounds(output_images=2, size="1024x1024")
    known = Bounds(output_images=2, size="1024x1024", quality="hd")
    small = Bounds(output_images=2, size="512x512", quality="low")
    assert upper_bound(bounds=unknown, rates=IMAGES) == Decimal("0.16")
    assert upper_bound(bounds=known, rates=IMAGES) == Decimal("0.16")
    assert upper_bound(bounds=small, rates=IMAGES) == Decimal("0.02")


def test_charges_video_by_its_format() -> None:
    price = Rates(
        per_unit={
            "output_per_second": Decimal("0.1"),
            "output_per_second:1080p": Decimal("0.3"),
            "output_per_second:4k": Decimal("0.5"),
        }
    )
    for size, usd in (("1920x1080", "2.4"), ("1080p", "2.4"), ("2160x3840", "4"), ("", "0.8")):
        assert cost(usage=Usage(output_seconds=8, size=size), rates=price).total_usd == Decimal(usd)


def test_charges_an_image_in_tokens_where_they_were_reported() -> None:
    both = Usage(
        input_tokens=10, output_tokens=100, image_output_tokens=100, output_images=1, quality="low"
    )
    assert lines(both, IMAGES) == {"input": 10, "image_output": 100}
    assert lines(Usage(input_tokens=10, output_images=1), IMAGES) == {
        "input": 10,
        "output_per_image": 1,
    }


def test_charges_a_transcription_in_tokens_or_else_by_the_second() -> None:
    price = rates(input="0.000001", audio_input="0.000002", output="0.000003", input_per_second="1")
    told = Usage(input_tokens=50, audio_input_tokens=45, output_tokens=9, input_seconds=7)
    assert lines(told, price) == {"input": 5, "audio_input": 45, "output": 9}
    assert lines(Usage(input_seconds=7), price) == {"input_per_second": 7}


def test_charges_images_that_go_in_by_the_image_where_the_price_has_no_tokens_for_them() -> None:
    price = rates(input="0.000001", input_per_image="0.0001")
    usage = Usage(input_tokens=300, image_input_tokens=290, input_images=1)
    assert lines(usage, price) == {"input": 10, "input_per_image": 1}


def test_charges_by_the_unit_where_tokens_cost_nothing() -> None:
    price = rates(input="0", output="0", output_per_image="0.039")
    usage = Usage(input_tokens=9, output_tokens=1290, output_images=1)
    assert cost(usage=usage, rates=price).total_usd == Decimal("0.039")


def test_charges_by_the_search_and_not_for_tokens_without_a_rate() -> None:
    assert lines(Usage(queries=1, input_tokens=500), rates(input_per_query="0.002")) == {
        "input_per_query": 1
    }
    assert lines(Usage(queries=1, input_tokens=500), rates(input="0.00000005")) == {"input": 500}


def test_charges_an_annotation_as_a_page_where_it_has_no_rate() -> None:
    usage = Usage(pages=3, annotated_pages=2)
    assert cost(usage=usage, rates=rates(input_per_page="0.004")).total_usd == Decimal("0.02")
    dearer = rates(input_per_page="0.004", annotation_per_page="0.005")
    assert cost(usage=usage, rates=dearer).total_usd == Decimal("0.022")


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (Usage(output_images=1), rates(input="0.000001", output="0.000001")),
        (Usage(output_images=1, input_tokens=5), rates(input="0.000001", output="0.000001")),
        (Usage(output_images=1, size="1x1"), Rates(per_unit={"output_per_image:hd": Decimal(1)})),
        (Usage(input_seconds=1), rates(input="0.000001")),
        (Usage(queries=1), rates(input="0.000001")),
    ],
)
def test_refuses_to_give_away_what_the_price_does_not_name(usage: Usage, price: Rates) -> None:
    with pytest.raises(RateMissing):
        cost(usage=usage, rates=price)


def test_refuses_to_bound_images_that_nothing_bounds() -> None:
    price = rates(input="0.000001", image_output="0.00004")
    with pytest.raises(RateMissing):
        upper_bound(bounds=Bounds(output_images=1), rates=price)
    bounds = Bounds(output_images=1, output_tokens=1_000)
    assert upper_bound(bounds=bounds, rates=price) == Decimal("0.04")


@pytest.mark.parametrize("reported", [Decimal("NaN"), Decimal(-1), Decimal("1e-7"), 1.5, True])
def test_refuses_seconds_that_cannot_be(reported: object) -> None:
    with pytest.raises(UsageContradiction):
        Usage(input_seconds=reported)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(
    ("reported", "read"),
    [
        (8.470000267028809, "8.470001"),
        ("12", "12"),
        (7, "7"),
        (Decimal("0.5"), "0.5"),
        (0.1, "0.1"),
    ],
)
def test_reads_a_reported_duration_up_to_the_microsecond(reported: float, read: str) -> None:
    assert seconds(reported) == Decimal(read)


@pytest.mark.parametrize("reported", ["soon", "-1", float("nan"), float("inf"), "1e40"])
def test_refuses_a_reported_duration_that_is_none(reported: float) -> None:
    with pytest.raises(UsageContradiction):
        seconds(reported)


@pytest.mark.parametrize("mode", [*NEEDED, "other"])
def test_prices_a_mode_at_zero_in_every_unit_it_is_charged_by(mode: str) -> None:
    assert prices_mode(free_rates(mode), mode)
    assert not any(free_rates(mode).per_unit.values())
