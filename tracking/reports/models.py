"""Reports that somebody ordered, and what was sent of them."""

from __future__ import annotations

from django.db import models

from budgets.alerts.models import Channel, Delivery
from budgets.tenancy.models import Organization, OrganizationOwned, Project, User
from tracking.reports.rhythm import Rhythm


class Report(models.Model):
    """A report to one reader, by mail, or to a channel of the organization, again and again.

    To a reader it tells what they may see; to a channel, which managers alone can have it sent to,
    all of the organization or of the project.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="reports")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, related_name="+")
    rhythm = models.CharField(
        max_length=8, choices=[(rhythm.value, rhythm.value) for rhythm in Rhythm]
    )
    active = models.BooleanField(default=True)
    next_due_at = models.DateTimeField()
    since_on = models.DateField(help_text="The day on which it was ordered: none before is told.")

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user", "channel", "project", "rhythm"],
                nulls_distinct=False,
                name="report_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_due_at"], condition=models.Q(active=True), name="report_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rhythm} report of {self.organization}"


class Edition(models.Model):
    """A report of one period: written in the transaction that puts it into the outbox."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="editions")
    first_on = models.DateField()
    last_on = models.DateField()
    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["report", "first_on"], name="edition_once"),
        ]

    def __str__(self) -> str:
        return f"{self.report} from {self.first_on}"
