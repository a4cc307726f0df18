"""What the ids of people, projects and keys are called."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from budgets.tenancy.models import ApiKey, Project, User
from tracking.usage.terms import By


@dataclass(frozen=True, slots=True)
class Name:
    """What a key of figures is called; ``detail`` tells two of one name apart."""

    key: str
    name: str
    detail: str = ""


def names_of(*, by: By, keys: Collection[str]) -> dict[str, Name]:
    """Name the keys of figures: ids by what they stand for, everything else by itself.

    The keys must come from figures of one organization: they are not filtered again.
    """
    if by == By.USER:
        users = User.objects.in_bulk([int(key) for key in keys])
        return {str(pk): Name(str(pk), row.get_full_name(), row.email) for pk, row in users.items()}
    if by == By.PROJECT:
        projects = Project.objects.in_bulk([int(key) for key in keys])
        return {str(pk): Name(str(pk), row.name, row.slug) for pk, row in projects.items()}
    if by == By.API_KEY:
        api_keys = ApiKey.objects.in_bulk([int(key) for key in keys])
        return {str(pk): Name(str(pk), row.name, row.masked) for pk, row in api_keys.items()}
    return {key: Name(key, key) for key in keys}
