"""Names what a selection filters by, and refuses what its viewer may not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from budgets.tenancy.access import Viewer
from budgets.tenancy.models import ApiKey, Membership, Project, User
from tracking.spending.selection import GROUPS, Selection, SelectionInvalid
from tracking.usage.terms import By

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that holds: the parameter to drop for taking it off, and what it lets through."""

    param: str
    label: str
    value: str


def named_filters(*, viewer: Viewer, selection: Selection) -> tuple[Filter, ...]:
    """Name what a selection filters by.

    :raises SelectionInvalid: if one of them is not the viewer's to see, or does not exist: the
        answer is the same
    """
    filters = []
    if selection.user_id is not None:
        filters.append(Filter("user", "Person", _user(viewer, selection.user_id).get_full_name()))
    if selection.project_id is not None:
        filters.append(Filter("project", "Project", _project(viewer, selection.project_id).name))
    if selection.api_key_id is not None:
        filters.append(Filter("key", "API key", _api_key(viewer, selection.api_key_id).name))
    filters += [Filter(param, GROUPS[By(param)], value) for param, value in selection.names.items()]
    return tuple(filters)


def _user(viewer: Viewer, user_id: int) -> User:
    """Find a person of the organization: a member, or somebody who has a key and left."""
    if user_id == viewer.user.pk:
        return viewer.user
    organization = viewer.organization
    keys = ApiKey.objects.for_organization(organization).filter(user_id=user_id)
    if viewer.sees_everyone:
        members = Membership.objects.for_organization(organization).filter(user_id=user_id)
        may_be_seen = members.exists() or keys.exists()
    else:
        may_be_seen = keys.filter(project_id__in=viewer.led_project_ids).exists()
    return _found(User.objects.filter(pk=user_id).first() if may_be_seen else None, "person")


def _project(viewer: Viewer, project_id: int) -> Project:
    projects = Project.objects.for_organization(viewer.organization)
    return _found(projects.filter(pk=project_id).first(), "project")


def _api_key(viewer: Viewer, api_key_id: int) -> ApiKey:
    keys = ApiKey.objects.for_organization(viewer.organization)
    if not viewer.sees_everyone:
        keys = keys.filter(user=viewer.user) | keys.filter(project_id__in=viewer.led_project_ids)
    return _found(keys.filter(pk=api_key_id).first(), "API key")


def _found(found: T | None, what: str) -> T:
    if found is None:
        raise SelectionInvalid(f"There is no {what} of that number whose spend you may see.")
    return found
