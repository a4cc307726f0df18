"""Changes, with the names of who made them and of what they were about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Field, ForeignKey, Model, QuerySet, TextField
from django.db.models.functions import Cast

from budgets.history.models import Change

DID = {"insert": "added", "update": "changed", "delete": "deleted", "begin": "history begins"}
# Every save moves these; that is said by the change itself.
_UNTOLD = frozenset({"id", "created_at", "updated_at"})

Value = str | None


@dataclass(frozen=True, slots=True)
class Told:
    """One change in words: ``lines`` are field, value before, value after."""

    at: datetime
    by: str
    did: str
    model: type[Model]
    row_id: str
    name: str
    page: str
    lines: Sequence[tuple[str, Value, Value]]


def changes() -> QuerySet[Change]:
    """Read the changes of all tracked tables, the newest first."""
    # Read as text: amounts would lose their last places on the way through a float.
    told = {name: Cast(f"pgh_{name}", TextField()) for name in ("data", "diff")}
    everything: QuerySet[Change] = Change.objects.annotate(**told)
    return everything.order_by("-pgh_created_at", "-pgh_slug")


def changes_of(row: Model) -> QuerySet[Change]:
    """Read the changes of one row of a tracked table, the newest first."""
    of_one: QuerySet[Change] = changes().tracks(row)  # type: ignore[attr-defined]
    return of_one


def tell(rows: Iterable[Any]) -> list[Told]:
    """Put changes into words; names are looked up at once for all of them."""
    read = [(row, apps.get_model(row.pgh_obj_model), _values(row)) for row in rows]
    names = _names(read)
    people = get_user_model()
    return [
        Told(
            at=row.pgh_created_at,
            by=names.get((people, _context(row, "user")), "-"),
            did=DID.get(row.pgh_label, row.pgh_label),
            model=model,
            row_id=row.pgh_obj_id,
            name=str(json.loads(row.data).get("name") or f"no. {row.pgh_obj_id}"),
            page=_context(row, "url") or "-",
            lines=[
                (field.verbose_name, *(_word(field, value, names) for value in pair))
                for field, pair in values
            ],
        )
        for row, model, values in read
    ]


_Pairs = list[tuple[Any, tuple[Any, Any]]]


def _values(row: Any) -> _Pairs:
    """Give each field that changed with its value before and after."""
    model = apps.get_model(row.pgh_obj_model)
    fields = {field.column: field for field in model._meta.concrete_fields}  # noqa: SLF001  Django's documented name.
    if row.pgh_label == "update":
        pairs = json.loads(row.diff, parse_float=Decimal) if row.diff else {}
    elif row.pgh_label in ("insert", "delete"):
        data = json.loads(row.data, parse_float=Decimal)
        is_new = row.pgh_label == "insert"
        pairs = {
            name: (None, value) if is_new else (value, None)
            for name, value in data.items()
            if value not in (None, "", [])
        }
    else:
        pairs = {}
    known = [(fields[name], pair) for name, pair in pairs.items() if name in fields]
    told = [(field, (pair[0], pair[1])) for field, pair in known if field.name not in _UNTOLD]
    return sorted(told, key=lambda one: str(one[0].verbose_name))


def _names(read: Sequence[tuple[Any, type[Model], _Pairs]]) -> dict[tuple[Any, Any], str]:
    """Look up the names of people and of the rows that values refer to: a query for each table."""
    wanted: dict[Any, set[Any]] = {get_user_model(): {_context(row, "user") for row, *_ in read}}
    for _, _, values in read:
        for field, pair in values:
            if isinstance(field, ForeignKey):
                wanted.setdefault(field.related_model, set()).update(pair)
    return {
        (model, row.pk): str(row)
        for model, ids in wanted.items()
        for row in model._base_manager.filter(pk__in=ids - {None})  # noqa: SLF001  Django's documented name.
    }


def _word(field: Field[Any, Any], value: Any, names: dict[tuple[Any, Any], str]) -> Value:
    """Write one value as people read it."""
    if value in (None, "", []):
        return None
    if isinstance(field, ForeignKey):
        return names.get((field.related_model, value), f"no. {value}")
    if field.flatchoices:
        return str(dict(field.flatchoices).get(value, value))
    return _plain(value)


def _plain(value: Any) -> str:
    """Write a value that no other row and no list of choices explains, and what lies in it."""
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, dict):
        said = {name: one for name, one in value.items() if one not in (None, "", [])}
        return "; ".join(f"{name}: {_plain(one)}" for name, one in said.items())
    return str(value)


def _context(row: Any, name: str) -> Any:
    return (row.pgh_context or {}).get(name)
