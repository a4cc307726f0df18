"""The heartbeat row."""

from __future__ import annotations

from django.db import models


class Tick(models.Model):
    """When a periodic job last ran to its end; one row a job."""

    job = models.CharField(max_length=60, primary_key=True)
    ran_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.job} at {self.ran_at:%Y-%m-%d %H:%M:%S}"
