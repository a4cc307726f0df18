"""Organizations, their members, projects and API keys."""

from __future__ import annotations

import zoneinfo
from typing import Any, ClassVar, Self, TypeVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models.functions import Lower

from budgets.history.tables import tracked
from budgets.plans.models import Plan
from budgets.plans.terms import MOST_CACHE_TTL_S


def validate_time_zone(name: str) -> None:
    """Refuse a name that the time zone database does not know."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            "%(name)s is not a time zone such as Europe/Berlin.", params={"name": name}
        )


class UserManager(BaseUserManager["User"]):
    """Makes users who sign in with their e-mail address."""

    use_in_migrations = True

    def get_by_natural_key(self, username: str | None) -> User:
        """Find who signs in with this address, in whichever case it is typed."""
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a user with a usable password, or with none."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a user who may do everything in the admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person. They sign in with their e-mail address and may belong to several organizations."""

    username = None  # type: ignore[assignment]  # Django's own way to drop the inherited field.
    email = models.EmailField("e-mail address", unique=True)
    first_name = None  # type: ignore[assignment]  # One field for a name suits more of the world.
    last_name = None  # type: ignore[assignment]
    name = models.CharField(max_length=120, blank=True)

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Give the name, or the e-mail address of who has not said one."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """Give the name, or the e-mail address of who has not said one."""
        return self.get_full_name()


@tracked()
class Organization(models.Model):
    """A tenant: whose money is spent, in whose time zone its windows begin."""

    class Status(models.TextChoices):
        """Whether calls are let through."""

        ACTIVE = "active"
        SUSPENDED = "suspended"

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    time_zone = models.CharField(
        max_length=60,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Days, weeks and months begin at midnight here, e.g. Europe/Berlin.",
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="organizations")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    stores_answers = models.BooleanField(
        default=False,
        help_text="Keep answers to requests with an Idempotency-Key, encrypted, for a day, "
        "so that a repeated request gets the same answer.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone as an object."""
        return zoneinfo.ZoneInfo(self.time_zone)


M = TypeVar("M", bound=models.Model)


class OrganizationOwned(models.QuerySet[M]):
    """Rows that belong to one organization; read them through for_organization()."""

    def for_organization(self, organization: Organization) -> Self:
        """Keep the rows of one tenant: the filter that no tenant query goes without."""
        return self.filter(organization=organization)


@tracked()
class Membership(models.Model):
    """A person's place in an organization; may carry a plan of its own."""

    class Role(models.TextChoices):
        """What a member may see and do, highest first."""

        OWNER = "owner"
        ADMIN = "admin"
        LEAD = "lead"
        MEMBER = "member"
        VIEWER = "viewer"

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="memberships"
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.MEMBER)
    plan = models.ForeignKey(
        Plan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="memberships",
        help_text="Replaces what the organization's plan allows each user. Empty: that plan.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}"


@tracked()
class Project(models.Model):
    """A piece of work whose spend is told apart."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="projects"
    )
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60)
    leads = models.ManyToManyField(
        Membership,
        related_name="led_projects",
        blank=True,
        help_text="Members with the role lead who see all that is spent in this project.",
    )
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"], name="project_slug_once_per_organization"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {self.name}"


@tracked(but=("secret_digest", "previous_digest", "last_used_at"))
class ApiKey(models.Model):
    """What an application calls with: it spends for one user, in one project."""

    class Status(models.TextChoices):
        """Whether the key opens anything."""

        ACTIVE = "active"
        SUSPENDED = "suspended"
        REVOKED = "revoked"

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="api_keys"
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="api_keys")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=120)
    lookup_id = models.CharField(max_length=8, unique=True, editable=False)
    secret_digest = models.BinaryField(max_length=32, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    previous_digest = models.BinaryField(max_length=32, default=b"", editable=False)
    previous_expires_at = models.DateTimeField(
        null=True, editable=False, help_text="Until when the secret before the last rotation works."
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    scopes = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    allowed_models = ArrayField(
        models.CharField(max_length=160),
        default=list,
        blank=True,
        help_text="Patterns such as openai/*, separated by commas. Empty allows all.",
    )
    required_tags = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text="Patterns such as team:*, separated by commas. A call must carry a tag for each.",
    )
    cache_ttl_s = models.PositiveIntegerField(
        "cache, in seconds",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_CACHE_TTL_S)],
        help_text="For how long equal requests are answered from the cache. 0: never. "
        "Empty: as the plan says.",
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationOwned.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} ({self.masked})"

    @property
    def masked(self) -> str:
        """What may be shown of the key once its secret is gone."""
        return f"cs_live_{self.lookup_id}_…{self.last_four}"
