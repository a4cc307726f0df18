"""Where a model is called, and what a name that clients send stands for.

A process keeps every active provider and alias in memory, and asks each second whether they have
changed. A tenant's own alias goes before the site's of that name, and its own keys stand in place
of the site's; another tenant's are never looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from budgets.core.errors import DomainError
from budgets.core.sealing import CredentialUnreadable, unseal
from budgets.core.sql import read_sql
from budgets.tenancy.callers import Reader
from tracking.gateway.choosing import shuffled
from tracking.gateway.doors.call import LIBRARY_NAMES, Route
from tracking.gateway.health import Health
from tracking.pricing.book import PricedModel

_KEPT_S = 1.0


class ProviderNotConfigured(DomainError):
    """This site has no credentials for the model's provider. An operator adds them in the admin."""

    code = "provider_not_configured"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many seconds a provider is given, where it differs from the site's settings."""

    connect_s: int | None = None
    first_byte_s: int | None = None
    idle_s: int | None = None
    total_s: int | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One way to call a model: a route, its share of the calls, and how long it is given."""

    provider_id: int
    route: Route
    weight: int = 1
    limits: Limits = Limits()

    @property
    def key(self) -> tuple[int, str]:
        """What its health is kept under."""
        return self.provider_id, self.route.model


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """A model that an alias stands for, perhaps only with one key and under another name there."""

    model: str
    position: int
    weight: int
    provider_id: int | None = None
    name_at_provider: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that stands for others, and when the next of them is called."""

    name: str
    falls_back_on_failure: bool
    falls_back_on_budget: bool
    targets: tuple[AliasTarget, ...]

    def drawn(self, *, draw: Callable[[], float]) -> list[AliasTarget]:
        """Put the targets in order: by position, and within one by chance and weight."""
        ordered: list[AliasTarget] = []
        for _, group in groupby(self.targets, key=lambda target: target.position):
            alike = list(group)
            weights = [target.weight for target in alike]
            ordered += shuffled(alike, weights=weights, draws=iter(draw, None))
        return ordered


@dataclass(slots=True)
class _Provider:
    """A provider as the database has it; its key is opened when it is first needed."""

    row: tuple[Any, ...]
    provider_id: int = field(init=False)
    name: str = field(init=False)
    owner_id: int | None = field(init=False)
    _key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.provider_id, self.name, self.owner_id = self.row[:3]

    def option(
        self, *, secrets: Sequence[str], mode: str, name_there: Callable[[str], str]
    ) -> Option:
        """Make the way to call a model here.

        :raises CredentialUnreadable: if the key was sealed with a key that is gone
        """
        _, name, owner_id, label, kind, base_url, door, sealed, weight, *limits = self.row
        if self._key is None:
            owner = owner_text(name, owner_id)
            self._key = unseal(sealed=bytes(sealed), owner=owner, secrets=secrets)
        route = Route(name, kind, name_there(kind), base_url, self._key, mode, label, door)
        return Option(self.provider_id, route, weight, Limits(*limits))


class Routes:
    """Knows every active provider and alias of the site."""

    def __init__(self, *, reader: Reader, health: Health, secrets: Sequence[str]) -> None:
        self._reader = reader
        self._health = health
        self._secrets = secrets
        self._edition: int | None = None
        self._by_id: Mapping[int, _Provider] = {}
        self._by_name: Mapping[tuple[str, int | None], list[_Provider]] = {}
        self._aliases: Mapping[tuple[str, int | None], Alias] = {}
        self._known_until = 0.0
        self._turn = asyncio.Lock()

    async def alias(self, *, name: str, organization_id: int) -> Alias | None:
        """Find what a name stands for: the tenant's own alias, else the site's."""
        await self._refresh()
        return self._aliases.get((name, organization_id)) or self._aliases.get((name, None))

    async def aliases(self, *, organization_id: int) -> list[Alias]:
        """Give every alias that an organization can call, by name."""
        await self._refresh()
        of_site = {name: a for (name, owner), a in self._aliases.items() if owner is None}
        own = {name: a for (name, owner), a in self._aliases.items() if owner == organization_id}
        return [alias for _, alias in sorted((of_site | own).items())]

    async def names(self, *, organization_id: int) -> frozenset[str]:
        """Give the names of the providers that an organization can call."""
        await self._refresh()
        return frozenset(name for name, owner in self._by_name if owner in (None, organization_id))

    async def options(
        self, *, model: PricedModel, organization_id: int, target: AliasTarget | None = None
    ) -> tuple[Option, ...]:
        """Find the ways to call a model for an organization, or those that an alias's target allows.

        :raises ProviderNotConfigured: if neither the organization nor the site has the provider
        :raises CredentialUnreadable: if no key can be read: they were sealed with one that is gone
        """
        await self._refresh()
        options: list[Option] = []
        unreadable: CredentialUnreadable | None = None
        for provider in self._serving(model.provider, organization_id, target):
            try:
                options.append(
                    provider.option(
                        secrets=self._secrets,
                        mode=model.mode,
                        name_there=_naming(model, provider.name, target),
                    )
                )
            except CredentialUnreadable as error:
                unreadable = error
        if not options:
            raise unreadable or ProviderNotConfigured(provider=model.provider)
        return tuple(options)

    def _serving(
        self, name: str, organization_id: int, target: AliasTarget | None
    ) -> Iterable[_Provider]:
        if target is not None and target.provider_id is not None:
            pinned = self._by_id.get(target.provider_id)
            # Whatever an alias says, nobody calls with another tenant's key.
            return [pinned] if pinned and pinned.owner_id in (None, organization_id) else []
        own = self._by_name.get((name, organization_id))
        return own or self._by_name.get((name, None)) or []

    async def _refresh(self) -> None:
        if self._known_until >= time.monotonic():
            return
        async with self._turn:
            if self._known_until >= time.monotonic():
                return
            ((edition, failing),) = await self._reader.rows(
                read_sql("tracking.gateway", "route_state"), {}
            )
            self._health.learn(failing)
            if edition != self._edition:
                await self._read(edition)
            self._known_until = time.monotonic() + _KEPT_S

    async def _read(self, edition: int) -> None:
        rows = await self._reader.rows(read_sql("tracking.gateway", "active_providers"), {})
        known = self._by_id
        self._by_id = {}
        by_name: defaultdict[tuple[str, int | None], list[_Provider]] = defaultdict(list)
        for row in rows:
            before = known.get(row[0])
            # One that stays as it was keeps its opened key.
            provider = before if before and before.row == row else _Provider(row)
            self._by_id[provider.provider_id] = provider
            by_name[provider.name, provider.owner_id].append(provider)
        self._by_name = dict(by_name)
        self._aliases = _aliases(
            await self._reader.rows(read_sql("tracking.gateway", "active_aliases"), {})
        )
        self._edition = edition


def _aliases(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, int | None], Alias]:
    aliases: dict[tuple[str, int | None], Alias] = {}
    for (name, owner_id, on_failure, on_budget), of_alias in groupby(rows, lambda row: row[:4]):
        targets = tuple(AliasTarget(*row[4:]) for row in of_alias)
        aliases[name, owner_id] = Alias(name, on_failure, on_budget, targets)
    return aliases


def owner_text(name: str, organization_id: int | None) -> str:
    """Name whose a sealed key is, so that it opens for no other provider or tenant."""
    return f"{name}@{organization_id or 'site'}"


def _naming(model: PricedModel, provider: str, target: AliasTarget | None) -> Callable[[str], str]:
    """Name a model as the library expects it there; it guesses the provider from some names."""
    there = target.name_at_provider if target else ""
    bare = there or model.name.removeprefix(f"{model.provider}/")

    def name_there(kind: str) -> str:
        if kind in LIBRARY_NAMES:
            return f"{LIBRARY_NAMES[kind]}/{bare}"
        if there or provider != model.provider:
            return f"{provider}/{bare}"
        return model.name

    return name_there
