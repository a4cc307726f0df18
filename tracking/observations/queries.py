"""Reads the figures that rules ask for, each kind for all organizations at once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from budgets.alerts.models import AlertRule
from budgets.alerts.operations import Figure
from budgets.alerts.wording import instant
from budgets.core.money import format_usd
from budgets.core.sql import read_sql
from budgets.tenancy.models import Organization
from tracking.anomalies.models import Anomaly
from tracking.anomalies.queries import calls_query, subject_names
from tracking.usage.terms import Days

ERRORS_OVER = timedelta(hours=1)
REFUSALS_OVER = timedelta(hours=1)
UNPRICED_OVER = timedelta(days=1)
# Of fewer calls a share says nothing.
LEAST_CALLS = 10
_QUARTER = timedelta(minutes=15)
_MOST_NAMED = 3

Figures = Mapping[int, Sequence[Figure]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The organizations that have rules of a kind, and of whom each wants to be told."""

    subjects: Mapping[int, frozenset[str]]

    @property
    def organizations(self) -> list[int]:
        """Their ids, in order."""
        return sorted(self.subjects)

    def told(self, figures: Iterator[tuple[int, Figure]]) -> Figures:
        """Keep what is asked for, by organization; one without anything has an empty list."""
        found: dict[int, list[Figure]] = {one: [] for one in self.organizations}
        for organization_id, figure in figures:
            if figure.subject_kind in self.subjects[organization_id]:
                found[organization_id].append(figure)
        return found


def wanted(*, kinds: Collection[str]) -> Wanted:
    """Find who has active rules of some kinds, and whether for all, one or each of what."""
    rules = AlertRule.objects.filter(kind__in=kinds, active=True)
    subjects: dict[int, set[str]] = defaultdict(set)
    for organization_id, scope, each in rules.values_list(
        "organization_id", "scope", "each"
    ).distinct():
        is_narrow = scope != AlertRule.Scope.ORGANIZATION
        subjects[organization_id].add(scope if is_narrow else each or scope)
    return Wanted({one: frozenset(kinds) for one, kinds in subjects.items()})


def error_rates(*, asked: Wanted, now: datetime) -> Figures:
    """Read which part of the last hour's calls failed, in percent; of fewer than ten nothing."""
    arguments: dict[str, Any] = {
        "organizations": asked.organizations,
        "since": _quarter(now) - ERRORS_OVER + _QUARTER,
        "least_calls": LEAST_CALLS,
    }
    rows = _rows("errors", arguments)
    by_tag = [one for one in asked.organizations if "tag" in asked.subjects[one]]
    if by_tag:
        since = {"organizations": by_tag, "since": now - ERRORS_OVER}
        rows += _rows("errors_by_tag", arguments | since)
    return asked.told((row[0], _error_rate(*row[1:])) for row in rows)


def refusals(*, asked: Wanted, now: datetime) -> Figures:
    """Count the refused calls of the last hour, with the reasons."""
    return asked.told(_refused(asked, now - REFUSALS_OVER, code=None))


def unpriced(*, asked: Wanted, now: datetime) -> Figures:
    """Count the last day's calls of each model that has no price."""
    # A rule for all is told of every model.
    of_models = Wanted({one: frozenset({"model"}) for one in asked.organizations})
    return of_models.told(_refused(asked, now - UNPRICED_OVER, code="model_not_priced"))


def providers_down(*, asked: Wanted, now: datetime) -> Figures:
    """Tell for how many minutes each provider has been left alone that an organization calls."""
    found: dict[int, list[Figure]] = {one: [] for one in asked.organizations}
    for organization_id, pk, name, label, since, models, code in _rows(
        "providers_down", {"organizations": asked.organizations, "now": now}
    ):
        minutes = Decimal(int((now - since).total_seconds())) / 60
        figure = Figure(
            "provider",
            str(pk),
            minutes,
            name=f"{name} ({label})" if label else name,
            facts=(("Models", _some(models)), ("Last failure", code)),
        )
        found[organization_id].append(figure)
    return found


def anomalies(*, asked: Wanted, now: datetime) -> Figures:
    """Tell by how many dollars what goes on is above the usual, with what explains it.

    Of an organization are told those that are no part of another; of a project, key or model its own.
    """
    rows = Anomaly.objects.filter(
        organization_id__in=asked.organizations, last_on__gte=now.date() - timedelta(days=2)
    ).select_related("organization")
    going = [row for row in rows.order_by("pk") if row.last_on >= _yesterday(row.organization, now)]
    return asked.told(_anomalies(going))


def _anomalies(rows: Sequence[Anomaly]) -> Iterator[tuple[int, Figure]]:
    subjects = [(row.subject_kind, row.subject) for row in rows if row.subject]
    names = subject_names(organization_ids={row.organization_id for row in rows}, subjects=subjects)
    words = {"api_key": "API key ", "project": "Project ", "model": "Model "}
    for row in rows:
        name = names.get((row.subject_kind, row.subject), "")
        if row.part_of_id is None:
            whole = "" if not row.subject else f"{row.subject_kind}:{row.subject}"
            told = words.get(row.subject_kind, "") + name
            yield row.organization_id, _anomaly(row, "organization", whole, told)
        if row.subject:
            yield row.organization_id, _anomaly(row, row.subject_kind, row.subject, name)


def _anomaly(row: Anomaly, kind: str, subject: str, name: str) -> Figure:
    organization = row.organization
    zone = organization.zone
    day = Days(row.began_on, row.began_on, zone).period
    span = f"{instant(row.starts_at, zone=zone)} to {instant(row.ends_at, zone=zone)}"
    return Figure(
        kind,
        subject,
        row.cost_usd - row.usual_usd,
        name=name,
        window_start=day.starts_at,
        facts=(
            ("Spent", f"{format_usd(row.cost_usd)} from {span}"),
            ("Usual", format_usd(row.usual_usd)),
            *(("Because of", sentence) for sentence in row.cause),
            ("Calls", f"{settings.COSTSITE_BASE_URL}/spending/calls/?{calls_query(anomaly=row)}"),
        ),
    )


def balance_days(*, asked: Sequence[Mapping[str, Any]], days: int) -> list[tuple[Any, ...]]:
    """Read what each of so many days before today cost, by the number of the balance asked for."""
    return _rows("budget_days", {"asked": json.dumps(asked), "days": days})


def _error_rate(kind: str, subject: str, calls: int, failed: int) -> Figure:
    return Figure(
        kind,
        subject,
        Decimal(failed) * 100 / calls,
        facts=(("Failed", f"{failed:,} of {calls:,} calls of the last hour"),),
    )


def _refused(asked: Wanted, since: datetime, *, code: str | None) -> Iterator[tuple[int, Figure]]:
    counts: dict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
    arguments = {"organizations": asked.organizations, "since": since, "code": code}
    for organization_id, project, user, key, model, reason, calls in _rows("refusals", arguments):
        for kind, subject in (
            ("organization", ""),
            ("project", project),
            ("user", user),
            ("api_key", key),
            ("model", model),
        ):
            counts[organization_id, kind, str(subject)][reason] += calls
    for (organization_id, kind, subject), reasons in counts.items():
        why = _some([f"{reason} ({calls:,})" for reason, calls in reasons.most_common()])
        yield (
            organization_id,
            Figure(kind, subject, Decimal(reasons.total()), facts=(("Refused for", why),)),
        )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _yesterday(organization: Organization, now: datetime) -> date:
    return now.astimezone(organization.zone).date() - timedelta(days=1)


def _quarter(now: datetime) -> datetime:
    return now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)


def _rows(name: str, arguments: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(read_sql("tracking.observations", name), arguments)
        return list(cursor.fetchall())
