"""Everything that is sealed, sealed anew with the first of the site's keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.db.models import BinaryField, Model

from budgets.core.sealing import CredentialUnreadable, reseal


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of one table's sealed column, in numbers of rows."""

    table: str
    resealed: int
    unreadable: int


def rotate_secrets() -> list[Rotated]:
    """Seal every stored secret anew with the first of the site's keys; rows that no key opens stay.

    A secret that somebody changes meanwhile is left to them: theirs is sealed with that key too.
    Doing it again does nothing.
    """
    return [_rotate(model, column) for model, column in sealed_columns()]


def sealed_columns() -> Iterator[tuple[type[Model], str]]:
    """List where secrets are kept: every binary column whose name begins with "sealed"."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:  # noqa: SLF001  Django's documented name.
            if isinstance(column, BinaryField) and column.name.startswith("sealed"):
                yield model, column.name


def _rotate(model: type[Model], column: str) -> Rotated:
    resealed = unreadable = 0
    rows = model._base_manager.exclude(**{column: b""})  # noqa: SLF001  Django's documented name.
    for pk, sealed in rows.values_list("pk", column).iterator(chunk_size=500):
        try:
            anew = reseal(sealed=bytes(sealed), secrets=settings.COSTSITE_CREDENTIAL_KEYS)
        except CredentialUnreadable:
            unreadable += 1
            continue
        if anew is not None:
            resealed += rows.filter(pk=pk, **{column: bytes(sealed)}).update(**{column: anew})
    return Rotated(str(model._meta.verbose_name_plural), resealed, unreadable)  # noqa: SLF001  Django's documented name.
