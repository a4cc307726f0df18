"""Which tables keep a history, and what of them is never kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pghistory
from django.db.models import Model

M = TypeVar("M", bound=Model)


def tracked(*, but: Sequence[str] = ()) -> Callable[[type[M]], type[M]]:
    """Keep every row that is inserted, changed or deleted in a table of its own, by triggers.

    So a queryset's update and plain SQL are caught too. The history takes no change. Fields in
    ``but`` are not kept: secrets, and what changes with every call. Hot tables are not tracked.
    """
    track: Callable[[type[M]], type[M]] = pghistory.track(
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        pghistory.DeleteEvent(),
        exclude=list(but) or None,
        # Who and where stands in the row itself: a row of its own could be changed afterwards.
        context_field=pghistory.ContextJSONField(),
        obj_field=pghistory.ObjForeignKey(related_name="events", related_query_name="+"),
        append_only=True,
    )
    return track
