"""Whose spend somebody may see."""

from __future__ import annotations

from dataclasses import dataclass

from budgets.core.errors import DomainError
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User

MANAGES = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN})
SEES_EVERYONE = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN, Membership.Role.VIEWER})


class NoMembership(DomainError):
    """You are not a member of an organization yet."""

    code = "permission_denied"


class OrganizationNotFound(DomainError):
    """There is no such organization."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who looks at one of their organizations."""

    user: User
    organization: Organization
    role: str
    organizations: tuple[Organization, ...]
    led_project_ids: tuple[int, ...] = ()

    @property
    def sees_everyone(self) -> bool:
        """Whether they may see the whole organization's spend, not only their own."""
        return self.role in SEES_EVERYONE

    @property
    def manages(self) -> bool:
        """Whether they may change what is the organization's, such as its channels."""
        return self.role in MANAGES

    @property
    def only_user_id(self) -> int | None:
        """The one whose calls they may see; None when they may see everyone's."""
        return None if self.sees_everyone else self.user.pk


def viewer_of(*, user: User, slug: str | None) -> Viewer:
    """Find in which of their organizations somebody looks: the named one, else the first by name.

    Being staff or a superuser opens nothing here; only a membership does.

    :raises NoMembership: if they belong to no organization
    :raises OrganizationNotFound: if they do not belong to the named one, whether or not it exists
    """
    memberships = list(
        user.memberships.select_related("organization", "user").order_by("organization__name", "pk")
    )
    if not memberships:
        raise NoMembership
    found = next((m for m in memberships if slug in (None, m.organization.slug)), None)
    if found is None:
        raise OrganizationNotFound
    return _viewer(found, tuple(m.organization for m in memberships))


def viewer_with_key(*, key: ApiKey, slug: str | None) -> Viewer:
    """Find whose eyes an API key looks with: its user's, and on its own organization only.

    :raises OrganizationNotFound: if another organization is named, or the user has left
    """
    membership = (
        Membership.objects.for_organization(key.organization)
        .select_related("organization", "user")
        .filter(user=key.user)
        .first()
    )
    if membership is None or slug not in (None, key.organization.slug):
        raise OrganizationNotFound
    return _viewer(membership, (membership.organization,))


def _viewer(membership: Membership, organizations: tuple[Organization, ...]) -> Viewer:
    led: tuple[int, ...] = ()
    if membership.role == Membership.Role.LEAD:
        projects = Project.objects.for_organization(membership.organization)
        led = tuple(projects.filter(leads=membership).order_by("pk").values_list("pk", flat=True))
    return Viewer(
        user=membership.user,
        organization=membership.organization,
        role=membership.role,
        organizations=organizations,
        led_project_ids=led,
    )
