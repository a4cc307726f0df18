"""What every page shows around its figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Project
from tracking.spending.filters import Filter
from tracking.spending.selection import Selection


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its figures: who looks at what, since when, by which clock."""

    viewer: Viewer
    selection: Selection
    filters: tuple[Filter, ...]
    projects: tuple[Project, ...]
    now: datetime
    zone_name: str
