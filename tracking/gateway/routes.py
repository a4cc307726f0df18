"""Where a model is called: the tenant's own provider of that name, else the site's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from budgets.core.errors import DomainError
from budgets.core.sealing import unseal
from budgets.tenancy.callers import Reader
from tracking.gateway.doors.call import Route
from tracking.pricing.book import PricedModel

_KEPT_S = 1.0
_STATEMENT = (
    "select name, organization_id, kind, base_url, sealed_key from tracking_provider where active"
)


class ProviderNotConfigured(DomainError):
    """This site has no credentials for the model's provider. An operator adds them in the admin."""

    code = "provider_not_configured"


class Routes:
    """Knows every active provider of the site; looks again after a second."""

    def __init__(self, *, reader: Reader, secrets: Sequence[str]) -> None:
        self._reader = reader
        self._secrets = secrets
        self._known: dict[tuple[str, int | None], tuple[Any, ...]] = {}
        self._known_until = 0.0

    async def find(self, *, model: PricedModel, organization_id: int) -> Route:
        """Find where to call a model for an organization.

        :raises ProviderNotConfigured: if neither the organization nor the site has the provider
        :raises CredentialUnreadable: if its key was sealed with a key that is gone
        """
        await self._refresh()
        row = self._row(model.provider, organization_id)
        if row is None:
            raise ProviderNotConfigured(provider=model.provider)
        name, owner_id, kind, base_url, sealed = row
        return Route(
            provider=name,
            kind=kind,
            model=_name_at_provider(model, kind),
            base_url=base_url,
            key=unseal(
                sealed=bytes(sealed), owner=owner_text(name, owner_id), secrets=self._secrets
            ),
            mode=model.mode,
        )

    async def names(self, *, organization_id: int) -> frozenset[str]:
        """Give the names of the providers that an organization can call."""
        await self._refresh()
        return frozenset(name for name, owner in self._known if owner in (None, organization_id))

    def _row(self, name: str, organization_id: int) -> tuple[Any, ...] | None:
        return self._known.get((name, organization_id)) or self._known.get((name, None))

    async def _refresh(self) -> None:
        if self._known_until < time.monotonic():
            rows = await self._reader.rows(_STATEMENT, {})
            self._known = {(row[0], row[1]): row for row in rows}
            self._known_until = time.monotonic() + _KEPT_S


def owner_text(name: str, organization_id: int | None) -> str:
    """Name whose a sealed key is, so that it opens for no other provider or tenant."""
    return f"{name}@{organization_id or 'site'}"


def _name_at_provider(model: PricedModel, kind: str) -> str:
    """Name the model as the library expects it there; it guesses the provider from some names."""
    if kind == "openai_compatible":
        return f"hosted_vllm/{model.name.removeprefix(f'{model.provider}/')}"
    return model.name
