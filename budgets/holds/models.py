"""Open holds, and the journal of what was charged."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from budgets.tenancy.models import ApiKey, Organization, OrganizationOwned, Project, User


class Hold(models.Model):
    """The worst case of a call that is under way; deleted when the call is resolved.

    Written and deleted by the admission function alone. Its references carry no database
    constraint: they were read from the caller's key in the same statement.
    """

    request_id = models.UUIDField(primary_key=True)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="holds",
        db_constraint=False,
        db_index=False,
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, related_name="holds", db_constraint=False, db_index=False
    )
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, related_name="holds", db_constraint=False, db_index=False
    )
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="holds", db_constraint=False, db_index=False
    )
    model = models.CharField(max_length=160)
    tags = ArrayField(models.CharField(max_length=120), default=list)
    session = models.CharField(max_length=160, blank=True)
    amount_usd = models.DecimalField(max_digits=24, decimal_places=12)
    tokens = models.BigIntegerField()
    balance_ids = ArrayField(models.BigIntegerField())
    admitted_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    objects = OrganizationOwned.as_manager()

    def __str__(self) -> str:
        return str(self.request_id)


class JournalEntry(models.Model):
    """One amount, booked for good against the balances of one call.

    ``seq`` 0 is the charge, 1 the one correction that a late settle makes of an estimate; what
    people book later under the same request id counts up from 2, with reason and actor. Triggers
    refuse every UPDATE, DELETE and TRUNCATE.
    """

    class Kind(models.TextChoices):
        """Why the amount was booked."""

        CHARGE = "charge"
        RELEASE = "release", "release (nothing was billed)"
        ESTIMATE = "estimate", "estimate (unconfirmed)"
        CORRECTION = "correction"
        REFUND = "refund"
        CREDIT = "credit"

    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="journal",
        db_constraint=False,
        db_index=False,
    )
    request_id = models.UUIDField()
    seq = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    amount_usd = models.DecimalField(max_digits=24, decimal_places=12)
    held_usd = models.DecimalField(max_digits=24, decimal_places=12)
    tokens = models.BigIntegerField()
    api_key = models.ForeignKey(
        ApiKey,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="journal",
    )
    project = models.ForeignKey(
        Project,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="journal",
    )
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="journal"
    )
    model = models.CharField(max_length=160)
    tags = ArrayField(models.CharField(max_length=120), default=list)
    session = models.CharField(max_length=160, blank=True)
    balance_ids = ArrayField(models.BigIntegerField())
    admitted_at = models.DateTimeField()
    booked_at = models.DateTimeField()
    reason = models.CharField(max_length=240, blank=True)
    actor = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    objects = OrganizationOwned.as_manager()

    class Meta:
        verbose_name_plural = "journal entries"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "request_id", "seq"], name="journal_entry_once"
            ),
            models.CheckConstraint(
                name="journal_first_entry_not_negative",
                condition=Q(kind__in=["correction", "refund", "credit"])
                | Q(seq=0, amount_usd__gte=0),
            ),
        ]
        indexes = [
            # Lists, windows and totals of a tenant, newest last.
            models.Index(fields=["organization", "admitted_at", "id"], name="journal_by_time"),
            # What is booked later is little: refunds, credits and corrections of a month.
            models.Index(
                fields=["organization", "admitted_at"],
                condition=Q(seq__gt=0),
                name="journal_adjustments",
            ),
            # Sealing reads the hours that have closed; rows lie in nearly that order.
            BrinIndex(fields=["booked_at"], name="journal_by_booking"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}/{self.seq}"


class IdempotencyKey(models.Model):
    """A caller's name for one request, so that sending it again does not charge it again.

    Claimed in the step that admits the request and kept for a day. ``fingerprint`` is the hash of
    the body, which tells a repeated request from another one under the same name.
    """

    api_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, related_name="idempotency_keys", db_constraint=False
    )
    name = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    request_id = models.UUIDField(db_index=True)
    claimed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "name"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Seal(models.Model):
    """The hash over what an organization booked in one closed hour, and over the seal before it.

    Made by a periodic task; a later change of any sealed entry shows. Triggers refuse changes.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="seals")
    hour = models.DateTimeField()
    entries = models.PositiveIntegerField()
    previous = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "hour"], name="seal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.organization} {self.hour:%Y-%m-%d %H}h"


class SealedUntil(models.Model):
    """One row: every hour that ended by then is sealed."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    instant = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="sealed_until_is_one", condition=Q(id=1)),
        ]

    def __str__(self) -> str:
        return f"sealed until {self.instant:%Y-%m-%d %H:%M}"
