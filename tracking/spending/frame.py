"""What every page shows around its figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from budgets.tenancy.access import Viewer
from budgets.tenancy.models import ApiKey, Project, User
from tracking.spending.filters import Filter
from tracking.spending.selection import GROUPS, NAMES, Selection
from tracking.usage.terms import By


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its figures: who looks at what, since when, by which clock."""

    viewer: Viewer
    selection: Selection
    filters: tuple[Filter, ...]
    projects: tuple[Project, ...]
    people: tuple[User, ...]
    api_keys: tuple[ApiKey, ...]
    now: datetime
    zone_name: str

    @property
    def filter_names(self) -> tuple[str, ...]:
        """The parameters that the form of filters sends."""
        return ("project", "user", "key", "before", *NAMES)

    @property
    def name_filters(self) -> list[tuple[str, str, str]]:
        """The filters that are names: parameter, label, and the present value."""
        given = self.selection.names
        return [(name, GROUPS[By(name)], given.get(name, "")) for name in NAMES]

    @property
    def is_live(self) -> bool:
        """Whether the figures may still change by themselves: the days hold today."""
        return self.now in self.selection.days.period

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
