"""Reads what anomalies are told from, and those that were found."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import Q, QuerySet

from budgets.core.sql import read_sql
from budgets.limits.targets import names_of
from budgets.tenancy.models import ApiKey, Organization
from tracking.anomalies.baseline import MOST_DAYS, MOST_WEEKS
from tracking.anomalies.causes import Cell, Cells, Rates, Repeats, TokenRates
from tracking.anomalies.models import Anomaly
from tracking.pricing.models import Price
from tracking.usage.terms import Days, Figures, Slice

HOUR = timedelta(hours=1)
_ACTIVE_WITHIN = timedelta(hours=3)

OfDays = Mapping[date, Cells]
OfHours = Mapping[tuple[int, int], Cells]


@dataclass(frozen=True, slots=True)
class Past:
    """What some organizations have spent, by organization: by day, and around this hour."""

    days: Mapping[int, OfDays]
    hours: Mapping[int, OfHours]


def active_organizations(*, now: datetime) -> list[int]:
    """List the organizations that have spent in the last hours."""
    return [row[0] for row in _rows("active", {"since": now - _ACTIVE_WITHIN})]


def past_of(*, organizations: Sequence[Organization], now: datetime) -> Past:
    """Read what organizations have spent, in two queries for all of them."""
    days = [
        {"organization": one.pk, "today": now.astimezone(one.zone).date().isoformat()}
        for one in organizations
    ]
    hours = [
        {"organization": one.pk, "hour": hour_begins(one, now=now).isoformat()}
        for one in organizations
    ]
    of_days: dict[int, dict[date, dict[Cell, Figures]]] = defaultdict(lambda: defaultdict(dict))
    for row in _rows("days", {"asked": json.dumps(days), "days": MOST_DAYS + 1}):
        of_days[row[0]][row[4]][Cell(*row[1:4])] = Figures(*row[5:])
    of_hours: dict[int, dict[tuple[int, int], dict[Cell, Figures]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in _rows("hours", {"asked": json.dumps(hours), "weeks": MOST_WEEKS}):
        of_hours[row[0]][row[4], row[5]][Cell(*row[1:4])] = Figures(*row[6:])
    return Past(of_days, of_hours)


def hour_begins(organization: Organization, *, now: datetime) -> datetime:
    """Give the instant at which this hour of an organization's clock began."""
    local = now.astimezone(organization.zone)
    return now - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def rates_at(*, models: Sequence[str], at: datetime) -> Rates:
    """Read what tokens of models cost at an instant; models that are not charged by them lack."""
    prices = Price.objects.in_force(at).filter(model__name__in=models).select_related("model")
    found = {}
    for price in prices:
        per_unit = price.parsed_rates().per_unit
        if "input" in per_unit and "output" in per_unit:
            cached = per_unit.get("cached_input", per_unit["input"])
            found[price.model.name] = TokenRates(per_unit["input"], cached, per_unit["output"])
    return found


def repeats_in(
    *, organization: Organization, starts_at: datetime, ends_at: datetime, models: Sequence[str]
) -> Repeats:
    """Count the calls of a span whose prompt had been sent before in it."""
    arguments = {
        "organization": organization.pk,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "models": list(models),
    }
    return Repeats(*_rows("repeats", arguments)[0])


def subject_names(
    *, organization_ids: Collection[int], subjects: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Name projects by their slugs and keys by the names that people gave them, for all at once."""
    named = names_of(subjects=subjects)
    ids = [int(text) for kind, text in subjects if kind == "api_key"]
    keys = ApiKey.objects.filter(organization_id__in=organization_ids, pk__in=ids)
    return named | {("api_key", str(pk)): name for pk, name in keys.values_list("pk", "name")}


def calls_query(*, anomaly: Anomaly) -> str:
    """Write the filters that show an anomaly's calls, as the list of calls takes them."""
    params = {"project": "project", "api_key": "key", "model": "model"}
    asked = {
        "organization": anomaly.organization.slug,
        "from": anomaly.began_on.isoformat(),
        "to": anomaly.last_on.isoformat(),
    }
    if anomaly.subject_kind in params:
        asked[params[anomaly.subject_kind]] = anomaly.subject
    return urlencode(asked)


def anomalies_of(*, part: Slice, days: Days) -> QuerySet[Anomaly]:
    """Read the anomalies of a slice that touch some days, the newest first.

    Of the whole organization those that are no part of another; of a project, key or model its own,
    and what is part of them. Whoever sees only their own calls sees those of their own keys, and of the
    projects that they lead.
    """
    found: QuerySet[Anomaly] = Anomaly.objects.filter(
        organization_id=part.organization_id, began_on__lte=days.last_on, last_on__gte=days.first_on
    )
    found = found.filter(_whose(part)).select_related("organization")
    return found.order_by("-began_on", "-cost_usd", "pk")


def _whose(part: Slice) -> Q:
    asked = {
        "project": part.project_id,
        "api_key": part.api_key_id,
        "model": part.model,
    }
    narrowed = [(kind, str(value)) for kind, value in asked.items() if value is not None]
    others = (part.user_id, part.provider, part.endpoint, part.tag, part.session, part.end_user)
    if len(narrowed) > 1 or any(other is not None for other in others):
        return Q(pk__in=())
    whose = Q(part_of=None)
    if narrowed:
        whose = Q(subject_kind=narrowed[0][0], subject=narrowed[0][1])
    if part.viewer_id is None:
        return whose
    keys = ApiKey.objects.filter(organization_id=part.organization_id, user_id=part.viewer_id)
    seen = Q(
        subject_kind="api_key", subject__in=[str(pk) for pk in keys.values_list("pk", flat=True)]
    )
    led = [str(pk) for pk in part.led_project_ids]
    seen |= Q(subject_kind="project", subject__in=led)
    return seen & whose if narrowed else seen


def _rows(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.anomalies", name), arguments)
        return list(cursor.fetchall())
