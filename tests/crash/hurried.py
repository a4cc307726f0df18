"""The product's Celery app with a faster clock: ``celery --app=tests.crash.hurried worker --beat``.

Only pauses are shorter: alerts are looked at and messages sent once a second, and a message is taken
back from a dead worker after twelve seconds, still longer than a try can take.
"""

from __future__ import annotations

from datetime import timedelta

import django

from costsite.celery import app

django.setup()

from budgets.alerts import outbox  # noqa: E402  only now are there models

LEASE = timedelta(seconds=12)

outbox.LEASE = LEASE
for name in ("budgets.check_alerts", "budgets.deliver_alerts"):
    entry = app.conf.beat_schedule[name]
    entry |= {"schedule": 1.0, "options": {"expires": 5.0}}

__all__ = ["app"]
