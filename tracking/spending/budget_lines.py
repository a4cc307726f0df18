"""Budgets as people read them: for whom, how much of it is gone, when it starts anew. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from budgets.limits.queries import Standing

_NEARLY_PERCENT = 80
_UNITS = {"requests": "requests", "tokens": "tokens", "in_flight": "requests in flight"}


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget in its current window; amounts in its unit, widths in percent of a bar."""

    budget_id: int
    name: str
    whose: str
    unit: str
    window: str
    limit: Decimal
    spent: Decimal
    held: Decimal
    left: Decimal
    blocks: bool
    spent_percent: str
    spent_width: str
    held_width: str
    state: str
    resets_at: datetime | None
    resets_in: str

    @property
    def is_money(self) -> bool:
        """Whether the budget is in dollars; all others are rate limits."""
        return self.unit == "usd"

    @property
    def used(self) -> Decimal:
        """What is spent or held: for a rate limit there is no difference to people."""
        return self.spent + self.held

    @property
    def unit_text(self) -> str:
        """The unit as people say it."""
        return _UNITS.get(self.unit, self.unit)


def budget_lines(
    *,
    standings: Sequence[Standing],
    names: Mapping[str, str],
    zone: ZoneInfo,
    now: datetime,
) -> list[BudgetLine]:
    """Write standings for people; ``names`` says who or what each subject and scope is."""
    return [_line(standing, names, zone, now) for standing in standings]


def first_to_bind(*, standings: Iterable[Standing], shared_only: bool) -> Standing | None:
    """Choose the dollar budget that matters most: it blocks rather than warns, least is left.

    Budgets on some models or tags only are passed over, since other calls go on without them.
    ``shared_only`` passes over those that each person has for themselves.
    """
    general = [
        standing
        for standing in standings
        if standing.unit == "usd"
        and not standing.model_pattern
        and standing.each not in ("model", "tag")
        and not (shared_only and (standing.each or standing.scope != "organization"))
    ]
    return min(general, key=lambda standing: (not standing.blocks, standing.left), default=None)


def span_text(span: timedelta) -> str:
    """Write how long something lasts in its two largest units: ``9 d 4 h``, ``4 h 12 min``."""
    minutes = max(int(span.total_seconds()) // 60, 0)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else "less than a minute"


def percent_text(part: Decimal, *, of: Decimal) -> str:
    """Write a part of a whole in percent with one place; what is not nothing is not ``0.0 %``."""
    if of <= 0 or part <= 0:
        return "0 %"
    percent = part * 100 / of
    return "< 0.1 %" if percent < Decimal("0.1") else f"{percent:.1f} %"


def _line(
    standing: Standing, names: Mapping[str, str], zone: ZoneInfo, now: datetime
) -> BudgetLine:
    resets_at = standing.resets_at(zone=zone)
    # Past the limit, the bar is full: what was spent takes its share first.
    spent = min(_percent(standing.spent, standing.limit), Decimal(100))
    held = min(_percent(standing.held, standing.limit), 100 - spent)
    return BudgetLine(
        budget_id=standing.budget_id,
        name=standing.name,
        whose=_whose(standing, names),
        unit=standing.unit,
        window="in total" if standing.window == "total" else f"per {standing.window}",
        limit=standing.limit,
        spent=standing.spent,
        held=standing.held,
        left=standing.left,
        blocks=standing.blocks,
        spent_percent=percent_text(standing.spent, of=standing.limit),
        spent_width=f"{spent:.3f}%",
        held_width=f"{held:.3f}%",
        state=_state(standing),
        resets_at=resets_at,
        resets_in=span_text(resets_at - now) if resets_at else "",
    )


def _percent(part: Decimal, limit: Decimal) -> Decimal:
    return part * 100 / limit if limit > 0 else Decimal(100)


def _state(standing: Standing) -> str:
    if standing.left <= 0:
        return "used up" if standing.spent >= standing.limit else "all in flight"
    used = _percent(standing.spent + standing.held, standing.limit)
    return "nearly used up" if used >= _NEARLY_PERCENT else "within limit"


def _whose(standing: Standing, names: Mapping[str, str]) -> str:
    if standing.each in ("model", "tag"):
        who = f"{standing.each} {standing.subject}"
    else:
        who = names[standing.each or standing.scope]
    return f"{who}, only {standing.model_pattern}" if standing.model_pattern else who
