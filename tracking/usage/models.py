"""Rollups: what calls add up to by quarter of an hour and by day, and how far they are filled.

They hold nothing that the ledger does not; they can be thrown away and filled again.
"""

from __future__ import annotations

from django.db import models

from budgets.tenancy.models import Organization, OrganizationOwned


class Series(models.Model):
    """What spend is told apart by: one combination of person, key, project, model and provider.

    Provider and endpoint are those of a call's last attempt; empty where none was recorded.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    project_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    model = models.CharField(max_length=160)
    provider = models.CharField(max_length=60, blank=True)
    endpoint = models.CharField(max_length=40, blank=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "organization",
                    "api_key_id",
                    "model",
                    "provider",
                    "endpoint",
                    "user_id",
                    "project_id",
                ],
                name="series_once",
            ),
        ]

    def __str__(self) -> str:
        return f"series {self.pk}"


class _Measures(models.Model):
    """What the calls of one row add up to. Reasoning is part of the output, cached of the input."""

    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    series = models.ForeignKey(
        Series, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    calls = models.BigIntegerField()
    cost_usd = models.DecimalField(max_digits=30, decimal_places=12)
    input_tokens = models.BigIntegerField()
    cached_input_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    attempts = models.BigIntegerField()
    failed_calls = models.BigIntegerField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        abstract = True


class QuarterHourUsage(_Measures):
    """One series in one quarter of an hour: the longest span that every time zone's days are made of."""

    starts_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "starts_at", "series"], name="quarter_hour_usage_once"
            ),
        ]

    def __str__(self) -> str:
        return f"series {self.series_id} from {self.starts_at:%Y-%m-%d %H:%M}"


class DayUsage(_Measures):
    """One series on one day of its organization's time zone."""

    day = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "day", "series"], name="day_usage_once"
            ),
        ]

    def __str__(self) -> str:
        return f"series {self.series_id} on {self.day}"


class LabelUsage(_Measures):
    """One series on one day, under one label: these stand apart, since a call has several or none.

    Under ``waste``, money is only the wasted part of the calls.
    """

    class Kind(models.TextChoices):
        """What the label is."""

        TAG = "tag"
        SESSION = "session"
        END_USER = "end_user", "end user"
        WASTE = "waste", "wasted as"

    day = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    label = models.CharField(max_length=160)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "day", "label", "series"], name="label_usage_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label}, series {self.series_id} on {self.day}"


class FillState(models.Model):
    """One row: the rollups hold exactly what these entries and records, and those before, add up to."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    entry_id = models.BigIntegerField(default=0)
    record_id = models.BigIntegerField(default=0)
    filled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="fill_state_is_one", condition=models.Q(id=1)),
        ]

    def __str__(self) -> str:
        return f"filled to entry {self.entry_id} and record {self.record_id}"


class UsageZone(models.Model):
    """In which time zone an organization's days are summed; behind its own until they are again."""

    organization = models.OneToOneField(
        Organization,
        on_delete=models.PROTECT,
        related_name="+",
        primary_key=True,
        db_constraint=False,
    )
    time_zone = models.CharField(max_length=60)

    objects = OrganizationOwned.as_manager()

    def __str__(self) -> str:
        return self.time_zone
