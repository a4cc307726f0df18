"""Files that a worker builds, and their bytes."""

from __future__ import annotations

from django.db import models

from budgets.tenancy.models import Organization, OrganizationOwned, User
from tracking.exports.terms import Form


class Export(models.Model):
    """One file that somebody ordered: what it holds, how far it is, and until when it can be had."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        BUILDING = "building"
        READY = "ready"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="exports")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=12)
    form = models.CharField(max_length=8, choices=[(form.value, form.label) for form in Form])
    file_name = models.CharField(max_length=120)
    wanted = models.JSONField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    rows = models.BigIntegerField(help_text="As many as were counted when it was ordered.")
    done_rows = models.BigIntegerField(default=0)
    total_usd = models.DecimalField(max_digits=30, decimal_places=12, null=True)
    size_bytes = models.BigIntegerField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=240, blank=True)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(state__in=("waiting", "building")),
                name="export_to_build",
            ),
            models.Index(fields=["organization", "user", "-created_at"], name="export_of_user"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def percent(self) -> int:
        """How much of it is written, in percent; all of it only once it is ready."""
        if self.state == self.State.READY:
            return 100
        return min(self.done_rows * 100 // max(self.rows, 1), 99)


class ExportPart(models.Model):
    """A piece of a file. They lie in the database because the web server and the worker need share
    nothing else."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["export", "number"], name="export_part_once"),
        ]

    def __str__(self) -> str:
        return f"part {self.number} of {self.export_id}"
