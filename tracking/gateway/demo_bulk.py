"""Demo tenants with very many calls, to see how pages and figures hold up."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from django.db import connection, transaction

from budgets.core.sql import read_sql
from budgets.holds import operations as holds
from budgets.holds.models import Seal, SealedUntil
from budgets.limits.models import Balance, Budget
from budgets.plans.models import Plan
from budgets.tenancy import operations as tenancy
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User
from tracking.pricing.book import ModelNotFound, ModelNotPriced, PricedModel
from tracking.pricing.queries import price_at
from tracking.usage import operations as usage
from tracking.usage.terms import Days

DAYS = 365
_SEED = 21
# What each tenant is like: its part of all calls, its zone, its people, its projects.
_TENANTS = (
    ("Northwind", "Europe/Berlin", 5, 42, ("Search", "Support", "Catalogue", "Research", "Ops")),
    ("Globex", "America/New_York", 3, 18, ("Assistant", "Billing", "Lab")),
    ("Initech", "Asia/Kolkata", 2, 7, ("Reports", "Chat")),
)
# Usual tokens in and out of a call. The first that the catalogue prices are taken.
_MODELS = (
    ("gpt-4o-mini", 900, 260),
    ("claude-3-5-haiku-20241022", 1200, 300),
    ("gpt-4o", 1800, 420),
    ("gemini/gemini-2.0-flash", 1500, 350),
    ("gpt-4.1-mini", 1100, 280),
    ("claude-sonnet-4-20250514", 2600, 620),
    ("gpt-4.1", 2000, 500),
    ("mistral/mistral-small-latest", 800, 240),
    ("deepseek/deepseek-chat", 1400, 500),
    ("groq/llama-3.3-70b-versatile", 900, 300),
    ("o3-mini", 700, 900),
    ("demo/small", 700, 200),
    ("demo/large", 1600, 500),
)
_BY_HOUR = (2, 1, 1, 1, 1, 2, 4, 9, 18, 26, 28, 26, 20, 24, 28, 27, 24, 18, 11, 8, 6, 5, 4, 3)
_BY_WEEKDAY = (1.0, 1.08, 1.06, 1.02, 0.9, 0.3, 0.24)
_SPIKES = 0.02
_GROWTH = 0.9
_BATCH = 100_000


@dataclass(frozen=True, slots=True)
class _Tenant:
    """A tenant and, side by side, its keys: who, for what, how much of it."""

    organization: Organization
    part: int
    keys: Sequence[ApiKey]
    tags: Sequence[str]
    weights: Sequence[int]


def create_bulk(*, calls: int, now: datetime, days: int = DAYS) -> Iterator[str]:
    """Make three tenants with so many calls over a year, sealed and rolled up; tell of each step.

    Names, days and amounts follow from one seed. Nobody can sign in as the people it makes, but
    whoever is an administrator becomes an owner.
    """
    chance = random.Random(_SEED)  # noqa: S311  # The same demo every time; nothing secret.
    models = _priced_models(now)
    with transaction.atomic():
        tenants = [_tenant(chance, *about) for about in _TENANTS]
    parts = sum(tenant.part for tenant in tenants)
    left = calls
    for tenant in tenants:
        own = left if tenant is tenants[-1] else calls * tenant.part // parts
        left -= own
        booked, spent = _calls(chance, tenant, models, own, now, days)
        yield f"{tenant.organization.name}: {booked:,} entries, {spent:,.2f} USD"
    yield f"sealed {_seal(now):,} hours"
    yield f"rolled up in {_roll_up(now):,} batches"


def _priced_models(now: datetime) -> list[tuple[PricedModel, int, int]]:
    found = []
    for name, inputs, outputs in _MODELS:
        try:
            priced = price_at(name=name, at=now)
        except (ModelNotFound, ModelNotPriced):
            continue
        if {"input", "output"} <= set(priced.rates.per_unit):
            found.append((priced, inputs, outputs))
    return found


def _tenant(
    chance: random.Random, name: str, zone: str, part: int, people: int, projects: tuple[str, ...]
) -> _Tenant:
    slug = name.lower()
    members = [
        User.objects.create_user(f"{slug}-{n}@example.com", name=f"{name} {n}")
        for n in range(1, people + 1)
    ]
    owner = User.objects.filter(is_superuser=True).order_by("pk").first() or members[0]
    organization = tenancy.create_organization(
        name=name, slug=slug, plan=Plan.objects.get(code="basic"), owner=owner, time_zone=zone
    )
    for n, member in enumerate(members):
        role = Membership.Role.LEAD if n % 7 == 1 else Membership.Role.MEMBER
        if member != owner:
            tenancy.add_member(organization=organization, user=member, role=role)
    made = [
        Project.objects.create(organization=organization, name=title, slug=title.lower())
        for title in projects
    ]
    # A few services make most calls; everybody else has a key of their own.
    keys = [
        tenancy.create_key(
            project=project, user=members[n % people], name=f"{project.name} service"
        )
        for n, project in enumerate(made)
    ] + [
        tenancy.create_key(project=chance.choice(made), user=member, name="Laptop")
        for member in members
    ]
    weights = [90 // (n + 1) for n in range(len(made))] + [chance.randint(1, 4) for _ in members]
    tags = [f"team:{key.project.slug}" for key, _ in keys]
    return _Tenant(organization, part, [key for key, _ in keys], tags, weights)


def _calls(
    chance: random.Random,
    tenant: _Tenant,
    models: Sequence[tuple[PricedModel, int, int]],
    calls: int,
    now: datetime,
    days: int,
) -> tuple[int, Decimal]:
    organization = tenant.organization
    today = now.astimezone(organization.zone).date()
    span = Days(today - timedelta(days=days - 1), today, organization.zone)
    budget = Budget.objects.create(
        organization=organization, name=f"{organization.name}, all together", limit_amount=0
    )
    balances = _Balances(budget)
    constant = _constants(tenant, models) | {"now": now - timedelta(minutes=10)}
    total = 0
    with connection.cursor() as cursor:
        cursor.execute("select setseed(%s)", [1 / (3 + tenant.part)])
        for day, count in zip(span, _shares(chance, list(span), calls), strict=True):
            with transaction.atomic():
                # As whoever writes to the ledger: a position of it is only found between such.
                cursor.execute("select pg_advisory_xact_lock_shared(70700, 0)")
                arguments = constant | {
                    "balance": balances.at(day),
                    "calls": count,
                    "day": day.isoformat(),
                    "day_starts_at": Days(day, day, organization.zone).period.starts_at,
                    # Today is only as long as it is.
                    "hour_s": 3600 if day < today else _hour_of_today(day, organization, now),
                }
                cursor.execute(read_sql("tracking.gateway", "seed_calls"), arguments)
                booked, spent = cursor.fetchone()
                balances.add(day, spent)
            total += booked
    balances.write()
    return total, balances.total_usd


def _hour_of_today(day: date, organization: Organization, now: datetime) -> int:
    since = now - Days(day, day, organization.zone).period.starts_at
    return max(int(since.total_seconds()) // 24, 1)


def _constants(tenant: _Tenant, models: Sequence[tuple[PricedModel, int, int]]) -> dict[str, Any]:
    rates = [priced.rates.per_unit for priced, _, _ in models]
    return {
        "organization": tenant.organization.pk,
        "hour_bounds": _bounds(_BY_HOUR),
        "key_bounds": _bounds(tenant.weights),
        "keys": [key.pk for key in tenant.keys],
        "users": [key.user_id for key in tenant.keys],
        "projects": [key.project_id for key in tenant.keys],
        "tags": list(tenant.tags),
        "models": [priced.name for priced, _, _ in models],
        "providers": [priced.provider for priced, _, _ in models],
        "prices": [priced.price_id for priced, _, _ in models],
        "inputs": [inputs for _, inputs, _ in models],
        "outputs": [outputs for _, _, outputs in models],
        "input_usd": [rate["input"] for rate in rates],
        "cached_usd": [rate.get("cached_input", rate["input"]) for rate in rates],
        "output_usd": [rate["output"] for rate in rates],
    }


def _bounds(weights: Sequence[int]) -> list[float]:
    """Give where on the way from nothing to one each choice but the first begins."""
    sums = list(accumulate(weights))
    return [part / sums[-1] for part in sums[:-1]]


def _shares(chance: random.Random, days: Sequence[date], calls: int) -> list[int]:
    """Spread calls over days: working weeks, growth, noise, and some days that stand out."""
    weights = [
        _BY_WEEKDAY[day.weekday()]
        * math.exp(_GROWTH * n / len(days))
        * chance.lognormvariate(0, 0.12)
        * (chance.uniform(2.5, 5) if chance.random() < _SPIKES else 1)
        for n, day in enumerate(days)
    ]
    reached = [calls * part / sum(weights) for part in accumulate(weights)]
    ends = [round(end) for end in reached[:-1]] + [calls]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


class _Balances:
    """What each month of a tenant adds up to: opened at its first day, written at the end."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._rows: dict[date, Balance] = {}

    def at(self, day: date) -> int:
        """Give the balance of a day's month."""
        month = day.replace(day=1)
        if month not in self._rows:
            organization = self._budget.organization
            assert organization is not None
            self._rows[month] = Balance.objects.create(
                organization=organization,
                budget=self._budget,
                window_start=Days(month, month, organization.zone).period.starts_at,
                unit=Budget.Unit.USD,
                rank=0,
                blocks=False,
                limit_amount=0,
            )
        return self._rows[month].pk

    def add(self, day: date, spent: Decimal) -> None:
        """Add what a day's calls were charged."""
        self._rows[day.replace(day=1)].spent += spent

    @property
    def total_usd(self) -> Decimal:
        """What all months add up to."""
        return sum((row.spent for row in self._rows.values()), Decimal(0))

    def write(self) -> None:
        """Set a limit somewhat above the dearest month, and write every balance."""
        dearest = max((row.spent for row in self._rows.values()), default=Decimal(1))
        limit = (dearest * Decimal("1.15")).quantize(Decimal(1)) + 1
        with transaction.atomic():
            Budget.objects.filter(pk=self._budget.pk).update(limit_amount=limit)
            for row in self._rows.values():
                row.limit_amount, row.blocks = limit, True
                row.save(update_fields=["limit_amount", "blocks", "spent"])


def _seal(now: datetime) -> int:
    """Seal all hours, also those before what was sealed when nothing was there yet."""
    if not Seal.objects.exists():
        SealedUntil.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("analyze budgets_journalentry, tracking_costrecord")
        # Tenants lie one behind the other here, where the index that sealing lives on expects hours
        # to: a year of hours is read by one of its own, that nobody needs afterwards.
        cursor.execute(
            "create index seed_by_booking on budgets_journalentry (organization_id, booked_at)"
        )
        try:
            return holds.seal(now=now)
        finally:
            cursor.execute("drop index seed_by_booking")


def _roll_up(now: datetime) -> int:
    done = 0
    while batches := usage.fill(now=now, most=_BATCH):
        done += batches
    return done
