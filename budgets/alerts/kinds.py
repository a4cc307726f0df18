"""What rules can watch, and how each kind of figure is to be read. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trait:
    """How a kind's figures are read.

    ``unit`` stands behind a figure; ``falls`` says that less is worse; ``observed`` that it is handed
    in by who knows it; ``any_subject`` that a rule for all takes every subject it is told of;
    ``told_of`` of whom beside the organization it is known.
    """

    unit: str
    falls: bool = False
    observed: bool = False
    any_subject: bool = False
    told_of: tuple[str, ...] = ("project", "user", "api_key", "model", "tag")


TRAITS: dict[str, Trait] = {
    "budget": Trait("%"),
    "budget_spent": Trait(""),
    "spend": Trait("$"),
    "spend_rate": Trait("$/h"),
    "forecast": Trait("%", observed=True, any_subject=True),
    "runs_out": Trait("days", falls=True, observed=True, any_subject=True),
    "anomaly": Trait("$", observed=True, told_of=("project", "api_key", "model")),
    "error_rate": Trait("%", observed=True),
    "refusals": Trait("calls", observed=True, told_of=("project", "user", "api_key", "model")),
    "unpriced": Trait("calls", observed=True, any_subject=True, told_of=("model",)),
    "unconfirmed": Trait("calls"),
    "provider_down": Trait("minutes", observed=True, any_subject=True, told_of=()),
    "key_expiry": Trait("days", falls=True, told_of=("project", "user", "api_key")),
    "no_data": Trait("hours"),
}
FROM_BALANCES = frozenset({"budget", "budget_spent"})
FROM_JOURNAL = frozenset({"spend", "spend_rate", "unconfirmed", "no_data"})
OBSERVED = frozenset(kind for kind, trait in TRAITS.items() if trait.observed)
