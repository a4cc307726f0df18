"""The chart: bars that say what the figures say."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from tracking.spending.chart import OTHERS, Chart, chart_of
from tracking.usage.terms import Figures, Split, SplitDay

FIRST = date(2026, 3, 1)


def figures(cost: Decimal) -> Figures:
    return Figures(cost_usd=cost, calls=1)


def charted(*days: dict[str, str], today: date = FIRST) -> Chart:
    """Lay out days, each given as the cost of its models."""
    costs = [{model: Decimal(cost) for model, cost in day.items()} for day in days]
    models: dict[str, Decimal] = {}
    for day in costs:
        for model, cost in day.items():
            models[model] = models.get(model, Decimal(0)) + cost
    dearest_first = sorted(models.items(), key=lambda item: -item[1])
    split = Split(
        days=tuple(
            SplitDay(
                FIRST + timedelta(days=n),
                figures(sum(day.values(), Decimal(0))),
                tuple(day.items()),
            )
            for n, day in enumerate(costs)
        ),
        groups=tuple(dearest_first),
    )
    return chart_of(split=split, names={}, today=today)


def percent(text: str) -> Decimal:
    assert text.endswith("%")
    return Decimal(text[:-1])


def test_stacks_segments_from_the_ground_up_in_the_order_of_the_legend() -> None:
    chart = charted({"b": "3", "a": "5"}, {"b": "1"})

    first, second = chart.bars
    assert [series.name for series in chart.series] == ["a", "b"]
    assert [(s.series, s.y, s.height) for s in first.segments] == [
        (0, "37.500%", "62.500%"),
        (1, "0.000%", "37.500%"),
    ]
    assert [(s.series, s.y, s.height) for s in second.segments] == [(1, "87.500%", "12.500%")]
    assert second.costs_usd == (Decimal(0), Decimal(1))


def test_adds_up_what_is_not_among_the_dearest_so_that_nothing_is_lost() -> None:
    costs = {f"m{n}": str(2**n) for n in range(8)}

    chart = charted(costs)

    assert [series.name for series in chart.series] == ["m7", "m6", "m5", "m4", OTHERS]
    assert chart.series[-1].cost_usd == 1 + 2 + 4 + 8
    assert sum(chart.bars[0].costs_usd) == chart.bars[0].cost_usd == 255


def test_names_five_models_without_others() -> None:
    chart = charted({f"m{n}": str(n + 1) for n in range(5)})

    assert OTHERS not in [series.name for series in chart.series]
    assert len(chart.series) == 5


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        ("8", ["$0", "$2", "$4", "$6", "$8"]),
        ("5.25", ["$0", "$2", "$4", "$6"]),
        ("1234", ["$0", "$500", "$1,000", "$1,500"]),
        ("0.9", ["$0", "$0.25", "$0.50", "$0.75", "$1.00"]),
        ("1.5", ["$0", "$0.50", "$1.00", "$1.50"]),
        ("0.0000123", ["$0", "$0.000005", "$0.000010", "$0.000015"]),
        ("0", ["$0"]),
    ],
)
def test_draws_its_lines_at_round_amounts(highest: str, labels: list[str]) -> None:
    chart = charted({"a": highest})

    assert [tick.label for tick in chart.ticks] == labels
    assert chart.ticks[0].y in ("100.000%", "100%")


@pytest.mark.parametrize("count", [1, 2, 7, 28, 31, 366])
def test_keeps_every_bar_inside_and_apart(count: int) -> None:
    chart = charted(*({"a": "1"} for _ in range(count)))

    edges = [(percent(bar.x), percent(bar.x) + percent(bar.width)) for bar in chart.bars]
    assert edges[0][0] >= 0
    assert edges[-1][1] <= 100
    assert all(left[1] <= right[0] for left, right in pairwise(edges))
    assert 1 <= sum(bar.label for bar in chart.bars) <= 7


def test_tells_the_highest_day_and_the_mean_up_to_today() -> None:
    chart = charted({"a": "1"}, {"a": "4"}, {"a": "1"}, {}, {}, today=FIRST + timedelta(days=2))

    assert chart.highest is not None
    assert chart.highest.on == FIRST + timedelta(days=1)
    assert chart.mean_usd == 2
    assert [bar.is_future for bar in chart.bars] == [False, False, False, True, True]
    assert len(chart.past_bars) == 3


def test_draws_nothing_where_nothing_was_spent_or_more_was_given_back() -> None:
    chart = charted({"a": "2"}, {"a": "-1"}, {"a": "0"})

    assert [len(bar.segments) for bar in chart.bars] == [1, 0, 0]
    assert charted({}).highest is None
