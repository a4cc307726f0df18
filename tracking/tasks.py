"""The list that Celery looks for; the tasks stand in their packages."""

from __future__ import annotations

from tracking.anomalies.tasks import find_anomalies
from tracking.exports.tasks import build_exports, sweep_exports
from tracking.gateway.tasks import sweep_answers
from tracking.observations.tasks import observe, observe_outlooks, sweep_refusals
from tracking.reports.tasks import send_reports
from tracking.usage.tasks import fill_usage

__all__ = [
    "build_exports",
    "fill_usage",
    "find_anomalies",
    "observe",
    "observe_outlooks",
    "send_reports",
    "sweep_answers",
    "sweep_exports",
    "sweep_refusals",
]
