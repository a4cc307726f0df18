"""The budgets app."""

from __future__ import annotations

from django.apps import AppConfig


class BudgetsConfig(AppConfig):
    """People and money."""

    name = "budgets"
    verbose_name = "Budgets"
    default_auto_field = "django.db.models.BigAutoField"
