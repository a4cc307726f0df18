"""The Celery app, and every periodic task of the product in one table."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from celery import Celery
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "costsite.settings")

app = Celery("costsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def own_queues() -> list[Queue]:
    """Name the queue in PostgreSQL without ever making it: a migration did, with its wake-up call.

    Left to itself every process makes both again before its first message: changes of a table that
    others are using at that moment.
    """
    return [Queue("celery", exchange=Exchange(""), routing_key="celery", no_declare=True)]


if app.conf.broker_url.startswith("pgmq:"):
    app.conf.task_queues = own_queues()

# Seconds between two runs, by task name. A run that could not start in its slot is dropped: the
# next one does the same work, and a backlog after a pause helps nobody.
SCHEDULE = {
    "budgets.tick": 60.0,
    "budgets.check_alerts": 60.0,
    "budgets.deliver_alerts": 15.0,
    "budgets.expire_overdue": 15.0,
    "budgets.seal_hours": 600.0,
    "budgets.sweep_names": 3600.0,
    "tracking.fill_usage": 60.0,
    "tracking.build_exports": 5.0,
    "tracking.sweep_exports": 3600.0,
    "tracking.send_reports": 60.0,
    "tracking.observe": 30.0,
    "tracking.observe_outlooks": 600.0,
    "tracking.find_anomalies": 300.0,
    "tracking.sweep_answers": 3600.0,
    "tracking.sweep_refusals": 86400.0,
    "budgets.sweep_rate_balances": 3600.0,
}
# "Last run long ago" makes each task run at once after a start, not only when its slot has passed.
app.conf.beat_schedule = {
    name: {
        "task": name,
        "schedule": every_s,
        "last_run_at": datetime(2000, 1, 1, tzinfo=UTC),
        "options": {"expires": every_s},
    }
    for name, every_s in SCHEDULE.items()
}
