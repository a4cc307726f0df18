"""Make and change tenants, members, projects and keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from budgets.plans.models import Plan
from budgets.tenancy import keys
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User


def create_organization(
    *, name: str, slug: str, plan: Plan, owner: User, time_zone: str = "UTC"
) -> Organization:
    """Make an organization with its owner and a first project called Default.

    :raises ValidationError: if a field is not valid, e.g. an unknown time zone
    """
    organization = Organization(name=name, slug=slug, plan=plan, time_zone=time_zone)
    organization.full_clean()
    with transaction.atomic():
        organization.save()
        add_member(organization=organization, user=owner, role=Membership.Role.OWNER)
        Project.objects.create(organization=organization, name="Default", slug="default")
    return organization


def add_member(
    *, organization: Organization, user: User, role: str = Membership.Role.MEMBER
) -> Membership:
    """Make a user a member; who is one already gets the role."""
    membership, _ = Membership.objects.update_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    return membership


def remove_member(*, membership: Membership) -> None:
    """Take a person out of an organization; their keys in it open nothing from the next hold on."""
    Membership.objects.filter(pk=membership.pk).delete()


def set_organization_status(*, organization: Organization, status: str) -> None:
    """Suspend or resume an organization; the next hold obeys."""
    Organization.objects.filter(pk=organization.pk).update(status=status)
    organization.status = status


def set_archived(*, project: Project, at: datetime | None) -> None:
    """Archive a project, or restore it with None; the next hold obeys."""
    Project.objects.filter(pk=project.pk).update(archived_at=at)
    project.archived_at = at


def create_key(
    *,
    project: Project,
    user: User,
    name: str,
    expires_at: datetime | None = None,
    rules: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[ApiKey, str]:
    """Make an API key; its text is returned here and can never be read again.

    ``rules`` are fields of the key about the calls made with it: ``allowed_models``,
    ``required_tags``, ``cache_ttl_s``, and ``scopes``, which open other things than calls.

    :raises Membership.DoesNotExist: if the user is not a member of the project's organization
    """
    organization = project.organization
    Membership.objects.for_organization(organization).get(user=user)
    text = keys.mint()
    key = ApiKey.objects.create(
        organization=organization,
        project=project,
        user=user,
        name=name,
        lookup_id=text.lookup_id,
        secret_digest=keys.digest(secret=text.secret, pepper=pepper()),
        last_four=str(text)[-4:],
        expires_at=expires_at,
        **rules,
    )
    return key, str(text)


def rotate_key(*, key: ApiKey, overlap: timedelta, now: datetime) -> str:
    """Give a key a new secret, and return its text, which can never be read again.

    The key stays the same key: its budgets, balances and history go on. The secret before works
    until the overlap is over; one before that stops, as does this one without an overlap, within
    the second for which processes remember a key.
    """
    text = keys.KeyText(lookup_id=key.lookup_id, secret=keys.mint().secret)
    ApiKey.objects.filter(pk=key.pk).update(
        previous_digest=F("secret_digest"),
        previous_expires_at=now + overlap,
        secret_digest=keys.digest(secret=text.secret, pepper=pepper()),
        last_four=str(text)[-4:],
    )
    return str(text)


def set_key_status(*, key: ApiKey, status: str) -> None:
    """Suspend, resume or revoke a key; a revoked one stays revoked. The next hold obeys."""
    ApiKey.objects.filter(pk=key.pk).exclude(status=ApiKey.Status.REVOKED).update(status=status)


def pepper() -> bytes:
    """Give the site's secret that every key's hash is made with."""
    return str(settings.COSTSITE_KEY_PEPPER).encode()
