"""The catalogue of models and their dated prices."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models.expressions import Func, Value

from budgets.tenancy.models import User
from tracking.pricing.rates import Rates


class CatalogModel(models.Model):
    """A language model that calls can name."""

    class Mode(models.TextChoices):
        """What a model is for, in litellm's words."""

        CHAT = "chat"
        RESPONSES = "responses"
        COMPLETION = "completion"
        EMBEDDING = "embedding"
        IMAGE_GENERATION = "image_generation"
        IMAGE_EDIT = "image_edit"
        VIDEO_GENERATION = "video_generation"
        AUDIO_TRANSCRIPTION = "audio_transcription"
        AUDIO_SPEECH = "audio_speech"
        REALTIME = "realtime"
        RERANK = "rerank"
        MODERATION = "moderation"
        OCR = "ocr"
        SEARCH = "search"
        OTHER = "other"

    class Origin(models.TextChoices):
        """Who listed a model."""

        CATALOG = "catalog", "litellm's catalogue"
        DEMO = "demo", "demo"
        OWN = "own", "added here"

    name = models.CharField(
        max_length=160,
        unique=True,
        help_text="What clients send as model, e.g. gpt-4o-mini or anthropic/claude-sonnet-5.",
    )
    provider = models.CharField(max_length=80, db_index=True)
    mode = models.CharField(max_length=24, choices=Mode.choices, default=Mode.CHAT)
    context_window = models.PositiveIntegerField(
        null=True, blank=True, help_text="Most input tokens of a call. Empty if unknown."
    )
    max_output_tokens = models.PositiveIntegerField(
        null=True, blank=True, help_text="Most output tokens of one choice. Empty if unknown."
    )
    capabilities = ArrayField(
        models.CharField(max_length=80),
        default=list,
        blank=True,
        help_text="Such as vision, function_calling, response_schema, reasoning.",
    )
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.OWN)
    active = models.BooleanField(default=True, help_text="Whether calls may name it.")
    listed_at = models.DateTimeField()
    unlisted_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When litellm's catalogue stopped listing it. It stays callable at its last price.",
    )
    deprecated_on = models.DateField(
        null=True, blank=True, help_text="The day the provider has announced to retire it."
    )

    class Meta:
        verbose_name = "model"

    def __str__(self) -> str:
        return self.name


class PriceQuerySet(models.QuerySet["Price"]):
    """Prices by the instants they hold at."""

    def in_force(self, at: datetime) -> Self:
        """Keep the prices whose half-open validity holds the instant: at most one per model."""
        ends_later = models.Q(valid_to__isnull=True) | models.Q(valid_to__gt=at)
        return self.filter(ends_later, valid_from__lte=at)


class Price(models.Model):
    """One dated version of a model's price; never changed once published, except to end it.

    The database enforces it: versions of a model exclude each other in time, and a trigger
    refuses any update but the one that sets ``valid_to``, and any deletion.
    """

    class Source(models.TextChoices):
        """Where the rates come from."""

        CATALOG = "catalog", "litellm's catalogue"
        DEMO = "demo", "demo"
        STATED = "stated", "stated here"

    model = models.ForeignKey(CatalogModel, on_delete=models.PROTECT, related_name="prices")
    version = models.PositiveIntegerField()
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    rates = models.JSONField(help_text="USD per single unit, as decimal text, by dimension.")
    source = models.CharField(max_length=8, choices=Source.choices)
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    note = models.CharField(max_length=240, blank=True)

    objects = PriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "version"], name="price_version_unique"),
            models.CheckConstraint(
                condition=models.Q(version__gte=1), name="price_version_from_one"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True)
                | models.Q(valid_to__gt=models.F("valid_from")),
                name="price_ends_after_start",
            ),
            # A range of one id stands in for equality, which GiST knows only with an extension.
            ExclusionConstraint(
                name="price_versions_exclude_each_other",
                expressions=[
                    (
                        Func("model", "model", Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func("valid_from", "valid_to", Value("[)"), function="tstzrange"),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version}"

    def parsed_rates(self) -> Rates:
        """Read the stored rates as decimals."""
        return Rates.of_json(self.rates)


class PriceBookEdition(models.Model):
    """One row whose number rises, by trigger, with every change to models or prices.

    A process that keeps the price book in memory compares the number to learn that it is stale.
    Being a row, it rises when the change commits, which a sequence would not.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="price_book_has_one_edition"),
        ]

    def __str__(self) -> str:
        return f"edition {self.number}"
