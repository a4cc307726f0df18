"""Figures that others know are handed in, and judged like all others."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgets.alerts.models import Alert, Channel, Observation
from budgets.alerts.operations import Figure, observe
from budgets.tenancy.models import Organization
from tests import make
from tests.budgets.alerts.things import MINUTE, alerts, budget, rule, tick, told
from tests.make import NOW

pytestmark = pytest.mark.django_db


def provider(minutes: int | None, name: str = "openai") -> Figure:
    return Figure("provider", name, None if minutes is None else Decimal(minutes))


def hand_in(acme: Organization, *figures: Figure, at: Any = NOW, **options: Any) -> None:
    options = {"kind": "provider_down"} | options
    observe(organization=acme, figures=figures, now=at, **options)


def test_tells_of_a_provider_that_is_down_and_up_again(acme: Organization, slack: Channel) -> None:
    rule(of=acme, kind="provider_down", critical_at=[Decimal(5)])
    for minute in (1, 6, 7):
        hand_in(acme, provider(minute), at=NOW + minute * MINUTE)
        tick(at=NOW + minute * MINUTE)
    assert alerts(acme) == [("Provider openai: down for 6 minutes", "open")]

    hand_in(acme, provider(None), at=NOW + 8 * MINUTE)
    tick(at=NOW + 8 * MINUTE)
    assert [event for event, _ in told(acme)] == ["opened", "recovered"]

    hand_in(acme, provider(9), at=NOW + timedelta(hours=3))
    tick(at=NOW + timedelta(hours=3))
    assert len(alerts(acme)) == 2, "another time, another alert"


def test_takes_for_well_what_is_not_among_all(acme: Organization) -> None:
    rule(of=acme, kind="provider_down", critical_at=[Decimal(5)])
    hand_in(acme, provider(6), provider(7, "azure"))
    tick()
    hand_in(acme, provider(8), at=NOW + MINUTE, is_all=True)
    tick(at=NOW + MINUTE)

    assert alerts(acme) == [
        ("Provider openai: down for 6 minutes", "open"),
        ("Provider azure: down for 7 minutes", "recovered"),
    ]


def test_knows_nothing_when_nobody_hands_in(acme: Organization) -> None:
    """Whoever watches providers has died: that does not mean that they are up."""
    rule(of=acme, kind="provider_down", critical_at=[Decimal(5)])
    hand_in(acme, provider(6))
    tick()
    tick(at=NOW + timedelta(hours=2))

    assert [state for _, state in alerts(acme)] == ["open"]


def test_tells_once_a_window_that_a_budget_will_not_last(
    acme: Organization, slack: Channel
) -> None:
    team = budget(of=acme, name="Team")
    other = budget(of=acme, name="Other")
    rule(of=acme, kind="forecast", warning_at=[Decimal(100)], budget=team)
    rule(of=acme, kind="runs_out", info_at=[Decimal(14)], critical_at=[Decimal(3)])
    for minute, (percent, days) in enumerate([(90, 30), (120, 12), (90, 12), (121, 2)]):
        at = NOW + minute * MINUTE
        for kind, value in (("forecast", percent), ("runs_out", days)):
            figures = [
                Figure(
                    "budget",
                    str(one.pk),
                    Decimal(value),
                    name=one.name,
                    limit=Decimal(100),
                    budget_id=one.pk,
                    window_start=NOW.replace(day=1),
                    window_ends_at=NOW.replace(month=4, day=1),
                    facts=[("Likely", "$120")],
                )
                for one in (team, other)
            ]
            hand_in(acme, *figures[: 2 if kind == "forecast" else 1], kind=kind, at=at)
        tick(at=at)

    titles = [title for event, title in told(acme) if event == "opened"]
    # The first two are of one tick, in either order.
    assert sorted(titles[:2]) == [
        "Budget Team is forecast to run out in 12 days",
        "Budget Team: forecast to use 120 % of its limit before its window ends",
    ]
    assert titles[2:] == ["Budget Team is forecast to run out in 2 days"]
    assert any(["Likely", "$120"] in alert.facts for alert in Alert.objects.all())


@pytest.mark.parametrize(
    ("kind", "figure", "title"),
    [
        (
            "anomaly",
            Figure("organization", "project:7", Decimal(40), name="Project nightly"),
            "Project nightly: unusual spend, $40.00 above the usual",
        ),
        ("error_rate", Figure("organization", "", Decimal("12.5")), "12.5 % of calls fail"),
        ("refusals", Figure("organization", "", Decimal(37)), "37 calls refused"),
        (
            "unpriced",
            Figure("model", "acme/new", Decimal(50)),
            "Model acme/new: 50 calls of a model without a price",
        ),
    ],
)
def test_says_what_it_was_told(acme: Organization, kind: str, figure: Figure, title: str) -> None:
    rule(of=acme, kind=kind, warning_at=[Decimal(1)])
    hand_in(acme, figure, kind=kind)
    tick()

    assert alerts(acme) == [(title, "open")]


def test_a_models_name_is_no_pattern_but_for_its_stars(acme: Organization) -> None:
    """As limits read it: a bracket or a question mark stands for itself."""
    rule(of=acme, kind="refusals", warning_at=[Decimal(5)], scope="model", target="tuned[1]/*")
    figures = [Figure("model", name, Decimal(6)) for name in ("tuned[1]/x", "tuned1/x")]
    hand_in(acme, *figures, kind="refusals")
    tick()

    assert alerts(acme) == [("Model tuned[1]/x: 6 calls refused", "open")]


def test_keeps_apart_whom_a_figure_is_about(acme: Organization) -> None:
    bob = make.member(of=acme)
    rule(of=acme, kind="refusals", warning_at=[Decimal(5)], each="user")
    rule(of=acme, kind="refusals", warning_at=[Decimal(5)], scope="model", target="openai/*")
    globex = make.organization(slug="globex", owner=make.user(name="carol"))
    rule(of=globex, kind="refusals", warning_at=[Decimal(5)], each="user")
    hand_in(
        acme,
        Figure("user", str(bob.pk), Decimal(6)),
        Figure("organization", "", Decimal(16)),
        Figure("model", "openai/x", Decimal(6)),
        Figure("model", "azure/x", Decimal(6)),
        kind="refusals",
    )
    tick()

    assert alerts(acme) == [
        ("User bob@example.org: 6 calls refused", "open"),
        ("Model openai/x: 6 calls refused", "open"),
    ]
    assert Alert.objects.get(subject__startswith="user").user == bob
    assert alerts(globex) == []


def test_keeps_one_row_of_a_subject(acme: Organization) -> None:
    for minute in range(3):
        hand_in(acme, provider(minute), at=NOW + minute * MINUTE)

    assert Observation.objects.get().value == 2


def test_takes_no_figures_of_kinds_that_are_read_here(acme: Organization) -> None:
    with pytest.raises(KeyError):
        hand_in(acme, provider(1), kind="spend")
