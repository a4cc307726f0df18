"""The tiers that organizations and members are on."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from budgets.history.tables import tracked
from budgets.plans.terms import MOST_CACHE_TTL_S


@tracked()
class Plan(models.Model):
    """A tier: which models, how much output, which features. Its allowances are budgets."""

    code = models.SlugField(max_length=40, unique=True, help_text="Stable name, used by the API.")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=240, blank=True)
    allowed_models = ArrayField(
        models.CharField(max_length=160),
        default=list,
        blank=True,
        help_text="Patterns such as openai/* or gpt-4o*, separated by commas. Empty allows all.",
    )
    default_output_tokens = models.PositiveIntegerField(
        default=1024,
        validators=[MinValueValidator(1)],
        help_text="Output cap, in tokens, of a call that states none. It is sent to the provider.",
    )
    max_output_tokens = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The highest output cap, in tokens, a call may ask for. Empty: the model's own.",
    )
    fits_output = models.BooleanField(
        "lower the cap to fit",
        default=True,
        help_text="When the budget left pays for part of the asked output, "
        "lower the cap to what fits instead of refusing.",
    )
    wait_for_room_ms = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(10_000)],
        help_text="How long, in milliseconds, a call waits for others to settle "
        "when only they stand in its way, before it is refused.",
    )
    cache_ttl_s = models.PositiveIntegerField(
        "cache, in seconds",
        default=0,
        validators=[MaxValueValidator(MOST_CACHE_TTL_S)],
        help_text="For how long a request that leaves nothing to chance is answered from the cache "
        "when its project sends it again. Answers are kept encrypted. 0: only for calls that ask.",
    )
    features = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="plan_output_cap_in_range",
                condition=models.Q(max_output_tokens__isnull=True)
                | models.Q(max_output_tokens__gte=models.F("default_output_tokens")),
                violation_error_message="The default output cap is above the highest one.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
