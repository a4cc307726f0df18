"""Hands figures in: each kind for all organizations that have a rule of it, in a few statements."""

from __future__ import annotations

from datetime import datetime, timedelta

from budgets.alerts.operations import observe_all
from tracking.gateway.models import RefusedCalls
from tracking.observations import queries
from tracking.observations.outlooks import outlooks

# So many organizations' budgets are forecast at once.
BATCH = 200
_REFUSALS_KEPT = timedelta(days=35)

_READ = {
    "error_rate": queries.error_rates,
    "refusals": queries.refusals,
    "unpriced": queries.unpriced,
    "provider_down": queries.providers_down,
    "anomaly": queries.anomalies,
}


def hand_in(*, now: datetime) -> int:
    """Hand in failures, refusals, models without a price, providers that are down, and anomalies.

    Gives how many figures there were. Whoever is not among them is well.
    """
    handed_in = 0
    for kind, read in _READ.items():
        asked = queries.wanted(kinds=[kind])
        if asked.subjects:
            figures = read(asked=asked, now=now)
            observe_all(kind=kind, figures=figures, now=now, is_all=True)
            handed_in += sum(len(some) for some in figures.values())
    return handed_in


def hand_in_outlooks(*, now: datetime) -> int:
    """Hand in where dollar budgets are heading; give how many figures there were.

    A balance that nothing can be told of is left as it was: then nothing is known of it.
    """
    asked, handed_in = queries.wanted(kinds=["forecast", "runs_out"]), 0
    everyone = asked.organizations
    for begin in range(0, len(everyone), BATCH):
        batch = {one: asked.subjects[one] for one in everyone[begin : begin + BATCH]}
        for kind, figures in outlooks(asked=queries.Wanted(batch), now=now).items():
            observe_all(kind=kind, figures=figures, now=now)
            handed_in += sum(len(some) for some in figures.values())
    return handed_in


def sweep_refusals(*, now: datetime) -> int:
    """Delete counts of refused calls that nothing reads any more; give their number."""
    return RefusedCalls.objects.filter(starts_at__lt=now - _REFUSALS_KEPT).delete()[0]
