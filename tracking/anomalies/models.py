"""Unusual spend that was found."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from budgets.tenancy.models import Organization, OrganizationOwned


class Anomaly(models.Model):
    """A run of days on which a subject spent more than is usual for it.

    Amounts and times are those of its worst span, a day or an hour: the span ends later where it is
    still going on. Days without any between them that are close to each other are one.
    """

    class Kind(models.TextChoices):
        """Whose spend."""

        ORGANIZATION = "organization", "the whole organization"
        PROJECT = "project"
        API_KEY = "api_key", "API key"
        MODEL = "model"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    subject_kind = models.CharField(max_length=12, choices=Kind.choices)
    subject = models.CharField(max_length=160, blank=True, help_text="Id, or a model's name.")
    part_of = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="parts",
        help_text="The wider one that it explains: only that is told of the organization.",
    )
    began_on = models.DateField()
    last_on = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    compared_with = models.DateTimeField(
        null=True, help_text="When the span began that the cause is told against."
    )
    cost_usd = models.DecimalField(max_digits=30, decimal_places=12)
    usual_usd = models.DecimalField(max_digits=30, decimal_places=12)
    cause = models.JSONField(default=list, help_text="Sentences, what explains most first.")
    cause_kinds = models.JSONField(default=list)
    found_at = models.DateTimeField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        verbose_name_plural = "anomalies"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "subject_kind", "subject", "began_on"], name="anomaly_once"
            ),
            models.CheckConstraint(
                name="anomaly_ends_after_it_began", condition=Q(last_on__gte=models.F("began_on"))
            ),
        ]
        indexes = [models.Index(fields=["organization", "last_on"], name="anomaly_of_days")]

    def __str__(self) -> str:
        return f"{self.subject_kind} {self.subject} from {self.began_on}"
