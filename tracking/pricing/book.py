"""The price book: every model's prices in memory, so that a call needs no database. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from budgets.core.errors import DomainError
from tracking.pricing.modes import prices_mode
from tracking.pricing.rates import Rates, parsed_rates
from tracking.pricing.rules import NO_RULES, Rules


class ModelNotFound(DomainError):
    """There is no such model."""

    code = "model_not_found"


class ModelNotPriced(DomainError):
    """The model has no price, and nothing is taken to be free."""

    code = "model_not_priced"


@dataclass(frozen=True, slots=True)
class PricedModel:
    """A model with the price in force at one instant for one caller.

    ``rates`` are what is charged: the list price of that version, or what the price rule
    ``price_rule_id`` makes of it.
    """

    model_id: int
    name: str
    provider: str
    mode: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: tuple[str, ...]
    price_id: int
    price_version: int
    rates: Rates
    price_rule_id: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One price of a model with its validity, its rates still JSON text. No price: all None."""

    model_id: int
    name: str
    provider: str
    mode: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: Sequence[str]
    price_id: int | None
    price_version: int | None
    valid_from: datetime | None
    valid_to: datetime | None
    rates: str | None

    def holds_at(self, at: datetime) -> bool:
        """Tell whether this is the price in force at the instant."""
        begun = self.valid_from is not None and self.valid_from <= at
        return begun and (self.valid_to is None or at < self.valid_to)

    def priced(self) -> PricedModel | None:
        """Parse the rates; None when they do not price what calls of this mode use."""
        if self.price_id is None or self.price_version is None or self.rates is None:
            return None
        rates = parsed_rates(self.rates)
        if not prices_mode(rates, self.mode):
            return None
        return PricedModel(
            model_id=self.model_id,
            name=self.name,
            provider=self.provider,
            mode=self.mode,
            context_window=self.context_window,
            max_output_tokens=self.max_output_tokens,
            capabilities=tuple(self.capabilities),
            price_id=self.price_id,
            price_version=self.price_version,
            rates=rates,
        )


@dataclass(frozen=True, slots=True)
class PriceBook:
    """An immutable copy of all active models, their present and planned prices, and price rules.

    ``edition`` is the number of PriceBookEdition read *before* the rows: while it stands, the
    copy is current. Replace the whole book when it does not.
    """

    edition: int
    versions: Mapping[str, tuple[Version, ...]]
    rules: Rules = NO_RULES

    @classmethod
    def of_rows(
        cls, *, edition: int, rows: Iterable[Sequence[Any]], rules: Iterable[Sequence[Any]] = ()
    ) -> Self:
        """Make the book from the rows of ``sql/price_book.sql``, in their order.

        ``rules`` are the rows of ``sql/price_rules.sql``.
        """
        versions: dict[str, tuple[Version, ...]] = {}
        for row in rows:
            version = Version(*row)
            versions[version.name] = (*versions.get(version.name, ()), version)
        return cls(edition=edition, versions=versions, rules=Rules.of_rows(rules))

    def price_at(
        self,
        *,
        name: str,
        at: datetime,
        organization_id: int | None = None,
        plan: str | None = None,
    ) -> PricedModel:
        """Find a model by the name a client sent, with the price in force at the instant.

        For a caller's organization and plan (its code) the narrowest price rule is applied; the
        list price without them. A name may carry its provider in front (``openai/gpt-4o-mini`` is
        ``gpt-4o-mini``).

        :raises ModelNotFound: if no active model has the name
        :raises ModelNotPriced: if it has no price then, or none for what its calls use
        """
        versions = self._named(name)
        if not versions:
            raise ModelNotFound(f"There is no model {name!r}.", model=name)
        listed = next((version.priced() for version in versions if version.holds_at(at)), None)
        priced = listed and self._for_caller(listed, at, organization_id, plan)
        if priced is None:
            raise ModelNotPriced(
                f"The model {name!r} has no price, and nothing is taken to be free.", model=name
            )
        return priced

    def priced_at(
        self, at: datetime, *, organization_id: int | None = None, plan: str | None = None
    ) -> Iterator[PricedModel]:
        """Give every model that can be called at the instant, in the order of the catalogue.

        Prices are those of price_at().
        """
        for versions in self.versions.values():
            for version in versions:
                listed = version.priced() if version.holds_at(at) else None
                priced = listed and self._for_caller(listed, at, organization_id, plan)
                if priced:
                    yield priced

    def _for_caller(
        self, listed: PricedModel, at: datetime, organization_id: int | None, plan: str | None
    ) -> PricedModel | None:
        """Apply the narrowest rule; None when the rates of a rule do not price the model's mode."""
        rule = self.rules.narrowest(
            model=listed.name, at=at, organization_id=organization_id, plan=plan
        )
        if rule is None:
            return listed
        rates = rule.applied_to(listed.rates)
        if not prices_mode(rates, listed.mode):
            return None
        return replace(listed, rates=rates, price_rule_id=rule.id)

    def _named(self, name: str) -> tuple[Version, ...]:
        versions = self.versions.get(name, ())
        provider, slash, bare = name.partition("/")
        if versions or not slash:
            return versions
        return tuple(known for known in self.versions.get(bare, ()) if known.provider == provider)
