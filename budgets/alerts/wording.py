"""Alerts in words: what happened, and what can be done about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from budgets.alerts.kinds import TRAITS
from budgets.core.money import format_usd

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Happening:
    """A figure that reached a threshold: of which kind and unit, about whom, over what window."""

    kind: str
    unit: str
    whom: str
    name: str
    window: str
    value: Decimal
    threshold: Decimal
    limit: Decimal | None
    ends_at: datetime | None


_WHOM = {
    "user": "User",
    "project": "Project",
    "api_key": "API key",
    "model": "Model",
    "tag": "Tag",
    "provider": "Provider",
}
_WINDOWS = {
    "day": "Daily",
    "week": "Weekly",
    "month": "Monthly",
    "quarter": "Quarterly",
    "year": "Yearly",
}

_TITLES = {
    "budget": "Budget {name}: {value} used",
    "budget_spent": "Budget {name}: {value} spent (told from {threshold})",
    "spend_rate": "{whom}spending {value} an hour (told from {threshold})",
    "forecast": "Budget {name}: forecast to use {value} of its limit before its window ends",
    "runs_out": "Budget {name} is forecast to run out in {value}",
    "anomaly": "{whom}unusual spend, {value} above the usual",
    "error_rate": "{whom}{value} of calls fail",
    "refusals": "{whom}{value} refused",
    "unpriced": "{whom}{value} of a model without a price",
    "unconfirmed": "{whom}{value} charged as estimates that no provider has confirmed",
    "provider_down": "{whom}down for {value}",
    "key_expiry": "API key {name} expires in {value}",
    "no_data": "{whom}no calls for {value}",
}

ADVICE = {
    "budget": "At 100 % a budget that blocks refuses calls until its window ends. Raise it for a "
    "while, or look at what spends.",
    "budget_spent": "Raise the budget for a while, or look at what spends.",
    "spend": "Look at the models, people and keys behind it; a budget would stop it.",
    "spend_rate": "Look at the calls of the last hour; suspend the key if they are not wanted.",
    "forecast": "Lower the use, choose cheaper models, or raise the budget in time.",
    "runs_out": "Lower the use, choose cheaper models, or raise the budget in time.",
    "anomaly": "Look at the calls behind it; suspend the key if they are not wanted.",
    "error_rate": "Look at the failed calls and at the state of the provider.",
    "refusals": "Somebody's calls do not go through: raise the budget, or tell them why.",
    "unpriced": "Give the model a price; until then its calls are refused or cost nothing here.",
    "unconfirmed": "Their cost is the worst case. A late answer of the provider corrects it.",
    "provider_down": "Calls go to another route where there is one. Look at the provider's state.",
    "key_expiry": "Make a new key or move its end; calls with it are refused afterwards.",
    "no_data": "If calls should come, look whether applications still reach the gateway.",
}


def title_of(happening: Happening) -> str:
    """Say in one line what happened; spend in the words of the cost monitor's alerts."""
    value, threshold = (
        figure(amount, unit=happening.unit) for amount in (happening.value, happening.threshold)
    )
    if happening.kind == "spend":
        whose = _whose(happening) or _WINDOWS[happening.window]
        return f"{whose} spending alert: {value} (limit: {threshold})"
    whose = _whose(happening)
    whom = f"{whose}: " if whose else ""
    told = _TITLES[happening.kind].format(
        name=happening.name, whom=whom, value=value, threshold=threshold
    )
    return told[:1].upper() + told[1:]


def facts_of(happening: Happening, *, zone: ZoneInfo) -> Facts:
    """List what is known beside the title, as name and value."""
    unit = happening.unit
    facts = [
        ("Reached", figure(happening.value, unit=unit)),
        ("Told from", figure(happening.threshold, unit=unit)),
    ]
    if happening.limit is not None:
        facts.append(("Limit", figure(happening.limit, unit="$" if unit == "%" else unit)))
    if happening.ends_at is not None:
        facts.append(("Window ends", instant(happening.ends_at, zone=zone)))
    return tuple(facts)


def figure(amount: Decimal, *, unit: str) -> str:
    """Write a figure with its unit, with as many places as help."""
    if unit in ("$", "$/h"):
        return format_usd(amount)
    if unit == "%":
        return f"{amount:,.1f}".removesuffix(".0") + " %"
    rounded = f"{amount:,.1f}".removesuffix(".0")
    one = {"calls": "call", "days": "day", "hours": "hour", "minutes": "minute"}
    word = one.get(unit, unit) if rounded == "1" else unit
    return f"{rounded} {word}".strip()


def unit_of(kind: str) -> str:
    """Give what stands behind a kind's figures."""
    return TRAITS[kind].unit


def instant(at: datetime, *, zone: ZoneInfo) -> str:
    """Write an instant to the minute in a time zone, which is named."""
    local = at.astimezone(zone)
    return f"{local:%d %b %Y %H:%M} {local.tzname()}"


def _whose(happening: Happening) -> str:
    if not happening.name:
        return ""
    return f"{_WHOM.get(happening.whom, '')} {happening.name}".strip()
