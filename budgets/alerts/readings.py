"""The figures of rules: from balances, the journal, keys, and what was handed in. Locks nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from budgets.alerts.evaluate import Threshold, thresholds_of_budget
from budgets.alerts.kinds import FROM_BALANCES, FROM_JOURNAL, OBSERVED, TRAITS
from budgets.alerts.models import AlertRule, Observation
from budgets.alerts.wording import figure
from budgets.core.clock import Period
from budgets.core.money import quantize_usd
from budgets.core.sql import read_sql
from budgets.limits.models import Budget
from budgets.limits.periods import window_at
from budgets.limits.targets import names_of
from budgets.tenancy.callers import matches
from budgets.tenancy.models import ApiKey

# Who hands figures in does so every few minutes; older ones say nothing about now.
FRESH_FOR = timedelta(minutes=15)
RATE_OVER = timedelta(hours=1)
UNCONFIRMED_OVER = timedelta(days=1)
_HOUR = Decimal(3600)
_DAY = Decimal(86_400)


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure of one subject; ``value`` None says that all is well.

    ``whom`` and ``id`` say what the subject is; ``window_start`` is None where a figure has no window.
    ``thresholds`` are the subject's own, for a rule that has none.
    """

    subject: str
    whom: str
    id: str
    name: str
    value: Decimal | None
    unit: str
    limit: Decimal | None = None
    window: str = ""
    window_start: datetime | None = None
    window_ends_at: datetime | None = None
    user_id: int | None = None
    thresholds: Sequence[Threshold] = ()
    facts: Sequence[Sequence[str]] = ()


Readings = dict[int, list[Reading]]


def readings_of(*, rules: Sequence[AlertRule], now: datetime) -> Readings:
    """Read the figures of rules, by the rule's id, in a query or two for each kind of source."""
    found: Readings = defaultdict(list)
    for kinds, read in _SOURCES:
        of_kind = [rule for rule in rules if rule.kind in kinds]
        if of_kind:
            for rule_id, reading in read(of_kind, now):
                found[rule_id].append(reading)
    return _named(found)


def balances_of(*, organizations: Sequence[int], now: datetime) -> dict[int, list[BalanceNow]]:
    """Read the balances of organizations in the windows that hold now, in one query for all."""
    with connection.cursor() as cursor:
        cursor.execute(
            read_sql("budgets.alerts", "balances"),
            {"organizations": list(organizations), "now": now},
        )
        rows = cursor.fetchall()
    found: dict[int, list[BalanceNow]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(BalanceNow(*row[1:]))
    return found


def _from_balances(rules: Sequence[AlertRule], now: datetime) -> Iterator[tuple[int, Reading]]:
    organizations = sorted({rule.organization_id for rule in rules})
    by_organization = balances_of(organizations=organizations, now=now)
    for rule in rules:
        for balance in by_organization.get(rule.organization_id, ()):
            if balance.is_watched_by(rule):
                yield rule.pk, balance.reading(rule)


def _is_of_budget(rule: AlertRule, budget: Budget | BalanceNow, subject: str) -> bool:
    """Tell whether a rule is about a budget, or about one subject of a budget for each."""
    if rule.budget_id is not None:
        own_id = budget.budget_id if isinstance(budget, BalanceNow) else budget.pk
        return rule.budget_id == own_id
    if rule.each:
        return rule.each == (budget.each or budget.scope)
    if rule.scope == AlertRule.Scope.ORGANIZATION:
        return True
    return (rule.scope, rule.target) in ((budget.scope, budget.target), (budget.each, subject))


@dataclass(frozen=True, slots=True)
class BalanceNow:
    """A balance in the window that holds now, with its budget and the limit that holds now."""

    budget_id: int
    name: str
    unit: str
    scope: str
    target: str
    each: str
    model_pattern: str
    subject: str
    window: str
    window_start: datetime
    thresholds: list[int]
    blocks: bool
    limit: Decimal
    spent: Decimal

    def is_watched_by(self, rule: AlertRule) -> bool:
        """Tell whether a rule of its organization is about it."""
        return _is_of_budget(rule, self, self.subject)

    def reading(self, rule: AlertRule) -> Reading:
        """Give it as a rule reads it."""
        is_share = rule.kind == AlertRule.Kind.BUDGET
        whom, whose = (self.each, self.subject) if self.each else (self.scope, self.target)
        unit = "$" if self.unit == Budget.Unit.USD else self.unit
        zone = rule.organization.zone
        return Reading(
            subject=f"budget:{self.budget_id}" + (f"/{self.subject}" if self.subject else ""),
            whom=whom,
            id=whose,
            name=self.name,
            value=self._share() if is_share else self.spent,
            unit="%" if is_share else unit,
            limit=self.limit,
            window=self.window,
            window_start=self.window_start,
            window_ends_at=window_at(
                window=self.window, zone=zone, instant=self.window_start
            ).ends_at,
            user_id=int(whose) if whom == "user" and whose else None,
            thresholds=thresholds_of_budget(self.thresholds) if is_share else (),
            facts=(
                ("Spent", figure(self.spent, unit=unit)),
                ("Limit", figure(self.limit, unit=unit)),
                ("At the limit", "calls are refused" if self.blocks else "calls go on"),
            ),
        )

    def _share(self) -> Decimal:
        if not self.limit:
            return Decimal(100) if self.spent else Decimal(0)
        return quantize_usd(self.spent * 100 / self.limit)


def _from_journal(rules: Sequence[AlertRule], now: datetime) -> Iterator[tuple[int, Reading]]:
    by_id = {rule.pk: rule for rule in rules}
    asked = [
        {
            "rule": rule.pk,
            "organization": rule.organization_id,
            "starts_at": _starts_at(rule, now).isoformat(),
            "scope": rule.scope,
            "target": rule.target,
            "each": rule.each,
        }
        for rule in rules
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            read_sql("budgets.alerts", "journal"), {"asked": json.dumps(asked), "now": now}
        )
        rows = cursor.fetchall()
    for rule_id, subject, usd, unconfirmed, last_at in rows:
        rule = by_id[rule_id]
        if rule.kind == AlertRule.Kind.SPEND_RATE:
            value = usd * _HOUR / int(RATE_OVER.total_seconds())
        elif rule.kind == AlertRule.Kind.UNCONFIRMED:
            value = Decimal(unconfirmed)
        elif rule.kind == AlertRule.Kind.NO_DATA:
            value = _silence(rule, last_at, now)
        else:
            value = usd
        yield rule_id, _journal_reading(rule, subject, quantize_usd(value), now)


def _starts_at(rule: AlertRule, now: datetime) -> datetime:
    if rule.kind == AlertRule.Kind.SPEND:
        return _window(rule, now).starts_at
    if rule.kind == AlertRule.Kind.NO_DATA:
        hours = max((one.at for one in rule.thresholds), default=Decimal(0))
        return now - timedelta(seconds=int(hours * _HOUR))
    return now - (RATE_OVER if rule.kind == AlertRule.Kind.SPEND_RATE else UNCONFIRMED_OVER)


def _silence(rule: AlertRule, last_at: datetime | None, now: datetime) -> Decimal:
    """Give the hours since the last call; without one since the rule was made, or its span began."""
    since = last_at or max(_starts_at(rule, now), rule.created_at)
    return Decimal(int((now - since).total_seconds())) / _HOUR


def _journal_reading(rule: AlertRule, subject: str, value: Decimal, now: datetime) -> Reading:
    whom, whose = (rule.each, subject) if rule.each else (rule.scope, rule.target)
    has_window = rule.kind == AlertRule.Kind.SPEND
    period = _window(rule, now) if has_window else None
    return Reading(
        subject=f"{whom}:{whose}" if whose else "",
        whom=whom,
        id=whose,
        name="",
        value=value,
        unit=TRAITS[rule.kind].unit,
        window=rule.window if has_window else "",
        window_start=period.starts_at if period else None,
        window_ends_at=period.ends_at if period else None,
        user_id=int(whose) if whom == "user" else None,
    )


def _window(rule: AlertRule, now: datetime) -> Period:
    return window_at(window=rule.window, zone=rule.organization.zone, instant=now)


def _from_keys(rules: Sequence[AlertRule], now: datetime) -> Iterator[tuple[int, Reading]]:
    days = max((one.at for rule in rules for one in rule.thresholds), default=Decimal(0))
    keys = ApiKey.objects.filter(
        organization_id__in={rule.organization_id for rule in rules},
        status=ApiKey.Status.ACTIVE,
        expires_at__gt=now,
        expires_at__lte=now + timedelta(seconds=int(days * _DAY)),
    ).order_by("pk")
    by_organization: dict[int, list[ApiKey]] = defaultdict(list)
    for key in keys:
        by_organization[key.organization_id].append(key)
    for rule in rules:
        for key in by_organization[rule.organization_id]:
            if _is_key_of(rule, key):
                yield rule.pk, _key_reading(key, now)


def _is_key_of(rule: AlertRule, key: ApiKey) -> bool:
    whose = {"project": key.project_id, "user": key.user_id, "api_key": key.pk}
    return rule.scope == AlertRule.Scope.ORGANIZATION or str(whose.get(rule.scope)) == rule.target


def _key_reading(key: ApiKey, now: datetime) -> Reading:
    assert key.expires_at is not None
    left = Decimal(int((key.expires_at - now).total_seconds()))
    return Reading(
        subject=f"api_key:{key.pk}",
        whom="",
        id=str(key.pk),
        name=str(key),
        value=quantize_usd(left / _DAY),
        unit="days",
        # Another end is another story: it is told anew.
        window_start=key.expires_at,
        window_ends_at=key.expires_at,
        user_id=key.user_id,
    )


def _observed(rules: Sequence[AlertRule], now: datetime) -> Iterator[tuple[int, Reading]]:
    seen = Observation.objects.filter(
        organization_id__in={rule.organization_id for rule in rules},
        kind__in={rule.kind for rule in rules},
        seen_at__gt=now - FRESH_FOR,
    )
    seen = seen.select_related("budget").order_by("pk")
    by_kind: dict[tuple[int, str], list[Observation]] = defaultdict(list)
    for row in seen:
        by_kind[row.organization_id, row.kind].append(row)
    for rule in rules:
        for row in by_kind[rule.organization_id, rule.kind]:
            if _is_about(rule, row):
                yield rule.pk, _observed_reading(row)


def _is_about(rule: AlertRule, row: Observation) -> bool:
    if row.budget is not None:
        return _is_of_budget(rule, row.budget, row.subject.partition("/")[2])
    if rule.budget_id is not None:
        return False
    if rule.scope == AlertRule.Scope.MODEL:
        return row.subject_kind == "model" and matches(pattern=rule.target, name=row.subject)
    if rule.scope != AlertRule.Scope.ORGANIZATION:
        return (row.subject_kind, row.subject) == (rule.scope, rule.target)
    if rule.each:
        return row.subject_kind == rule.each
    return TRAITS[rule.kind].any_subject or row.subject_kind == "organization"


def _observed_reading(row: Observation) -> Reading:
    is_user = row.subject_kind == "user" and row.subject.isdecimal()
    return Reading(
        subject=f"{row.subject_kind}:{row.subject}",
        whom=row.subject_kind,
        id="" if row.subject_kind == "organization" else row.subject,
        name=row.name,
        value=row.value,
        unit=TRAITS[row.kind].unit,
        limit=row.limit_amount,
        window_start=row.window_start,
        window_ends_at=row.window_ends_at,
        user_id=int(row.subject) if is_user else None,
        facts=tuple((str(name), str(value)) for name, value in row.facts),
    )


def _named(found: Readings) -> Readings:
    """Name the subjects, in one query for each kind of them; a budget's owner goes behind its name."""
    everyone = [reading for readings in found.values() for reading in readings]
    names = names_of(subjects=[(one.whom, one.id) for one in everyone if one.id and one.whom])
    return {
        rule_id: [_with_name(one, names.get((one.whom, one.id), "")) for one in readings]
        for rule_id, readings in found.items()
    }


def _with_name(reading: Reading, known: str) -> Reading:
    if reading.whom == "budget" and reading.name:
        return reading
    if reading.subject.startswith("budget:") and known and reading.name:
        return replace(reading, name=f"{reading.name} ({known})")
    return reading if reading.name or not known else replace(reading, name=known)


_SOURCES: list[tuple[frozenset[str], Any]] = [
    (FROM_BALANCES, _from_balances),
    (FROM_JOURNAL, _from_journal),
    (frozenset({"key_expiry"}), _from_keys),
    (OBSERVED, _observed),
]
