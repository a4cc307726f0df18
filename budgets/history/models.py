"""The changes of every tracked table as one list."""

from __future__ import annotations

from pghistory.models import Events


class Change(Events):
    """One row that was inserted, changed or deleted. A list over all tables of changes."""

    class Meta:
        proxy = True
        verbose_name = "change of configuration"
        verbose_name_plural = "changes of configuration"

    def __str__(self) -> str:
        return f"{self.pgh_obj_model} {self.pgh_obj_id}, {self.pgh_label}"
