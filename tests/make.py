"""Plain builders of what tests need: keyword arguments, defaults that can be read, no magic.

alice owns, bob is a member, carol belongs to another organization.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from budgets.holds.operations import step
from budgets.holds.terms import HoldRequest, Settlement
from budgets.limits.models import Budget
from budgets.plans.models import Plan
from budgets.tenancy import operations as tenancy
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User
from tracking.ledger.models import CostRecord
from tracking.pricing.cost import Cost, cost
from tracking.pricing.models import CatalogModel, Price, PriceRule
from tracking.pricing.operations import Publication, publish_price
from tracking.pricing.rates import Rates
from tracking.pricing.usage import Usage

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def user(*, name: str = "alice", password: str | None = None, **fields: Any) -> User:
    """Make a person, or find the one of that name; without a password nobody can sign in as them."""
    email = f"{name}@example.org"
    known = User.objects.filter(email=email).first()
    return known or User.objects.create_user(email, password, name=name.title(), **fields)


def plan(*, code: str = "house", usd_per_user: str | None = None, **fields: Any) -> Plan:
    """Make a plan, or find it; ``usd_per_user`` adds a blocking budget per user and month."""
    made, _ = Plan.objects.get_or_create(code=code, defaults={"name": code.title()} | fields)
    if usd_per_user is not None:
        budget(plan=made, limit=usd_per_user, name=f"{made.name} allowance", each="user")
    return made


def budget(*, limit: str, name: str = "Limit", **fields: Any) -> Budget:
    """Make a budget of an organization or a plan: dollars per month unless told otherwise."""
    return Budget.objects.create(limit_amount=Decimal(limit), name=name, **fields)


def organization(
    *,
    slug: str = "acme",
    owner: User | None = None,
    on_plan: Plan | None = None,
    time_zone: str = "UTC",
) -> Organization:
    """Make an organization that alice owns, with its project Default."""
    return tenancy.create_organization(
        name=slug.title(),
        slug=slug,
        plan=on_plan or plan(),
        owner=owner or user(),
        time_zone=time_zone,
    )


def member(
    *, of: Organization, name: str = "bob", role: str = Membership.Role.MEMBER, **fields: Any
) -> User:
    """Make a member, bob unless told otherwise."""
    made = user(name=name, **fields)
    tenancy.add_member(organization=of, user=made, role=role)
    return made


def project(*, of: Organization, slug: str = "default") -> Project:
    """Make a project, or find it."""
    made, _ = Project.objects.get_or_create(
        organization=of, slug=slug, defaults={"name": slug.title()}
    )
    return made


def key(
    *, of: Organization, user: User, in_project: Project | None = None, **fields: Any
) -> tuple[ApiKey, str]:
    """Make a key with which a member spends, and give its text too."""
    return tenancy.create_key(
        project=in_project or project(of=of),
        user=user,
        name=fields.pop("name", "Laptop"),
        expires_at=fields.pop("expires_at", None),
        rules=fields,
    )


def price(
    *,
    model: str = "gpt-4o-mini",
    provider: str = "openai",
    input_usd: str = "0.00000015",
    cached_input_usd: str = "0.000000075",
    output_usd: str = "0.0000006",
    at: datetime = NOW - timedelta(days=3650),
) -> Price:
    """Publish a price per token for a model, or find the one it has."""
    listed, _ = CatalogModel.objects.get_or_create(
        name=model, defaults={"provider": provider, "listed_at": at}
    )
    known = listed.prices.filter(valid_to=None).first()
    per_unit = {"input": input_usd, "cached_input": cached_input_usd, "output": output_usd}
    return known or publish_price(
        model=listed,
        rates=Rates(per_unit={name: Decimal(rate) for name, rate in per_unit.items()}),
        publication=Publication(source=Price.Source.STATED, at=at),
    )


def request_id() -> UUID:
    """Give a request id that no other call of this run has."""
    return UUID(int=next(_numbers))


def held_call(
    *, key: ApiKey, usd: str, at: datetime = NOW, model: str = "gpt-4o-mini", ttl_s: int = 60
) -> UUID:
    """Hold a call's worst case and leave it under way; it must be admitted."""
    asked = HoldRequest(
        request_id=request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model=model,
        usd=Decimal(usd),
        least_usd=Decimal(usd),
        tokens=1000,
        ttl_s=ttl_s,
    )
    (verdict,) = step(holds=[asked], now=at)
    assert verdict.code == "admitted", verdict
    return asked.request_id


def charge(
    *, key: ApiKey, request: UUID, usd: str, kind: str = "charge", at: datetime = NOW
) -> None:
    """Settle a call that is under way, or correct one that was estimated."""
    settlement = Settlement(request, key.organization_id, Decimal(usd), 1000, kind)
    (verdict,) = step(settlements=[settlement], now=at)
    assert verdict.code in ("settled", "corrected"), verdict


def record(
    *,
    key: ApiKey,
    request: UUID,
    of: Price,
    at: datetime = NOW,
    spent: Cost,
    used: Usage,
    **fields: Any,
) -> CostRecord:
    """Write what an attempt of a call was."""
    defaults: dict[str, Any] = {
        "endpoint": "/v1/chat/completions",
        "provider": of.model.provider,
        "asked_model": of.model.name,
        "model": of.model.name,
        "outcome": CostRecord.Outcome.COMPLETED,
        "usage_source": CostRecord.UsageSource.PROVIDER,
        "status": 200,
        "finish_reason": "stop",
        "duration_ms": 840,
    }
    return CostRecord.objects.create(
        organization_id=key.organization_id,
        request_id=request,
        price=of,
        input_tokens=used.input_tokens,
        cached_input_tokens=used.cached_input_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.reasoning_tokens,
        lines=spent.lines_json(),
        cost_usd=spent.total_usd,
        started_at=at,
        **(defaults | fields),
    )


def cost_of(*, usage: Usage, of: Price | None = None) -> Cost:
    """Price a usage."""
    return cost(usage=usage, rates=(of or price()).parsed_rates())


def call(
    *,
    key: ApiKey,
    at: datetime = NOW,
    model: str = "gpt-4o-mini",
    used: Usage | None = None,
    rule: PriceRule | None = None,
    **record_fields: Any,
) -> tuple[UUID, Decimal]:
    """Make a whole call at its model's price, or at what a rule makes of it; give its id and cost.

    It is held, settled and recorded.
    """
    of = price(model=model)
    used = used or Usage(input_tokens=1000, output_tokens=500)
    listed = of.parsed_rates()
    spent = cost(usage=used, rates=rule.applied_to(listed) if rule else listed)
    record_fields = {"price_rule": rule} | record_fields
    request = held_call(key=key, usd=str(spent.total_usd * 2), at=at, model=model)
    charge(key=key, request=request, usd=str(spent.total_usd), at=at + timedelta(seconds=1))
    record(key=key, request=request, of=of, at=at, spent=spent, used=used, **record_fields)
    return request, spent.total_usd
