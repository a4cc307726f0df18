"""What the gateway says of models, keys and costs, as JSON-ready values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from budgets.core.money import usd_text
from budgets.core.sql import read_sql
from budgets.holds.refusals import resets_at
from budgets.holds.terms import BalanceTold
from budgets.limits.queries import Standing, standing_of_row, standings_statement
from budgets.tenancy.callers import Caller, Reader
from tracking.gateway.endpoints.table import ENDPOINTS
from tracking.pricing.book import PriceBook, PricedModel

# What a model can be for that some endpoint serves.
SERVED_MODES = frozenset(mode for endpoint in ENDPOINTS for mode in endpoint.modes)


def model_list(
    *, book: PriceBook, caller: Caller, providers: frozenset[str], now: datetime
) -> dict[str, Any]:
    """List the models that a caller may call and that a configured provider serves."""
    return {
        "object": "list",
        "data": [
            model_told(model)
            for model in book.priced_at(
                now, organization_id=caller.organization_id, plan=caller.plan
            )
            if model.mode in SERVED_MODES
            and model.provider in providers
            and caller.may_call(model.name)
        ],
    }


def model_told(model: PricedModel) -> dict[str, Any]:
    """Tell one model; rates are USD per single token, as text."""
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": model.provider,
        "mode": model.mode,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": list(model.capabilities),
        "pricing": {"version": model.price_version, **model.rates.as_json()["per_unit"]},
    }


def alias_told(name: str, models: Sequence[PricedModel]) -> dict[str, Any]:
    """Tell an alias as its preferred model, under its own name, with all that it stands for."""
    told = model_told(models[0])
    return {**told, "id": name, "stands_for": [model.name for model in models]}


async def key_told(*, reader: Reader, caller: Caller, now: datetime) -> dict[str, Any]:
    """Tell a key's budgets and usage; the top level is the dollar budget that has least left."""
    rows = await reader.rows(
        standings_statement(),
        {
            "organization": caller.organization_id,
            "user_id": caller.user_id,
            "project": caller.project_id,
            "api_key": caller.api_key_id,
            "now": now,
        },
    )
    standings = [standing_of_row(row) for row in rows]
    ((today, week, month),) = await reader.rows(
        read_sql("tracking.gateway", "key_usage"),
        {
            "organization": caller.organization_id,
            "api_key": caller.api_key_id,
            "zone": str(caller.zone),
            "now": now,
        },
    )
    told = [_standing_told(standing, caller) for standing in standings]
    tightest = next(
        (t for s, t in zip(standings, told, strict=True) if s.unit == "usd" and s.blocks), None
    )
    limits = {name: tightest[name] if tightest else None for name in _TOP_LEVEL}
    return {
        "object": "key",
        "name": caller.api_key,
        "organization": caller.organization,
        "plan": caller.plan,
        **limits,
        "budgets": told,
        "usage": {
            "today_usd": usd_text(today),
            "week_usd": usd_text(week),
            "month_usd": usd_text(month),
        },
        "time_zone": str(caller.zone),
    }


_TOP_LEVEL = ("limit_usd", "spent_usd", "held_usd", "left_usd", "resets_at")


def rate_headers(rates: Iterable[BalanceTold], *, zone: ZoneInfo, now: datetime) -> dict[str, str]:
    """Write the tightest limit of requests and of tokens as headers that OpenAI's clients know."""
    headers: dict[str, str] = {}
    for rate in rates:
        if f"x-ratelimit-limit-{rate.unit}" in headers:
            continue
        ends_at = resets_at(rate, zone=zone, now=now)
        wait_s = max(0, math.ceil((ends_at - now).total_seconds())) if ends_at else None
        headers[f"x-ratelimit-limit-{rate.unit}"] = str(int(rate.limit))
        headers[f"x-ratelimit-remaining-{rate.unit}"] = str(int(rate.left))
        if wait_s is not None:
            headers[f"x-ratelimit-reset-{rate.unit}"] = f"{wait_s}s"
    return headers


def header_text(text: str) -> str:
    """Write a text as a header can carry it: printable ASCII, whatever a name may contain."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _standing_told(standing: Standing, caller: Caller) -> dict[str, Any]:
    ends_at = standing.resets_at(zone=caller.zone)
    amounts = {
        "limit": standing.limit,
        "spent": standing.spent,
        "held": standing.held,
        "left": standing.left,
    }
    is_money = standing.unit == "usd"
    return {
        "name": standing.name,
        "unit": standing.unit,
        "window": standing.window,
        "enforcement": "block" if standing.blocks else "warn",
        "models": standing.model_pattern or None,
        "subject": standing.subject or None,
        **{
            f"{name}_usd" if is_money else name: usd_text(amount) if is_money else int(amount)
            for name, amount in amounts.items()
        },
        "resets_at": ends_at.strftime("%Y-%m-%dT%H:%M:%SZ") if ends_at else None,
    }
