"""The tracking app."""

from __future__ import annotations

from django.apps import AppConfig


class TrackingConfig(AppConfig):
    """Models and tokens."""

    name = "tracking"
    verbose_name = "Tracking"
    default_auto_field = "django.db.models.BigAutoField"
