"""A demo tenant with a month of calls, so that a new site has something to show."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from budgets.core.ids import uuid7
from budgets.holds.operations import put_budget
from budgets.holds.terms import HoldRequest
from budgets.limits.models import Budget
from budgets.plans.models import Plan
from budgets.tenancy import operations as tenancy
from budgets.tenancy.models import ApiKey, Organization, Project, User
from tracking.gateway.attribution import Attribution
from tracking.gateway.ends import Call, End, settled
from tracking.gateway.estimate import Estimate
from tracking.ledger import operations as ledger
from tracking.pricing.book import PricedModel
from tracking.pricing.cost import Bounds, upper_bound, worst_rates
from tracking.pricing.queries import price_at
from tracking.pricing.usage import Usage

DAYS = 30
_SEED = 20
# Calls on a working day by hour of the day; weekends see a fifth.
_CALLS_BY_HOUR = (0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 4, 3, 2, 3, 4, 4, 3, 2, 1, 1, 0, 0, 0, 0)
_MODELS = (("demo/small", 6), ("demo/large", 3), ("demo/slow", 1))
_TAGS = (("chat",), ("search",), ("chat", "beta"), ())


@dataclass(frozen=True, slots=True)
class Demo:
    """What a newcomer needs to try the site."""

    admin_email: str
    admin_password: str
    api_key: str
    organization: str


def create_demo(*, now: datetime, days: int = DAYS) -> Demo | None:
    """Make an administrator, an organization with a key, and some days of calls in the ledger.

    Gives None, and does nothing, where there is an organization already.
    """
    if Organization.objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        admin = User.objects.create_superuser("admin@example.com", password, name="Admin")
        organization = tenancy.create_organization(
            name="Demo", slug="demo", plan=Plan.objects.get(code="basic"), owner=admin
        )
        default = Project.objects.for_organization(organization).get(slug="default")
        nightly = Project.objects.create(organization=organization, name="Nightly", slug="nightly")
        key, text = tenancy.create_key(project=default, user=admin, name="Quickstart")
        colleague = User.objects.create_user("colleague@example.com", name="Colleague")
        tenancy.add_member(organization=organization, user=colleague)
        batch, _ = tenancy.create_key(project=nightly, user=colleague, name="Nightly batch")
        put_budget(
            budget=Budget(
                organization=organization, name="Demo, all together", limit_amount=Decimal(15)
            ),
            now=now,
        )
        _add_history(keys=[key, key, batch], now=now, days=days)
    return Demo(
        admin_email=admin.email,
        admin_password=password,
        api_key=text,
        organization=organization.slug,
    )


def _add_history(*, keys: list[ApiKey], now: datetime, days: int) -> None:
    """Book past calls as they would have been: each held, then settled, at its own instant."""
    chance = random.Random(_SEED)  # noqa: S311  # The same demo every time; nothing secret.
    models = {name: price_at(name=name, at=now) for name, _ in _MODELS}
    for instant in _instants(chance, now, days):
        name = chance.choices([m for m, _ in _MODELS], [w for _, w in _MODELS])[0]
        _book_call(chance, key=chance.choice(keys), model=models[name], at=instant)


def _instants(chance: random.Random, now: datetime, days: int) -> Iterator[datetime]:
    begin = (now - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    for hours in range(days * 24):
        hour = begin + timedelta(hours=hours)
        share = 0.2 if hour.weekday() >= 5 else 1.0
        for _ in range(chance.randint(0, round(_CALLS_BY_HOUR[hour.hour] * share))):
            yield hour + timedelta(seconds=chance.randrange(3600))


def _book_call(chance: random.Random, *, key: ApiKey, model: PricedModel, at: datetime) -> None:
    usage = Usage(input_tokens=chance.randint(400, 9_000), output_tokens=chance.randint(60, 1_400))
    bounds = Bounds(input_tokens=usage.input_tokens * 3, output_tokens=2048)
    worst = upper_bound(bounds=bounds, rates=model.rates)
    call = Call(
        request_id=uuid7(at),
        organization_id=key.organization_id,
        endpoint="chat.completions",
        asked_model=model.name,
        model=model,
        attribution=Attribution(tags=chance.choice(_TAGS)),
        estimate=Estimate(
            usd=worst,
            least_usd=worst,
            bounds=bounds,
            worst=worst_rates(bounds=bounds, rates=model.rates),
            output_cap_tokens=bounds.output_tokens,
        ),
        held_usd=worst,
        output_cap_tokens=bounds.output_tokens,
        is_streamed=chance.random() < 0.4,
        started_at=at,
    )
    duration_ms = chance.randint(300, 6_000)
    end = End(
        usage=usage, finish_reason="stop", duration_ms=duration_ms, first_byte_ms=duration_ms // 4
    )
    verdict = ledger.book(holds=[_hold(call, key)], now=at)[0]
    if verdict.code == "admitted":
        outcome = settled(call=call, end=end)
        ledger.book(
            settlements=[outcome.settlement],
            records=[outcome.record],
            now=at + timedelta(milliseconds=duration_ms),
        )


def _hold(call: Call, key: ApiKey) -> HoldRequest:
    return HoldRequest(
        request_id=call.request_id,
        organization_id=call.organization_id,
        api_key_id=key.pk,
        model=call.model.name,
        usd=call.held_usd,
        least_usd=Decimal(call.held_usd),
        tokens=call.estimate.tokens,
        ttl_s=600,
        tags=call.attribution.tags,
    )
