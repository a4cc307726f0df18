"""Finds unusual spend, and keeps what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from budgets.core.money import quantize_usd
from budgets.tenancy.models import Organization
from tracking.anomalies.causes import Cause, Cell, cause_of, sentences
from tracking.anomalies.detect import GAP, Subject, Unusual, unusual_spans, whole_of
from tracking.anomalies.models import Anomaly
from tracking.anomalies.queries import (
    HOUR,
    Past,
    active_organizations,
    hour_begins,
    past_of,
    rates_at,
    repeats_in,
    subject_names,
)
from tracking.usage.terms import Days

# So many organizations are read at once: what they spent in two months stays in memory meanwhile.
BATCH = 50


def find_anomalies(*, now: datetime) -> int:
    """Look at every organization that spends; keep what is unusual, and give how many it was of.

    Doing it again, or twice at once, finds the same.
    """
    active, found = active_organizations(now=now), 0
    for begin in range(0, len(active), BATCH):
        organizations = list(Organization.objects.filter(pk__in=active[begin : begin + BATCH]))
        past = past_of(organizations=organizations, now=now)
        for organization in organizations:
            unusual = _unusual_of(organization, past, now)
            if unusual:
                _keep(organization, unusual, now)
                found += 1
    return found


def _unusual_of(organization: Organization, past: Past, now: datetime) -> list[Unusual]:
    begins = hour_begins(organization, now=now)
    return unusual_spans(
        days=past.days.get(organization.pk, {}),
        hours=past.hours.get(organization.pk, {}),
        today=now.astimezone(organization.zone).date(),
        hour_days={
            hour: (begins + hour * HOUR).astimezone(organization.zone).date() for hour in (0, -1)
        },
    )


def _keep(organization: Organization, unusual: Sequence[Unusual], now: datetime) -> None:
    """Go on with the anomalies that are known, and add the others, each as a part of one or not."""
    earliest = min(one.on for one in unusual) - GAP
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        rows = Anomaly.objects.for_organization(organization).filter(last_on__gte=earliest)
        known = {Subject(row.subject_kind, row.subject): row for row in rows.order_by("began_on")}
        wholes = [subject for subject, row in known.items() if row.part_of_id is None]
        for one in unusual:
            row = known.get(one.subject)
            if row is not None and row.last_on >= one.on - GAP:
                _go_on(organization, row, one, now)
                continue
            whole = whole_of(one=one, wholes=wholes)
            known[one.subject] = _begin(
                organization, one, None if whole is None else known[whole], now
            )
            if whole is None:
                wholes.append(one.subject)


def _begin(
    organization: Organization, one: Unusual, whole: Anomaly | None, now: datetime
) -> Anomaly:
    row = Anomaly(
        organization=organization,
        subject_kind=one.subject.kind,
        subject=one.subject.id[:160],
        part_of=whole,
        began_on=one.on,
        last_on=one.on,
        found_at=now,
    )
    _tell(organization, row, one, now)
    row.save()
    return row


def _go_on(organization: Organization, row: Anomaly, one: Unusual, now: datetime) -> None:
    """Take in a later day, and a span that is further above the usual than the worst so far."""
    is_worse = one.excess_usd > row.cost_usd - row.usual_usd
    if one.on <= row.last_on and not is_worse:
        return
    row.last_on = max(row.last_on, one.on)
    if is_worse:
        _tell(organization, row, one, now)
    row.save()


def _tell(organization: Organization, row: Anomaly, one: Unusual, now: datetime) -> None:
    span = _span(organization, one, now)
    cause = _cause(organization, one, span)
    names = subject_names(
        organization_ids=[organization.pk], subjects=[(who.kind, who.id) for who in cause.who]
    )
    row.starts_at, row.ends_at = span.starts_at, span.ends_at
    row.compared_with = span.like_at if one.weeks_ago else None
    row.cost_usd, row.usual_usd = quantize_usd(one.cost_usd), quantize_usd(one.usual_usd)
    row.cause = sentences(cause=cause, names=names)
    row.cause_kinds = [why.kind for why in cause.why]


@dataclass(frozen=True, slots=True)
class _Span:
    starts_at: datetime
    ends_at: datetime
    like_at: datetime


def _span(organization: Organization, one: Unusual, now: datetime) -> _Span:
    if one.hour is None:
        starts_at, ends_at = _day(organization, one.on)
    else:
        starts_at = hour_begins(organization, now=now) + one.hour * HOUR
        ends_at = starts_at + HOUR
    return _Span(starts_at, ends_at, starts_at - timedelta(weeks=one.weeks_ago))


def _day(organization: Organization, on: date) -> tuple[datetime, datetime]:
    period = Days(on, on, organization.zone).period
    assert period.ends_at is not None
    return period.starts_at, period.ends_at


def _cause(organization: Organization, one: Unusual, span: _Span) -> Cause:
    models = sorted({cell.model for cell in _both(one)})
    return cause_of(
        now=one.now,
        before=one.before,
        rates_now=rates_at(models=models, at=span.ends_at - timedelta(microseconds=1)),
        rates_before=rates_at(models=models, at=span.like_at),
        repeats=repeats_in(
            organization=organization,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            models=models,
        ),
    )


def _both(one: Unusual) -> set[Cell]:
    return {*one.now, *one.before}
