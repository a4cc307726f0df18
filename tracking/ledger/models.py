"""Cost records."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from budgets.tenancy.models import Organization, OrganizationOwned
from tracking.pricing.models import Price, PriceRule


class CostRecord(models.Model):
    """What one attempt at a provider was: tokens, price, lines, how it ended.

    Input tokens include cached and cache-written ones, output tokens include reasoning. The
    amount charged stands in the journal under the same request id; ``cost_usd`` is the sum of
    the lines. Triggers refuse every UPDATE, DELETE and TRUNCATE.
    """

    class Outcome(models.TextChoices):
        """How the attempt ended."""

        COMPLETED = "completed"
        CACHED = "cached", "answered from the cache"
        CANCELLED = "cancelled", "client left"
        INTERRUPTED = "interrupted", "broke off"
        FAILED = "failed", "failed, not billed"
        UNKNOWN = "unknown", "unknown, maybe billed"

    class UsageSource(models.TextChoices):
        """Who counted the tokens."""

        PROVIDER = "provider", "reported by the provider"
        COUNTED = "counted", "counted here"
        ASSUMED = "assumed", "assumed (worst case)"
        NONE = "none", "nothing was used"

    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        related_name="cost_records",
        db_constraint=False,
        db_index=False,
    )
    request_id = models.UUIDField()
    origin_request_id = models.UUIDField(
        null=True, help_text="The call that this one was made instead of, when its model failed."
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    endpoint = models.CharField(max_length=40)
    provider = models.CharField(max_length=60)
    credential = models.CharField(
        max_length=60,
        blank=True,
        db_default="",
        help_text="Which of the provider's keys; empty where it has one.",
    )
    asked_model = models.CharField(max_length=160)
    model = models.CharField(max_length=160)
    price = models.ForeignKey(
        Price,
        on_delete=models.PROTECT,
        related_name="cost_records",
        db_constraint=False,
        db_index=False,
    )
    price_rule = models.ForeignKey(
        PriceRule,
        on_delete=models.PROTECT,
        null=True,
        related_name="cost_records",
        db_constraint=False,
        db_index=False,
        help_text="What made the rates of the lines differ from the list price.",
    )
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    usage_source = models.CharField(max_length=12, choices=UsageSource.choices)
    status = models.PositiveSmallIntegerField(
        help_text="HTTP status that the caller was given, or would have been for this attempt alone."
    )
    error_code = models.CharField(max_length=60, blank=True)
    is_streamed = models.BooleanField(default=False)
    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    service_tier = models.CharField(
        max_length=20, blank=True, db_default="", help_text="The one that was served, if named."
    )
    lines = models.JSONField(default=list, help_text="dimension, units, rate_usd, amount_usd.")
    cost_usd = models.DecimalField(max_digits=24, decimal_places=12)
    saved_usd = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        default=0,
        help_text="What the call would have cost, had it not been answered from the cache.",
    )
    output_cap_tokens = models.BigIntegerField(null=True)
    is_fitted = models.BooleanField(default=False, help_text="The output cap was lowered to fit.")
    finish_reason = models.CharField(max_length=40, blank=True)
    provider_request_id = models.CharField(max_length=160, blank=True)
    end_user = models.CharField(max_length=160, blank=True)
    session = models.CharField(max_length=160, blank=True)
    tags = ArrayField(models.CharField(max_length=120), default=list)
    metadata = models.JSONField(default=dict)
    prompt_hash = models.UUIDField(
        null=True, help_text="Equal where everything that was asked is equal; no text is kept."
    )
    started_at = models.DateTimeField()
    first_byte_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "request_id", "attempt"], name="cost_record_once"
            ),
            models.CheckConstraint(
                name="cost_record_not_negative", condition=models.Q(cost_usd__gte=0)
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "started_at", "id"], name="cost_record_by_time"),
            models.Index(
                fields=["organization", "started_at"],
                condition=models.Q(saved_usd__gt=0),
                name="cost_record_cached",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}#{self.attempt}"
