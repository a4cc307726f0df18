"""The whole of what a period cost, as one value: for the API, the command and whoever sends it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from budgets.alerts.queries import alert_lines
from budgets.core.money import ZERO_USD
from budgets.core.snapshot import one_snapshot
from budgets.tenancy.models import Organization
from tracking.usage.comparison import Efficiency, efficiency
from tracking.usage.names import Name, names_of
from tracking.usage.queries import figures_of, usage_of
from tracking.usage.terms import By, DayFigures, Days, Figures, ModelFigures, Slice, UserFigures

MOST_USERS = 20


@dataclass(frozen=True, slots=True)
class CostReport:
    """A period's cost in all, by day, model and person, what was got for it, and what was told."""

    days: Days
    total: Figures
    by_day: tuple[DayFigures, ...]
    by_model: tuple[ModelFigures, ...]
    by_user: tuple[UserFigures, ...]
    by_project: tuple[tuple[Name, Figures], ...]
    efficiency: tuple[Efficiency, ...]
    alerts: tuple[str, ...]

    @property
    def mean_day_usd(self) -> Decimal:
        """The mean cost of a day."""
        return self.total.cost_usd / len(self.by_day) if self.by_day else ZERO_USD


def cost_report(*, part: Slice, days: Days) -> CostReport:
    """Put together everything about a period, in one snapshot; people are the twenty dearest."""
    with one_snapshot():
        usage = usage_of(part=part, days=days)
        models = figures_of(part=part, days=days, by=By.MODEL)
        projects = figures_of(part=part, days=days, by=By.PROJECT)
        names = names_of(by=By.PROJECT, keys=[row.key for row in projects])
    return CostReport(
        days=days,
        total=usage.total,
        by_day=usage.days,
        by_model=usage.models,
        by_user=usage.users[:MOST_USERS],
        by_project=tuple((names[row.key], row.figures) for row in projects),
        efficiency=tuple(efficiency(row for row in models if row.figures.tokens)),
        alerts=told_alerts(part=part, days=days),
    )


def told_alerts(*, part: Slice, days: Days) -> tuple[str, ...]:
    """Give what people were told in these days, the worst first; of a person what is about them."""
    organization = Organization.objects.get(pk=part.organization_id)
    about = part.viewer_id or part.user_id
    return tuple(alert_lines(organization=organization, user_id=about, period=days.period))
