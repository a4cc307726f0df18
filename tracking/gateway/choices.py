"""What the model that a client named stands for: models in order of preference, with their routes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from budgets.core.errors import DomainError
from budgets.holds.refusals import ModelNotAllowed
from budgets.tenancy.callers import Caller
from tracking.gateway.doors.call import ProviderCall
from tracking.gateway.endpoints.bodies import CallBody, UnsupportedParameter
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.routes import Alias, AliasTarget, Limits, Option
from tracking.gateway.runtime import Runtime
from tracking.pricing.book import PriceBook, PricedModel


@dataclass(frozen=True, slots=True)
class Target:
    """A model with the price in force, and the ways to call it, at least one."""

    model: PricedModel
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The models that a call may be made with, at least one, the first tried first.

    ``preferred`` names the one that would be first if all were well.
    """

    preferred: str
    targets: tuple[Target, ...]
    falls_back_on_failure: bool = False
    falls_back_on_budget: bool = False


async def chosen(
    work: Runtime, *, caller: Caller, request: CallBody, endpoint: Endpoint[Any], now: datetime
) -> Choice:
    """Find what a call may be made with: the targets of an alias, or the model of that name.

    What an alias names and the caller may not call is left out, and so is what has no price or no
    provider. A model whose routes all cool down comes after those that are well.

    :raises DomainError: ModelNotFound, ModelNotPriced, ModelNotAllowed, ProviderNotConfigured or
        UnsupportedParameter, if nothing is left
    """
    book = await work.book(now=now)
    alias = await work.routes.alias(name=request.model, organization_id=caller.organization_id)
    if alias is None:
        target = await _target(work, book, caller, request.model, now)
        return Choice(target.model.name, (_asked(target, endpoint, request),))
    targets = await targets_of(
        work,
        alias=alias,
        book=book,
        caller=caller,
        now=now,
        kept=lambda target: _asked(target, endpoint, request),
    )
    return _choice(alias, targets, work.health.cools_until)


async def targets_of(
    work: Runtime,
    *,
    alias: Alias,
    book: PriceBook,
    caller: Caller,
    now: datetime,
    kept: Callable[[Target], Target] = lambda target: target,
) -> list[Target]:
    """Find what an alias stands for to a caller, in order; ``kept`` may refuse a target, or part of it.

    :raises DomainError: what is wrong with the first target, if none is left
    """
    targets: list[Target] = []
    first_error: DomainError | None = None
    for named in alias.drawn(draw=random.random):
        try:
            targets.append(kept(await _target(work, book, caller, named.model, now, named)))
        except DomainError as error:
            first_error = first_error or error
    if not targets:
        assert first_error is not None
        raise first_error
    return targets


async def _target(
    work: Runtime,
    book: PriceBook,
    caller: Caller,
    name: str,
    now: datetime,
    named: AliasTarget | None = None,
) -> Target:
    model = book.price_at(
        name=name, at=now, organization_id=caller.organization_id, plan=caller.plan
    )
    if not caller.may_call(model.name):
        raise ModelNotAllowed(model=model.name)
    options = await work.routes.options(
        model=model, organization_id=caller.organization_id, target=named
    )
    return Target(model, options)


def _asked(target: Target, endpoint: Endpoint[Any], request: CallBody) -> Target:
    """Keep the ways to call a model that the request can go."""
    model = target.model
    if model.mode not in endpoint.modes:
        raise UnsupportedParameter(
            f"{model.name} is for {model.mode}, which {endpoint.name} does not do.", param="model"
        )
    options: list[Option] = []
    refusal: DomainError | None = None
    for option in target.options:
        try:
            endpoint.check(request=request, route=option.route)
            options.append(option)
        except DomainError as error:
            refusal = refusal or error
    if not options:
        assert refusal is not None
        raise refusal
    return Target(model, tuple(options))


def _choice(
    alias: Alias, targets: Sequence[Target], cools_until: Callable[[tuple[int, str]], float]
) -> Choice:
    def is_cooling(target: Target) -> bool:
        return all(cools_until(option.key) for option in target.options)

    ordered = sorted(targets, key=is_cooling) if alias.falls_back_on_failure else targets
    return Choice(
        targets[0].model.name,
        tuple(ordered),
        falls_back_on_failure=alias.falls_back_on_failure,
        falls_back_on_budget=alias.falls_back_on_budget,
    )


def total_s(choice: Choice) -> float:
    """Give the seconds that a call may take in all, its attempts and fallbacks together."""
    limits = [option.limits.total_s for option in choice.targets[0].options]
    return max(limit or settings.COSTSITE_PROVIDER_TIMEOUT_S for limit in limits)


def bounded(call: ProviderCall, limits: Limits) -> ProviderCall:
    """Bound an attempt by its provider's limits, or the site's where it has none."""
    return ProviderCall(
        call.route,
        call.endpoint,
        call.parameters,
        timeout_s=min(call.timeout_s, limits.total_s or settings.COSTSITE_PROVIDER_TIMEOUT_S),
        connect_timeout_s=limits.connect_s or settings.COSTSITE_CONNECT_TIMEOUT_S,
        first_byte_timeout_s=limits.first_byte_s or settings.COSTSITE_FIRST_BYTE_TIMEOUT_S,
        idle_timeout_s=limits.idle_s or settings.COSTSITE_IDLE_TIMEOUT_S,
    )
