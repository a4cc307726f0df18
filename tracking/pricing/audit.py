"""Compares prices in force with the second source's, kind by kind.

Each source leaves out what another states, so only what both name is compared; a kind without a rate
of its own counts at the rate it is charged at here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tracking.pricing.book import PricedModel
from tracking.pricing.rates import TOKEN_DIMENSIONS, Rates, dimension_of
from tracking.pricing.second_source import PROVIDERS, Quote, SecondSource


@dataclass(frozen=True, slots=True)
class Difference:
    """One rate that the sources disagree about, in USD per unit."""

    key: str
    ours_usd: Decimal
    theirs_usd: Decimal


@dataclass(frozen=True, slots=True)
class Compared:
    """One model of ours against theirs."""

    model: str
    theirs: str
    differences: tuple[Difference, ...]


@dataclass(slots=True)
class ProviderAudit:
    """One provider's models: those that agree, those that differ, those not listed there."""

    provider: str
    agreeing: list[str] = field(default_factory=list)
    differing: list[Compared] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def audit(*, models: Iterable[PricedModel], source: SecondSource) -> list[ProviderAudit]:
    """Compare the models of every provider that both sources know, in the order of their names."""
    audits: dict[str, ProviderAudit] = {}
    for model in models:
        if model.provider not in PROVIDERS:
            continue
        of_provider = audits.setdefault(model.provider, ProviderAudit(model.provider))
        quote = source.quote(provider=model.provider, name=model.name)
        if quote is None:
            of_provider.missing.append(model.name)
        elif differences := tuple(differences_of(rates=model.rates, quote=quote)):
            of_provider.differing.append(Compared(model.name, quote.model, differences))
        else:
            of_provider.agreeing.append(model.name)
    return [audits[provider] for provider in sorted(audits)]


def differences_of(*, rates: Rates, quote: Quote) -> Iterator[Difference]:
    """Find the rates of a quote that are not what is charged here."""
    for key, theirs in quote.per_unit.items():
        ours = _charged(rates, key)
        if ours is not None and ours != theirs:
            yield Difference(key, ours, theirs)


def _charged(rates: Rates, key: str) -> Decimal | None:
    """The rate here of what a key counts; past a threshold, of a call that is just past it."""
    dimension, _, threshold = key.partition(">")
    if dimension_of(dimension) not in TOKEN_DIMENSIONS:
        return rates.per_unit.get(dimension)
    return rates.of_call(input_tokens=int(threshold) + 1 if threshold else 0).get(dimension)
