"""Which calls somebody may see, of those that they ask for."""

from __future__ import annotations

from dataclasses import asdict

from budgets.core.errors import DomainError
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import ApiKey, Membership, Project
from tracking.usage.question import Filters
from tracking.usage.terms import Slice


class NobodySeen(DomainError):
    """There is nobody of that id whose spend you may see."""

    code = "not_found"


class ProjectNotSeen(DomainError):
    """There is no project of that id whose spend you may see."""

    code = "not_found"


class KeyNotSeen(DomainError):
    """There is no API key of that id whose spend you may see."""

    code = "not_found"


def slice_of(*, viewer: Viewer, filters: Filters) -> Slice:
    """Give the slice that a viewer asks for, cut to what they may see.

    Members see their own calls, leads those of their projects too, and the others everything of the
    organization. What is not theirs is told like what does not exist.

    :raises NobodySeen, ProjectNotSeen, KeyNotSeen: if a filter names what they may not see
    """
    _check_user(viewer, filters.user_id)
    _check_project(viewer, filters.project_id)
    _check_key(viewer, filters.api_key_id)
    return Slice(
        organization_id=viewer.organization.pk,
        viewer_id=viewer.only_user_id,
        led_project_ids=viewer.led_project_ids,
        **asdict(filters),
    )


def _check_user(viewer: Viewer, user_id: int | None) -> None:
    if user_id in (None, viewer.user.pk):
        return
    organization = viewer.organization
    keys = ApiKey.objects.for_organization(organization).filter(user_id=user_id)
    members = Membership.objects.for_organization(organization).filter(user_id=user_id)
    if not viewer.sees_everyone:
        # A lead sees those who spend in a led project, and a member nobody.
        keys = keys.filter(project_id__in=viewer.led_project_ids)
        members = members.none()
    if not (keys.exists() or members.exists()):
        raise NobodySeen(param="user")


def _check_project(viewer: Viewer, project_id: int | None) -> None:
    projects = Project.objects.for_organization(viewer.organization)
    if project_id is not None and not projects.filter(pk=project_id).exists():
        raise ProjectNotSeen(param="project")


def _check_key(viewer: Viewer, api_key_id: int | None) -> None:
    if api_key_id is None:
        return
    keys = ApiKey.objects.for_organization(viewer.organization).filter(pk=api_key_id)
    if not viewer.sees_everyone:
        keys = keys.filter(user=viewer.user) | keys.filter(project_id__in=viewer.led_project_ids)
    if not keys.exists():
        raise KeyNotSeen(param="key")
