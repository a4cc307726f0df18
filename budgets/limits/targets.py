"""Whom a budget or a balance is for, in words that people know instead of ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from budgets.core.errors import DomainError
from budgets.limits.models import Budget
from budgets.tenancy.keys import id_in
from budgets.tenancy.models import ApiKey, Membership, Organization, Project, User

Subject = tuple[str, str]
"""What kind of thing (a scope of budgets), and its id as text."""


class TargetUnknown(DomainError):
    """The organization has no such member (e-mail address), project (slug) or API key (its id)."""

    code = "value_out_of_range"


def target_named(*, organization: Organization, scope: str, name: str) -> str:
    """Find what a budget of a scope stores for a member's e-mail address, a project's slug, the
    id in an API key, or a tag.

    :raises TargetUnknown: if the organization has nothing of that name
    """
    ids = {
        Budget.Scope.USER: Membership.objects.for_organization(organization)
        .filter(user__email__iexact=name)
        .values_list("user", flat=True),
        Budget.Scope.PROJECT: Project.objects.for_organization(organization)
        .filter(slug=name)
        .values_list("pk", flat=True),
        Budget.Scope.API_KEY: ApiKey.objects.for_organization(organization)
        .filter(lookup_id=id_in(name))
        .values_list("pk", flat=True),
    }
    if scope not in ids or not name:
        return name
    found = ids[Budget.Scope(scope)].first()
    if found is None:
        raise TargetUnknown
    return str(found)


def names_of(*, subjects: Iterable[Subject]) -> dict[Subject, str]:
    """Name subjects as target_named() takes them, in one query a kind; tags and models are names."""
    by_kind: dict[str, set[str]] = defaultdict(set)
    for kind, text in subjects:
        by_kind[kind].add(text)
    named = {(kind, text): text for kind, texts in by_kind.items() for text in texts}
    for kind, model, field in (
        ("user", User, "email"),
        ("project", Project, "slug"),
        ("api_key", ApiKey, "lookup_id"),
    ):
        ids = [int(text) for text in by_kind[kind] if text.isdecimal()]
        if ids:
            rows = model._default_manager.filter(pk__in=ids).values_list("pk", field)  # noqa: SLF001
            named |= {(kind, str(pk)): name for pk, name in rows}
    return named
