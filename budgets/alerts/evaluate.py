"""When somebody is to be told: thresholds, crossings, quiet hours, retries. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

LEVELS = ("info", "warning", "critical")

# A budget's own thresholds name no level.
_CRITICAL_PERCENT, _WARNING_PERCENT = 100, 80

# Waits before the second, third ... try; the last one goes on until the time for tries is over.
_WAITS_S = (15, 60, 300, 900, 1800, 3600, 7200, 14400, 21600)
TRIES_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A figure at which somebody is told, and how loudly."""

    at: Decimal
    level: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from a figure: the threshold to tell, and those that no longer hold."""

    opens: Threshold | None
    recovered: frozenset[Decimal]


def thresholds_of(
    *, info_at: Iterable[Decimal], warning_at: Iterable[Decimal], critical_at: Iterable[Decimal]
) -> list[Threshold]:
    """List thresholds from the lowest; one that is on several levels has the highest of them."""
    levels: dict[Decimal, str] = {}
    for level, figures in zip(LEVELS, (info_at, warning_at, critical_at), strict=True):
        levels |= {Decimal(figure): level for figure in figures}
    return [Threshold(at, levels[at]) for at in sorted(levels)]


def thresholds_of_budget(percentages: Iterable[int]) -> list[Threshold]:
    """List a budget's own thresholds in percent: critical from 100, a warning from 80."""
    return [
        Threshold(
            Decimal(percent),
            "critical"
            if percent >= _CRITICAL_PERCENT
            else "warning"
            if percent >= _WARNING_PERCENT
            else "info",
        )
        for percent in sorted(set(percentages))
    ]


def judge(
    *,
    thresholds: Sequence[Threshold],
    value: Decimal | None,
    before: Decimal | None,
    open_at: Collection[Decimal],
    falls: bool = False,
) -> Judgement:
    """Compare a figure with the one seen before it.

    A threshold is crossed when the figure has reached it and the one before had not; of several
    only the worst is told. ``before`` None is a subject, window or rule that is new: then whatever
    is reached was crossed. ``value`` None says that all is well. ``falls`` reads less as worse.
    """
    if value is None:
        return Judgement(None, frozenset(open_at))
    sign = -1 if falls else 1
    reached = [one for one in thresholds if sign * value >= sign * one.at]
    recovered = frozenset(open_at) - {one.at for one in reached}
    crossed = [one for one in reached if before is None or sign * before < sign * one.at]
    worst = max(crossed, key=lambda one: sign * one.at, default=None)
    # With nothing to compare with, a threshold below one that was told already is no news.
    is_news = worst is not None and not any(sign * at >= sign * worst.at for at in open_at)
    return Judgement(worst if is_news else None, recovered)


def quiet_until(
    *, starts: time | None, ends: time | None, zone: ZoneInfo, now: datetime
) -> datetime | None:
    """Give the end of the quiet hours that hold now, in an organization's zone; None if none hold.

    They may pass midnight. On a night when clocks change they end by the clock on the wall.
    """
    if starts is None or ends is None or starts == ends:
        return None
    local = now.astimezone(zone)
    wall = local.time()
    if starts < ends:
        is_quiet, days = starts <= wall < ends, 0
    else:
        is_quiet, days = wall >= starts or wall < ends, int(wall >= starts)
    if not is_quiet:
        return None
    end = datetime.combine(local.date() + timedelta(days=days), ends, tzinfo=zone)
    return max(end.astimezone(now.tzinfo), now)


def wait_before_next_try(*, attempts: int, jitter: float) -> timedelta:
    """Give the wait after so many tries; ``jitter`` from 0 to 1 spreads it by a fifth."""
    wait_s = _WAITS_S[min(attempts, len(_WAITS_S)) - 1]
    return timedelta(seconds=wait_s * (0.9 + 0.2 * jitter))
