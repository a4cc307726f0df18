"""Price rules: what the site, a plan or an organization pays differently. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

from budgets.tenancy.callers import matches
from tracking.pricing.cost import multiplied
from tracking.pricing.rates import Rates, parsed_rates

# Whose rule it is: an organization by id, or a plan by code; the site's has neither.
Owner = tuple[int | None, str | None]
SITE: Owner = (None, None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One dated rule: a factor on the list price, or rates in its place (as JSON text)."""

    id: int
    organization_id: int | None
    plan: str | None
    model_pattern: str
    factor: Decimal | None
    rates: str | None
    valid_from: datetime
    valid_to: datetime | None

    def holds_at(self, at: datetime) -> bool:
        """Tell whether the instant lies in its half-open validity."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    def covers(self, model: str) -> bool:
        """Tell whether the rule is for a model; an empty pattern is for all."""
        return not self.model_pattern or matches(pattern=self.model_pattern, name=model)

    def applied_to(self, listed: Rates) -> Rates:
        """Give what is charged in place of the list price."""
        if self.rates is not None:
            return parsed_rates(self.rates)
        assert self.factor is not None
        return multiplied_rates(listed, self.factor)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules by whose they are, each owner's with the narrowest pattern first."""

    by_owner: Mapping[Owner, tuple[Rule, ...]]

    @classmethod
    def of_rows(cls, rows: Iterable[Sequence[Any]]) -> Self:
        """Make them from the rows of ``sql/price_rules.sql``."""
        by_owner: dict[Owner, list[Rule]] = {}
        for row in rows:
            rule = Rule(*row)
            by_owner.setdefault((rule.organization_id, rule.plan), []).append(rule)
        return cls({owner: tuple(sorted(own, key=_narrowness)) for owner, own in by_owner.items()})

    def narrowest(
        self, *, model: str, at: datetime, organization_id: int | None, plan: str | None
    ) -> Rule | None:
        """Find the one rule for a call: the organization's before its plan's before the site's.

        Among one owner's the narrowest pattern goes first: a name before a pattern, a pattern with
        more letters before one with fewer, any pattern before none; else the newest.
        """
        if not self.by_owner:
            return None
        for owner in ((organization_id, None), (None, plan), SITE):
            for rule in self.by_owner.get(owner, ()):
                if rule.holds_at(at) and rule.covers(model):
                    return rule
        return None


NO_RULES = Rules({})


# A factor is asked for on every call and applied to few different prices.
@lru_cache(maxsize=8192)
def multiplied_rates(listed: Rates, factor: Decimal) -> Rates:
    """Multiply every rate of a price; each is rounded half-even to 12 places at most once."""
    return Rates(
        per_unit={key: multiplied(rate, factor) for key, rate in listed.per_unit.items()},
        uplifts=listed.uplifts,
        off_peak=listed.off_peak,
    )


def _narrowness(rule: Rule) -> tuple[bool, int, int]:
    pattern = rule.model_pattern
    letters = len(pattern) - pattern.count("*")
    is_name = bool(pattern) and "*" not in pattern
    return (not is_name, -letters, -rule.id)
