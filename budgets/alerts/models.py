"""Rules, what they saw, the alerts they raised, and the messages about them."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from budgets.alerts.evaluate import Threshold, thresholds_of
from budgets.history.tables import tracked
from budgets.limits.models import Budget
from budgets.tenancy.models import Organization, OrganizationOwned, User


def _figure(**options: Any) -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=24, decimal_places=12, **options)


def _figures(text: str) -> ArrayField[Any, Any]:
    return ArrayField(_figure(), default=list, blank=True, help_text=text)


class Level(models.TextChoices):
    """How loudly somebody is told."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@tracked(but=("sealed",))
class Channel(models.Model):
    """Where messages of an organization go. Its secret part is encrypted."""

    class Kind(models.TextChoices):
        """What speaks at the other end."""

        EMAIL = "email", "e-mail"
        SLACK = "slack", "Slack"
        TEAMS = "teams", "Microsoft Teams"
        WEBHOOK = "webhook", "webhook"

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="channels"
    )
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    settings = models.JSONField(default=dict, blank=True)
    sealed = models.BinaryField(default=b"", editable=False)
    is_default = models.BooleanField(
        default=False, editable=False, help_text="The one that an organization begins with."
    )
    takes_alerts = models.BooleanField(
        default=True, help_text="Gets the alerts of every rule that names no channel."
    )
    takes_requests = models.BooleanField(
        default=True, help_text="Is told when somebody asks for more. E-mail goes to approvers."
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(is_default=True),
                name="channel_one_default",
            ),
        ]

    def __str__(self) -> str:
        return self.name


# When it is checked next changes every minute, and is no change of configuration.
@tracked(but=("next_check_at", "last_error"))
class AlertRule(models.Model):
    """What an organization wants to be told of: which figure, about whom, from where on, how."""

    class Kind(models.TextChoices):
        """The figure that is watched."""

        BUDGET = "budget", "share of a budget (%)"
        BUDGET_SPENT = "budget_spent", "spent of a budget (in its unit)"
        SPEND = "spend", "spend in a window ($)"
        SPEND_RATE = "spend_rate", "spend rate ($ an hour)"
        FORECAST = "forecast", "forecast for the window's end (% of the limit)"
        RUNS_OUT = "runs_out", "budget runs out (days until)"
        ANOMALY = "anomaly", "unusual spend ($ above the usual)"
        ERROR_RATE = "error_rate", "failed calls (%)"
        REFUSALS = "refusals", "refused calls"
        UNPRICED = "unpriced", "calls of a model without a price"
        UNCONFIRMED = "unconfirmed", "unconfirmed estimates of a day"
        PROVIDER_DOWN = "provider_down", "provider down (minutes)"
        KEY_EXPIRY = "key_expiry", "API key expires (days until)"
        NO_DATA = "no_data", "no calls (hours since the last)"

    class Scope(models.TextChoices):
        """Whose figure."""

        ORGANIZATION = "organization", "the whole organization"
        PROJECT = "project", "one project"
        USER = "user", "one user"
        API_KEY = "api_key", "one API key"
        MODEL = "model", "one model"
        TAG = "tag", "one tag"

    class Each(models.TextChoices):
        """Whether there is one figure for all or one for each."""

        ALL = "", "one figure for all"
        USER = "user", "each user"
        PROJECT = "project", "each project"
        API_KEY = "api_key", "each API key"
        MODEL = "model", "each model"
        TAG = "tag", "each tag"

    class Window(models.TextChoices):
        """Over what spend is added up, in the organization's time zone."""

        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        QUARTER = "quarter"
        YEAR = "year"

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="alert_rules"
    )
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    ready_made = models.CharField(max_length=16, blank=True, editable=False)
    scope = models.CharField(max_length=12, choices=Scope.choices, default=Scope.ORGANIZATION)
    target = models.CharField(
        max_length=160,
        blank=True,
        help_text="Id of the project, user or API key, the model (openai/*), or the tag.",
    )
    each = models.CharField(max_length=12, choices=Each.choices, default=Each.ALL, blank=True)
    budget = models.ForeignKey(
        Budget,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="alert_rules",
        help_text="Only this budget, where budgets are watched. Empty: all that apply.",
    )
    window = models.CharField(max_length=8, choices=Window.choices, default=Window.DAY)
    info_at = _figures("Figures at which people are told, separated by commas.")
    warning_at = _figures("Figures at which people are warned.")
    critical_at = _figures("Figures that wake people up: no quiet hours.")
    cooldown_minutes = models.PositiveIntegerField(
        default=60,
        validators=[MaxValueValidator(60 * 24 * 366)],
        help_text="What came back within this time is not told again. A worse threshold always is.",
    )
    renotify_minutes = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(60 * 24 * 366)],
        help_text="Remind this often until it is acknowledged or over. 0: never.",
    )
    quiet_from = models.TimeField(
        null=True, blank=True, help_text="Begin of quiet hours in the organization's time zone."
    )
    quiet_until = models.TimeField(null=True, blank=True)
    muted_until = models.DateTimeField(null=True, blank=True)
    tells_recovery = models.BooleanField(default=True)
    tells_subject = models.BooleanField(
        default=False, help_text="Also mail the user whom it is about."
    )
    channels = models.ManyToManyField(
        Channel, blank=True, related_name="rules", help_text="None: all that take alerts."
    )
    active = models.BooleanField(default=True)
    check_every_s = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(60), MaxValueValidator(86_400)]
    )
    next_check_at = models.DateTimeField(db_index=True, editable=False)
    last_error = models.CharField(max_length=240, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "ready_made"],
                condition=~Q(ready_made=""),
                name="alert_rule_ready_made_once",
            ),
            models.CheckConstraint(
                name="alert_rule_target_fits_scope",
                condition=Q(scope="organization", target="")
                | (~Q(scope="organization") & ~Q(target="")),
                violation_error_message="Name a target for a narrower scope, and none otherwise.",
            ),
            models.CheckConstraint(
                name="alert_rule_quiet_hours_have_two_ends",
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                violation_error_message="Quiet hours have a begin and an end.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def thresholds(self) -> list[Threshold]:
        """Its thresholds, from the lowest."""
        return thresholds_of(
            info_at=self.info_at, warning_at=self.warning_at, critical_at=self.critical_at
        )


class Observation(models.Model):
    """The latest figure of a kind and subject that somebody else knows, as it was handed in."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="observations"
    )
    kind = models.CharField(max_length=16)
    subject_kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=240, blank=True)
    name = models.CharField(max_length=240, blank=True)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, null=True, related_name="+")
    value = _figure(null=True)
    limit_amount = _figure(null=True)
    window_start = models.DateTimeField(null=True)
    window_ends_at = models.DateTimeField(null=True)
    facts = models.JSONField(default=list)
    seen_at = models.DateTimeField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "subject_kind", "subject"], name="observation_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject_kind} {self.subject}"


class Watch(models.Model):
    """What a rule last saw of a subject: what the next figure is compared with.

    ``window_start`` is the window's, or when the present episode began where there is no window.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="watches")
    subject = models.CharField(max_length=240, blank=True)
    window_start = models.DateTimeField()
    value = _figure(null=True)
    seen_at = models.DateTimeField()
    recovered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "subject"], name="watch_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}"


class Alert(models.Model):
    """A threshold that was crossed: once per rule, subject, window and threshold."""

    class State(models.TextChoices):
        """Whether it still holds, and whether somebody has taken it on."""

        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        RECOVERED = "recovered"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="alerts")
    rule = models.ForeignKey(AlertRule, on_delete=models.PROTECT, related_name="alerts")
    subject = models.CharField(max_length=240, blank=True)
    subject_name = models.CharField(max_length=240, blank=True)
    user = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Whom it is about, where it is about one user.",
    )
    window_start = models.DateTimeField()
    window_ends_at = models.DateTimeField(null=True)
    threshold = _figure()
    level = models.CharField(max_length=8, choices=Level.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    value = _figure()
    limit_amount = _figure(null=True)
    title = models.CharField(max_length=400)
    facts = models.JSONField(default=list)
    tellings = models.PositiveIntegerField(default=0)
    is_untold = models.BooleanField(
        default=False, help_text="Muted, or back within the cool-down: told if it lasts."
    )
    told_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    recovered_at = models.DateTimeField(null=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject", "window_start", "threshold"], name="alert_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["rule", "subject"], condition=~Q(state="recovered"), name="alert_going_on"
            ),
            models.Index(fields=["organization", "id"], name="alert_of_organization"),
        ]

    def __str__(self) -> str:
        return self.title


class Delivery(models.Model):
    """One message on its way to one channel, or to people by mail: the outbox and its log.

    Its id stays the same over all tries, so that a receiver knows a repetition.
    """

    class Event(models.TextChoices):
        """What is told."""

        OPENED = "opened"
        REMINDER = "reminder"
        RECOVERED = "recovered"
        TEST = "test"
        REQUEST = "request", "request for more"
        DECISION = "decision", "decision on a request"
        REPORT = "report", "scheduled report"

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        SENT = "sent"
        DEAD = "dead"
        WITHDRAWN = "withdrawn", "withdrawn (over before it was sent)"

    id = models.UUIDField(primary_key=True, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="deliveries"
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, null=True, related_name="deliveries"
    )
    to = ArrayField(models.EmailField(), default=list, help_text="People, where no channel is.")
    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, null=True, related_name="deliveries")
    event = models.CharField(max_length=12, choices=Event.choices)
    telling = models.PositiveIntegerField(default=0)
    message = models.JSONField()
    picture = models.BinaryField(
        default=b"",
        db_default=b"",
        editable=False,
        help_text="A PNG for mail; dropped once it is sent.",
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    last_error = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "event", "telling"],
                condition=Q(alert__isnull=False),
                nulls_distinct=False,
                name="delivery_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(state="waiting"), name="delivery_waiting"
            ),
            models.Index(fields=["organization", "id"], name="delivery_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"
