"""Where calls are sent, with whose credentials, and under which names."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from budgets.history.tables import tracked
from budgets.tenancy.models import Organization, OrganizationOwned, Project
from tracking.gateway.doors.call import WIRE_ADDRESSES
from tracking.pricing.models import CatalogModel

# The kinds of providers that are called at an address which somebody entered.
_WITH_ADDRESS = ("openai_compatible", "anthropic_compatible")


def _seconds(text: str) -> models.PositiveIntegerField[int | None, int | None]:
    return models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text=f"{text} In seconds; empty: the site's setting.",
    )


@tracked(but=("sealed_key",))
class Provider(models.Model):
    """A provider that models are called at: its address and a key that it is called with.

    A catalogue model is served by the providers that carry its provider's name: one for each key,
    told apart by their labels. Those that belong to an organization stand in place of the site's own.
    """

    class Kind(models.TextChoices):
        """How the provider is spoken to."""

        DEMO = "demo", "built-in demo"
        OPENAI_COMPATIBLE = "openai_compatible", "any OpenAI-compatible address"
        ANTHROPIC_COMPATIBLE = "anthropic_compatible", "any Anthropic-compatible address"
        LITELLM = "litellm", "a provider that litellm knows"

    class Door(models.TextChoices):
        """By which way calls go out."""

        WIRE = "wire", "as they are, in OpenAI's wire format"
        LIBRARY = "library", "through litellm"

    name = models.CharField(
        max_length=60,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_.-]*$", "Lower-case letters, digits, _ . -")],
        help_text="As in the model catalogue, e.g. openai, anthropic, or a name of your own.",
    )
    label = models.CharField(
        max_length=60,
        blank=True,
        help_text="Tells several keys of one provider apart, e.g. europe. Empty where there is one.",
    )
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="providers",
        help_text="Empty: the site's own, for every organization without one of that name.",
    )
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.LITELLM)
    base_url = models.URLField(
        blank=True,
        help_text="Only for a compatible address, e.g. https://llm.example.org/v1",
    )
    door = models.CharField(
        max_length=20,
        choices=Door.choices,
        blank=True,
        help_text="How calls are sent. Empty: as they are to an OpenAI-compatible address, "
        "through litellm to all others.",
    )
    sealed_key = models.BinaryField(
        blank=True, default=b"", editable=False, help_text="The provider's key, encrypted."
    )
    weight = models.PositiveSmallIntegerField(
        default=1,
        validators=[MaxValueValidator(1000)],
        help_text="Its share of the calls among keys of the same name and owner. "
        "0: only when the others fail.",
    )
    connect_timeout_s = _seconds("A connection that takes longer was never made: not billed.")
    first_byte_timeout_s = _seconds("A stream that has not begun by then is given up.")
    idle_timeout_s = _seconds("A stream that pauses for longer is given up.")
    total_timeout_s = _seconds("A call that takes longer is given up, with all its attempts.")
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "label", "organization"],
                name="provider_once",
                nulls_distinct=False,
                violation_error_message="A provider of this name, label and owner already exists.",
            ),
            models.CheckConstraint(
                name="provider_address_fits_kind",
                condition=(models.Q(kind__in=_WITH_ADDRESS) & ~models.Q(base_url=""))
                | (~models.Q(kind__in=_WITH_ADDRESS) & models.Q(base_url="")),
                violation_error_message="A compatible address needs a base URL; "
                "the other kinds take none.",
            ),
            models.CheckConstraint(
                name="provider_door_fits",
                condition=~models.Q(door="wire")
                | models.Q(kind="openai_compatible")
                | models.Q(kind="litellm", name__in=sorted(WIRE_ADDRESSES)),
                violation_error_message="Only an OpenAI-compatible address, or one of "
                f"{', '.join(sorted(WIRE_ADDRESSES))}, can be called without litellm.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.label})" if self.label else self.name


@tracked()
class Alias(models.Model):
    """A name that clients send as the model, and that stands for others, the preferred first.

    It goes before a model of the same name in the catalogue; an organization's goes before the
    site's.
    """

    name = models.CharField(
        max_length=160,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9][A-Za-z0-9_.:/-]*$", "Letters, digits and _ . : / - without spaces"
            )
        ],
        help_text="What clients send as the model. It may be a catalogue model's own name.",
    )
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="aliases",
        help_text="Empty: the site's own, for every organization.",
    )
    falls_back_on_failure = models.BooleanField(
        default=True,
        help_text="When a model's provider fails, and surely billed nothing, call the next model.",
    )
    falls_back_on_budget = models.BooleanField(
        default=True, help_text="When a model does not fit into the budget, call the next model."
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "aliases"
        constraints = [
            models.UniqueConstraint(
                fields=["name", "organization"],
                name="alias_once",
                nulls_distinct=False,
                violation_error_message="An alias of this name and owner already exists.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


@tracked()
class AliasTarget(models.Model):
    """A model that an alias stands for. Of one position each is taken by its weight."""

    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField(
        default=1, help_text="1 is tried first. Equal positions share the calls by weight."
    )
    model = models.ForeignKey(CatalogModel, on_delete=models.PROTECT, related_name="+")
    provider = models.ForeignKey(
        Provider,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Only with this key. Empty: with any of the model's provider.",
    )
    name_at_provider = models.CharField(
        max_length=160, blank=True, help_text="Where it has another name there, e.g. a deployment."
    )
    weight = models.PositiveSmallIntegerField(default=1, validators=[MaxValueValidator(1000)])

    class Meta:
        verbose_name = "target"
        constraints = [
            models.UniqueConstraint(
                fields=["alias", "model", "provider"],
                name="alias_target_once",
                nulls_distinct=False,
                violation_error_message="The alias has this model and key already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.model}"


class RouteHealth(models.Model):
    """How a model has done of late with one key. Written by server processes when it fails, and
    when it works again; read by all of them, so that each leaves it alone while it cools down."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="health")
    model = models.CharField(max_length=160)
    failures = models.PositiveIntegerField(help_text="In a row.")
    code = models.CharField(max_length=60, help_text="What the last failure was.")
    failed_at = models.DateTimeField()
    cools_until = models.DateTimeField(null=True)
    recovered_at = models.DateTimeField(null=True)
    down_since = models.DateTimeField(
        null=True, help_text="When it was first left alone; empty while it works."
    )

    class Meta:
        verbose_name_plural = "route health"
        constraints = [
            models.UniqueConstraint(fields=["provider", "model"], name="route_health_once"),
        ]

    def __str__(self) -> str:
        return f"{self.model} at {self.provider}"


class RefusedCalls(models.Model):
    """How many calls with a key, for a model, were refused in one minute for one reason.

    Kept for alerts, for a month. A refused call has no entry in the journal and no cost record.
    """

    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    api_key_id = models.BigIntegerField()
    model = models.CharField(max_length=160, help_text="As the client named it.")
    code = models.CharField(max_length=60, help_text="Why, as the client was told.")
    starts_at = models.DateTimeField()
    calls = models.BigIntegerField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        verbose_name_plural = "refused calls"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "starts_at", "api_key_id", "model", "code"],
                name="refused_calls_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.calls} x {self.code} from {self.starts_at:%Y-%m-%d %H:%M}"


class RouteEdition(models.Model):
    """One row whose number rises, by trigger, with every change to providers and aliases.

    A process that keeps them in memory compares the number to learn that its copy is stale.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="routes_have_one_edition"),
        ]

    def __str__(self) -> str:
        return f"edition {self.number}"


class StoredAnswer(models.Model):
    """An answer that was kept for a request with an Idempotency-Key: encrypted, for a day."""

    request_id = models.UUIDField(primary_key=True)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="stored_answers"
    )
    content_type = models.CharField(max_length=80)
    sealed = models.BinaryField()
    expires_at = models.DateTimeField(db_index=True)

    objects = OrganizationOwned.as_manager()

    def __str__(self) -> str:
        return str(self.request_id)


class CachedAnswer(models.Model):
    """An answer that is kept for a project's requests that are the same: encrypted, for a while."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="cached_answers"
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="cached_answers")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of what was asked.")
    sealed = models.BinaryField()
    cost_usd = models.DecimalField(
        max_digits=24, decimal_places=12, help_text="What the answer cost when it was made."
    )
    expires_at = models.DateTimeField(db_index=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "digest"], name="cached_answer_once"
            ),
        ]

    def __str__(self) -> str:
        return bytes(self.digest).hex()
