"""Whether a provider takes its key: tried from the admin, without a caller and without a booking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import httpx
from django.conf import settings

from budgets.core.errors import DomainError
from budgets.core.sealing import unseal
from budgets.http.outbound import open_client
from tracking.gateway.connections import PROVIDER_NETWORKS
from tracking.gateway.doors import litellm_door
from tracking.gateway.doors.call import ProviderCall, Route
from tracking.gateway.models import Provider
from tracking.gateway.routes import owner_text
from tracking.pricing.models import Price

_TIMEOUT_S = 20
_MOST_TOLD = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """Whether a provider works, and what was seen."""

    works: bool
    seen: str


def try_provider(*, provider: Provider, now: datetime) -> Trial:
    """Try a provider with its key: list the models of an address, or make the smallest call.

    The call is of a few tokens; the provider bills it, and nothing is booked here.
    """
    try:
        key = unseal(
            sealed=bytes(provider.sealed_key),
            owner=owner_text(provider.name, provider.organization_id),
            secrets=settings.COSTSITE_CREDENTIAL_KEYS,
        )
        if provider.kind == Provider.Kind.OPENAI_COMPATIBLE:
            return asyncio.run(_list_models(provider.base_url, key))
        return _make_smallest_call(provider, key, now)
    except DomainError as error:
        return Trial(works=False, seen=error.message)


async def _list_models(base_url: str, key: str) -> Trial:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with (
            asyncio.timeout(_TIMEOUT_S),
            open_client(timeout_s=_TIMEOUT_S, listed=PROVIDER_NETWORKS) as client,
        ):
            answer = await client.get(f"{base_url.rstrip('/')}/models", headers=headers)
    except (httpx.TransportError, TimeoutError) as error:
        return Trial(works=False, seen=f"It cannot be reached: {type(error).__name__}.")
    said = answer.text.replace(key, "***") if key else answer.text
    if answer.status_code in (404, 405):
        return Trial(works=True, seen="It answers, though it does not list its models.")
    if answer.status_code >= 400:
        return Trial(works=False, seen=f"It answers {answer.status_code}: {said[:_MOST_TOLD]}")
    return Trial(works=True, seen=f"It lists its models ({answer.status_code}).")


def _make_smallest_call(provider: Provider, key: str, now: datetime) -> Trial:
    model = _cheapest_model(provider.name, now)
    if model is None:
        return Trial(works=False, seen="The catalogue has no chat model of it to try.")
    call = ProviderCall(
        route=Route(provider.name, provider.kind, model, key=key),
        endpoint="chat.completions",
        parameters={"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 16},
        timeout_s=_TIMEOUT_S,
    )
    litellm_door.try_out(call)
    return Trial(works=True, seen=f"{model} has answered.")


def _cheapest_model(provider: str, now: datetime) -> str | None:
    prices = Price.objects.in_force(now).filter(
        model__provider=provider, model__mode="chat", model__active=True, model__unlisted_at=None
    )
    by_cost = [
        (rates.per_unit["output"], price.model.name)
        for price in prices.select_related("model")
        if "output" in (rates := price.parsed_rates()).per_unit
    ]
    return min(by_cost)[1] if by_cost else None
