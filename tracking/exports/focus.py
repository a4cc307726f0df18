"""The columns of FOCUS 1.2, the FinOps Cost and Usage Specification: https://focus.finops.org. Pure.

A row is one call, or one group of calls on one day. What was billed is what was settled: nothing is
amortized, and what a price rule takes off is not told apart from the list price, so that all four
costs are the same. Columns of our own begin with ``x_``, as the specification asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from tracking.exports.terms import Cell, Row
from tracking.usage.terms import By, Call, Days, Figures

COLUMNS = (
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "BilledCost",
    "EffectiveCost",
    "ContractedCost",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ProviderName",
    "PublisherName",
    "InvoiceIssuerName",
    "ServiceCategory",
    "ServiceSubcategory",
    "ServiceName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "SkuId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_RequestId",
    "x_UserId",
    "x_UserEmail",
    "x_ApiKeyId",
    "x_ApiKeyName",
    "x_InputTokens",
    "x_CachedInputTokens",
    "x_OutputTokens",
)
COST_COLUMNS = ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost")
_UNKNOWN = "unknown"


def focus_call(call: Call, *, account: Mapping[str, Cell], days: Days) -> Row:
    """Write a call; ``account`` names the organization that is billed."""
    on = call.admitted_at.astimezone(days.zone).date()
    starts_at = call.admitted_at.replace(microsecond=0)
    took = timedelta(milliseconds=call.duration_ms or 0)
    # Instants are whole seconds there; a charge lasts one at least.
    ends_at = (call.admitted_at + took).replace(microsecond=0) + timedelta(seconds=1)
    tags = {"tags": ",".join(call.tags), "session": call.session, "end_user": call.end_user}
    return {
        **_charge(call.cost_usd, calls=1, tokens=call.input_tokens + call.output_tokens),
        **account,
        **_billing_period(on, days),
        **_served(call.provider or _UNKNOWN, call.model),
        "ChargePeriodStart": starts_at,
        "ChargePeriodEnd": ends_at,
        "ChargeDescription": f"{call.model} at {call.endpoint or _UNKNOWN}",
        "SubAccountId": str(call.project_id),
        "SubAccountName": call.project,
        "SubAccountType": "Project",
        "Tags": json.dumps({name: text for name, text in tags.items() if text}),
        "x_RequestId": str(call.request_id),
        "x_UserId": call.user_id,
        "x_UserEmail": call.email,
        "x_ApiKeyId": call.api_key_id,
        "x_ApiKeyName": call.api_key,
        "x_InputTokens": call.input_tokens,
        "x_CachedInputTokens": call.cached_input_tokens,
        "x_OutputTokens": call.output_tokens,
    }


def focus_group(
    figures: Figures, *, names: Mapping[str, Cell], by: By, account: Mapping[str, Cell], on: Days
) -> Row:
    """Write the figures of one group on one day; ``names`` say which group it is."""
    key = next(iter(names.values()), "")
    name = names.get("name", key)
    served = _served(
        str(key) if by == By.PROVIDER else _UNKNOWN, str(key) if by == By.MODEL else ""
    )
    is_project, is_person, is_key = (by == kind for kind in (By.PROJECT, By.USER, By.API_KEY))
    period = on.period
    return {
        **_charge(figures.cost_usd, calls=figures.calls, tokens=figures.tokens),
        **account,
        **_billing_period(on.first_on, on),
        **served,
        "ChargePeriodStart": period.starts_at,
        "ChargePeriodEnd": period.ends_at,
        "ChargeDescription": f"{by.replace('_', ' ')} {name}".strip() or "All calls of the day",
        "SubAccountId": str(key) if is_project else None,
        "SubAccountName": name if is_project else None,
        "SubAccountType": "Project" if is_project else None,
        "Tags": json.dumps({by.value: str(key)} if by.is_label else {}),
        "x_UserId": key if is_person else None,
        "x_UserEmail": names.get("email"),
        "x_ApiKeyId": key if is_key else None,
        "x_ApiKeyName": name if is_key else None,
        "x_InputTokens": figures.input_tokens,
        "x_CachedInputTokens": figures.cached_input_tokens,
        "x_OutputTokens": figures.output_tokens,
    }


def account_of(*, slug: str, name: str) -> Mapping[str, Cell]:
    """Name the organization that is billed."""
    return {
        "BillingAccountId": slug,
        "BillingAccountName": name,
        "BillingAccountType": "Organization",
        "BillingCurrency": "USD",
    }


def _charge(cost_usd: Decimal, *, calls: int, tokens: int) -> dict[str, Cell]:
    return {
        **dict.fromkeys(COST_COLUMNS, cost_usd),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "PricingQuantity": calls,
        "PricingUnit": "Requests",
        "ConsumedQuantity": tokens,
        "ConsumedUnit": "Tokens",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": "Model inference",
    }


def _served(provider: str, model: str) -> dict[str, Cell]:
    return {
        **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName"), provider),
        "ResourceId": model or None,
        "ResourceName": model or None,
        "ResourceType": "Model" if model else None,
        "SkuId": model or None,
    }


def _billing_period(on: date, days: Days) -> dict[str, Cell]:
    """Give the month that holds a day, in the zone that the days are of."""
    month = Days.of_month(on, days.zone).period
    return {"BillingPeriodStart": month.starts_at, "BillingPeriodEnd": month.ends_at}
