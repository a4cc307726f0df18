"""Budgets and their balances."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from budgets.history.tables import tracked
from budgets.plans.models import Plan
from budgets.tenancy.models import Organization, OrganizationOwned, User


def default_thresholds() -> list[int]:
    """Give the percentages of a limit at which people are told, unless they choose others."""
    return [50, 80, 100]


@tracked()
class Budget(models.Model):
    """A limit: for whom, on what, in which unit, per window.

    It belongs to an organization, or to a plan and then applies to every organization on it, or to
    neither: then it is the site's own and applies to every call. Several budgets on one call all
    apply.
    """

    class Scope(models.TextChoices):
        """Whose calls count."""

        ORGANIZATION = "organization", "the whole organization"
        PROJECT = "project", "one project"
        USER = "user", "one user"
        API_KEY = "api_key", "one API key"
        TAG = "tag", "one tag"

    class Each(models.TextChoices):
        """Whether everyone shares one balance or each has their own."""

        SHARED = "", "one shared balance"
        USER = "user", "each user"
        PROJECT = "project", "each project"
        API_KEY = "api_key", "each API key"
        MODEL = "model", "each model"
        TAG = "tag", "each tag"
        SESSION = "session", "each session or run"
        ORGANIZATION = "organization", "each organization"

    class Unit(models.TextChoices):
        """What is counted. All but dollars are rate limits, admitted by the same rule."""

        USD = "usd", "US dollars"
        REQUESTS = "requests", "requests"
        TOKENS = "tokens", "tokens"
        IN_FLIGHT = "in_flight", "requests in flight"

    class Window(models.TextChoices):
        """When counting starts anew, in the organization's time zone."""

        MINUTE = "minute"
        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        QUARTER = "quarter"
        YEAR = "year"
        ROLLING = "rolling", "the last days"
        TOTAL = "total", "never (total)"

    class Enforcement(models.TextChoices):
        """What happens at the limit."""

        BLOCK = "block", "refuse calls"
        WARN = "warn", "only tell"

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    name = models.CharField(max_length=120)
    scope = models.CharField(max_length=12, choices=Scope.choices, default=Scope.ORGANIZATION)
    target = models.CharField(
        max_length=120,
        blank=True,
        help_text="Id of the project, user or API key, or the tag. Empty for the organization.",
    )
    each = models.CharField(max_length=12, choices=Each.choices, default=Each.SHARED, blank=True)
    model_pattern = models.CharField(
        max_length=160, blank=True, help_text="Only calls of these models, e.g. openai/*."
    )
    unit = models.CharField(max_length=12, choices=Unit.choices, default=Unit.USD)
    window = models.CharField(max_length=12, choices=Window.choices, default=Window.MONTH)
    rolling_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(366)],
        help_text="How many days, today included, count in a window of the last days.",
    )
    limit_amount = models.DecimalField(
        max_digits=24, decimal_places=12, validators=[MinValueValidator(0)]
    )
    raised_until = models.DateTimeField(
        null=True, editable=False, help_text="When the last temporary raise of the limit ends."
    )
    enforcement = models.CharField(
        max_length=8, choices=Enforcement.choices, default=Enforcement.BLOCK
    )
    thresholds = ArrayField(
        models.PositiveSmallIntegerField(
            validators=[MinValueValidator(1), MaxValueValidator(1000)]
        ),
        default=default_thresholds,
        blank=True,
        help_text="Percentages of the limit at which people are told.",
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="budget_has_at_most_one_owner",
                condition=Q(organization__isnull=True) | Q(plan__isnull=True),
                violation_error_message="A budget belongs to an organization or to a plan.",
            ),
            models.CheckConstraint(
                name="budget_each_organization_is_the_sites",
                condition=~Q(each="organization") | Q(organization__isnull=True, plan__isnull=True),
                violation_error_message="Only a budget of the whole site is for each organization.",
            ),
            models.CheckConstraint(
                name="budget_rolls_over_days",
                condition=Q(window="rolling", rolling_days__isnull=False)
                | (~Q(window="rolling") & Q(rolling_days__isnull=True)),
                violation_error_message="Say how many days for the last days, and only there.",
            ),
            models.CheckConstraint(
                name="budget_limit_not_negative", condition=Q(limit_amount__gte=0)
            ),
            models.CheckConstraint(
                name="budget_target_fits_scope",
                condition=Q(scope="organization", target="")
                | (~Q(scope="organization") & ~Q(target="") & Q(organization__isnull=False)),
                violation_error_message="Name a target for a narrower scope, and none otherwise.",
            ),
            models.CheckConstraint(
                name="budget_in_flight_has_no_window",
                condition=~Q(unit="in_flight") | Q(window="total"),
                violation_error_message="Requests in flight have no window: choose total.",
            ),
        ]
        indexes = [
            # The admission function probes these, once per scope of the caller.
            models.Index(
                fields=["organization", "scope", "target"],
                condition=Q(active=True),
                name="budget_of_organization",
            ),
            models.Index(
                fields=["plan"], condition=Q(active=True, plan__isnull=False), name="budget_of_plan"
            ),
            models.Index(
                fields=["id"],
                condition=Q(active=True, plan__isnull=True, organization__isnull=True),
                name="budget_of_site",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Balance(models.Model):
    """What one subject has spent and holds of one budget in one window: the hot row.

    Amounts are in the budget's unit. ``excess`` is what went over the limit all the same,
    because a provider billed above its maximum or the limit was lowered. ``blocks`` and
    ``limit_amount`` are the budget's as of the last hold, raises added and, in a window of the last
    days, what the days before have used taken off. A balance of the site's own budgets has no
    organization.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="balances"
    )
    # Its index is balance_once, which begins with it. One of its own would tempt the planner to read
    # all balances of a plan's budget at every call.
    budget = models.ForeignKey(
        Budget, on_delete=models.PROTECT, related_name="balances", db_index=False
    )
    subject = models.CharField(max_length=160, blank=True)
    window_start = models.DateTimeField()
    unit = models.CharField(max_length=12)
    rank = models.SmallIntegerField(help_text="Locks are taken from the highest to the lowest.")
    blocks = models.BooleanField()
    limit_amount = models.DecimalField(max_digits=24, decimal_places=12)
    held = models.DecimalField(max_digits=24, decimal_places=12, default=0)
    spent = models.DecimalField(max_digits=24, decimal_places=12, default=0)
    excess = models.DecimalField(max_digits=24, decimal_places=12, default=0)
    opening = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        default=0,
        help_text="Part of spent that was counted in when the balance was opened in mid-window.",
    )

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "subject", "window_start", "organization"],
                name="balance_once",
                nulls_distinct=False,
            ),
            # The database is the referee: whatever the code does, this cannot be committed.
            models.CheckConstraint(
                name="balance_never_overspent",
                condition=Q(held__gte=0)
                & Q(spent__gte=0)
                & Q(excess__gte=0)
                & (Q(blocks=False) | Q(spent__lte=F("limit_amount") + F("excess") - F("held"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget} {self.subject} from {self.window_start:%Y-%m-%d %H:%M}"


@tracked()
class LimitRaise(models.Model):
    """A limit raised for a while; it ends by itself.

    For the whole budget, or for one organization on a plan, or for one subject of a budget for
    *each*.
    """

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="raises")
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="raises"
    )
    subject = models.CharField(max_length=160, blank=True)
    amount = models.DecimalField(
        max_digits=24, decimal_places=12, help_text="Added to the limit, in the budget's unit."
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=240)
    made_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="limit_raise_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message="A raise ends after it starts.",
            ),
            models.CheckConstraint(
                name="limit_raise_is_positive",
                condition=Q(amount__gt=0),
                violation_error_message="A raise adds an amount; to lower a limit, change it.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget} +{self.amount} until {self.ends_at:%Y-%m-%d %H:%M}"
