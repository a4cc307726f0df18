"""The plans that a new site begins with: free, basic, pro and enterprise."""

from __future__ import annotations

from typing import Any

from django.db import migrations

# Code, name, USD per user and month (None: unlimited), requests and tokens per minute, requests in
# flight, default and highest output cap in tokens.
PLANS = (
    ("free", "Free", 1, 30, 100_000, 4, 1024, 4096),
    ("basic", "Basic", 10, 120, 500_000, 16, 2048, 16_384),
    ("pro", "Pro", 100, 600, 4_000_000, 64, 4096, None),
    ("enterprise", "Enterprise", None, None, None, None, 4096, None),
)


def add_plans(apps: Any, schema_editor: Any) -> None:
    """Add each plan with its allowances; each user has balances of their own."""
    plans = apps.get_model("budgets", "Plan")
    budgets = apps.get_model("budgets", "Budget")
    for code, name, usd, requests, tokens, in_flight, default_cap, highest_cap in PLANS:
        plan = plans.objects.create(
            code=code,
            name=name,
            default_output_tokens=default_cap,
            max_output_tokens=highest_cap,
        )
        allowances = (
            (f"{name}: ${usd} a month", "usd", "month", usd),
            (f"{name}: requests", "requests", "minute", requests),
            (f"{name}: tokens", "tokens", "minute", tokens),
            (f"{name}: requests at once", "in_flight", "total", in_flight),
        )
        for label, unit, window, limit in allowances:
            if limit is not None:
                budgets.objects.create(
                    plan=plan, name=label, each="user", unit=unit, window=window, limit_amount=limit
                )


class Migration(migrations.Migration):
    """Only where a site is new: afterwards the plans are the operator's."""

    dependencies = [("budgets", "0002_ledger_functions")]

    operations = [migrations.RunPython(add_plans, migrations.RunPython.noop)]
