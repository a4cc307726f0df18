"""The catalogue of models and their dated prices."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models.expressions import Func, Value
from django.db.models.functions import Coalesce

from budgets.history.tables import tracked
from budgets.plans.models import Plan
from budgets.tenancy.models import Organization, OrganizationOwned, User
from tracking.pricing.rates import Rates
from tracking.pricing.rules import multiplied_rates


def _alone(number: Any) -> Func:
    """Write a number as the range that holds only it."""
    return Func(number, number, Value("[]"), function="int8range")


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


class PriceRuleQuerySet(OrganizationOwned["PriceRule"]):
    """Price rules of organizations, plans and the site."""

    def in_force(self, at: datetime) -> Self:
        """Keep the rules whose half-open validity holds the instant."""
        ends_later = models.Q(valid_to__isnull=True) | models.Q(valid_to__gt=at)
        return self.filter(ends_later, valid_from__lte=at)


@tracked()
class PriceRule(models.Model):
    """What an organization, a plan or the whole site pays differently from the list price.

    Either a factor on every rate (0.8 is a discount of 20 %, 1.15 a markup of 15 %) or rates of
    its own for one model. For a call the narrowest rule holds alone; rules are not multiplied. A
    rule is never changed but to end it: receipts name it. The database enforces that, and that no
    two rules of one owner and pattern hold at once.
    """

    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="price_rules",
    )
    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, null=True, blank=True, related_name="price_rules"
    )
    model_pattern = models.CharField(
        max_length=160, blank=True, help_text="Such as gpt-4o or openai/*. Empty: every model."
    )
    factor = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    rates = models.JSONField(
        null=True, blank=True, help_text="USD per single unit, as decimal text, by dimension."
    )
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=240, blank=True, help_text="Why; kept with the rule.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PriceRuleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="price_rule_has_at_most_one_owner",
                condition=models.Q(organization__isnull=True) | models.Q(plan__isnull=True),
                violation_error_message="A price rule is for an organization or for a plan.",
            ),
            models.CheckConstraint(
                name="price_rule_is_factor_or_rates",
                condition=models.Q(factor__isnull=True, rates__isnull=False)
                | models.Q(factor__isnull=False, rates__isnull=True),
                violation_error_message="A price rule changes the list price or has rates of its own.",
            ),
            models.CheckConstraint(
                name="price_rule_factor_not_negative",
                condition=models.Q(factor__isnull=True) | models.Q(factor__gte=0),
            ),
            models.CheckConstraint(
                name="price_rule_rates_are_of_one_model",
                condition=models.Q(rates__isnull=True)
                | (~models.Q(model_pattern="") & ~models.Q(model_pattern__contains="*")),
                violation_error_message="Rates of its own are for one model: name it.",
            ),
            models.CheckConstraint(
                name="price_rule_ends_after_start",
                condition=models.Q(valid_to__isnull=True)
                | models.Q(valid_to__gte=models.F("valid_from")),
            ),
            # Ranges of one number stand in for equality, which GiST knows only with an extension;
            # a pattern is compared by its hash.
            ExclusionConstraint(
                name="price_rules_exclude_each_other",
                expressions=[
                    (_alone(Coalesce("organization", 0)), RangeOperators.OVERLAPS),
                    (_alone(Coalesce("plan", 0)), RangeOperators.OVERLAPS),
                    (
                        _alone(Func("model_pattern", Value(0), function="hashtextextended")),
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
        return f"{self.owner}, {self.model_pattern or 'every model'}: {self.terms}"

    def applied_to(self, listed: Rates) -> Rates:
        """Give what is charged in place of a list price."""
        if self.factor is not None:
            return multiplied_rates(listed, self.factor)
        assert self.rates is not None
        return Rates.of_json(self.rates)

    @property
    def owner(self) -> str:
        """Name whose rule it is."""
        return str(self.organization or self.plan or "the site")

    @property
    def kind(self) -> str:
        """Say whose rule it is without naming them: for those who are charged by it."""
        if self.organization_id:
            return "agreed with your organization"
        return "of your plan" if self.plan_id else "of this site"

    @property
    def terms(self) -> str:
        """Write what it does to the list price: ``-20 %``, or that it has rates of its own."""
        if self.factor is None:
            return "own rates"
        return f"{((self.factor - 1) * 100).normalize() + 0:+f} %"


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
