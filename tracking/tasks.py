"""The list that Celery looks for; the tasks stand in their packages."""

from __future__ import annotations

from tracking.gateway.tasks import sweep_answers

__all__ = ["sweep_answers"]
