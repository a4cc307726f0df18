"""The Celery app, and every periodic task of the product in one table."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "costsite.settings")

app = Celery("costsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Seconds between two runs, by task name. A run that could not start in its slot is dropped: the
# next one does the same work, and a backlog after a pause helps nobody.
SCHEDULE = {
    "budgets.tick": 60.0,
    "budgets.expire_overdue": 15.0,
}
app.conf.beat_schedule = {
    name: {"task": name, "schedule": every_s, "options": {"expires": every_s}}
    for name, every_s in SCHEDULE.items()
}
