"""Whose spend somebody may see."""

from __future__ import annotations

import pytest

from budgets.tenancy.access import NoMembership, OrganizationNotFound, viewer_of
from budgets.tenancy.models import Membership
from tests import make

pytestmark = pytest.mark.django_db


def test_opens_the_first_organization_by_name_and_any_other_by_its_slug() -> None:
    alice = make.user()
    zeta = make.organization(slug="zeta")
    acme = make.organization(slug="acme")

    assert viewer_of(user=alice, slug=None).organization == acme
    assert viewer_of(user=alice, slug="zeta").organization == zeta
    assert viewer_of(user=alice, slug="zeta").organizations == (acme, zeta)


@pytest.mark.parametrize(
    ("role", "sees_everyone"),
    [("owner", True), ("admin", True), ("viewer", True), ("lead", False), ("member", False)],
)
def test_shows_everyone_to_those_who_answer_for_it(role: str, *, sees_everyone: bool) -> None:
    bob = make.member(of=make.organization(), role=role)

    viewer = viewer_of(user=bob, slug="acme")

    assert viewer.sees_everyone == sees_everyone
    assert viewer.only_user_id == (None if sees_everyone else bob.pk)


def test_decides_about_every_role() -> None:
    assert len(Membership.Role) == 5


def test_hides_an_organization_from_strangers_as_if_it_did_not_exist() -> None:
    make.organization()
    carol = make.user(name="carol", is_staff=True, is_superuser=True)
    make.organization(slug="globex", owner=carol)

    for slug in ("acme", "nowhere"):
        with pytest.raises(OrganizationNotFound):
            viewer_of(user=carol, slug=slug)


def test_has_nothing_for_who_belongs_nowhere() -> None:
    make.organization()

    with pytest.raises(NoMembership):
        viewer_of(user=make.user(name="carol", is_superuser=True), slug=None)
