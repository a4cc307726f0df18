"""The wiring as a Django app, so that its commands, checks and broker migration are found."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class CostsiteConfig(AppConfig):
    """Set-up, servers and commands."""

    name = "costsite"
    verbose_name = "Site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        import_module("costsite.checks")
