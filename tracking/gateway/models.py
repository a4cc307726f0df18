"""Where calls are sent, and with whose credentials."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from budgets.history.tables import tracked
from budgets.tenancy.models import Organization, OrganizationOwned


@tracked(but=("sealed_key",))
class Provider(models.Model):
    """A provider that models are called at: its address and the key it is called with.

    A catalogue model is served by the provider that carries its provider's name; one that
    belongs to an organization goes before the site's own.
    """

    class Kind(models.TextChoices):
        """How the provider is spoken to."""

        DEMO = "demo", "built-in demo"
        OPENAI_COMPATIBLE = "openai_compatible", "any OpenAI-compatible address"
        LITELLM = "litellm", "a provider that litellm knows"

    name = models.CharField(
        max_length=60,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_.-]*$", "Lower-case letters, digits, _ . -")],
        help_text="As in the model catalogue, e.g. openai, anthropic, or a name of your own.",
    )
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="providers",
        help_text="Empty: the site's own, for every organization.",
    )
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.LITELLM)
    base_url = models.URLField(
        blank=True,
        help_text="Only for an OpenAI-compatible address, e.g. http://127.0.0.1:11434/v1",
    )
    sealed_key = models.BinaryField(
        blank=True, default=b"", editable=False, help_text="The provider's key, encrypted."
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "organization"],
                name="provider_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="provider_address_fits_kind",
                condition=(models.Q(kind="openai_compatible") & ~models.Q(base_url=""))
                | (~models.Q(kind="openai_compatible") & models.Q(base_url="")),
                violation_error_message="An OpenAI-compatible address needs a base URL; "
                "the other kinds take none.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


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
