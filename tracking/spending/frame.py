"""What every page shows around its figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Project
from tracking.spending.filters import Filter
from tracking.spending.selection import GROUPS, Selection


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its figures: who looks at what, since when, by which clock."""

    viewer: Viewer
    selection: Selection
    filters: tuple[Filter, ...]
    projects: tuple[Project, ...]
    now: datetime
    zone_name: str

    @property
    def api_params(self) -> dict[str, str]:
        """Write the selection as the API asks for it: always by its days."""
        days, given = self.selection.days, self.selection.params
        return {
            "organization": self.viewer.organization.slug,
            "from": days.first_on.isoformat(),
            "to": days.last_on.isoformat(),
            **{name: text for name, text in given.items() if name in _SHARED},
        }


# The parameters that the page and the API share.
_SHARED = frozenset({"user", "project", "key", "compare", *(by.value for by in GROUPS)})
