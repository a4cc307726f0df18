"""Looks at the rules that are due: what they see becomes alerts and messages, in one transaction.

A rule is locked while it is looked at, and whoever finds it locked leaves it to the other. What it
saw, the alert and the messages are written together: a worker that dies leaves all or nothing, and
the next tick finds the rule still due. Balances and the journal are only read.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import (
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    prefetch_related_objects,
)

from budgets.alerts.evaluate import Threshold, judge
from budgets.alerts.kinds import TRAITS
from budgets.alerts.models import Alert, AlertRule, Delivery, Watch
from budgets.alerts.outbox import Telling, withdraw, write_tellings
from budgets.alerts.readings import Reading, readings_of
from budgets.alerts.wording import Happening, facts_of, title_of
from budgets.tenancy.models import Organization

logger = logging.getLogger(__name__)

BATCH = 500
# The tick comes every minute, now and then a little early: that must not cost a whole minute.
_EARLY = timedelta(seconds=20)
# A next check further away than this was written by a clock that has been put back since.
_CLOCK_SLACK = timedelta(minutes=2)
# Shorter than what would be taken for the trace of a wrong clock.
_AFTER_ERROR = timedelta(minutes=2)

Key = tuple[int, str]


def check_due(*, now: datetime, most: int = BATCH) -> int:
    """Look at a batch of the rules that are due; give how many there were, 0 when none is.

    If one of them fails, each is looked at by itself; the one that fails is tried again later.

    :raises OperationalError: if the database goes away
    """
    taken: list[int] = []
    try:
        with transaction.atomic():
            rules = list(_locked(_due(now))[:most])
            taken += [rule.pk for rule in rules]
            _check(rules, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("a batch of %d rules failed; each is looked at by itself", len(taken))
        for rule_id in taken:
            check_one(rule_id=rule_id, now=now)
    return len(taken)


def check_one(*, rule_id: int, now: datetime) -> None:
    """Look at one rule, due or not; if it fails, say so in it and try again in a few minutes.

    :raises OperationalError: if the database goes away
    """
    try:
        with transaction.atomic():
            _check(list(_locked(AlertRule.objects.filter(pk=rule_id, active=True))), now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("alert rule %d cannot be looked at", rule_id)
        AlertRule.objects.filter(pk=rule_id).update(
            last_error=f"{type(error).__name__}: {error}"[:240], next_check_at=now + _AFTER_ERROR
        )


def _due(now: datetime) -> QuerySet[AlertRule]:
    every = ExpressionWrapper(F("check_every_s") * timedelta(seconds=1), DurationField())
    is_due = Q(next_check_at__lte=now) | Q(next_check_at__gt=now + every + _CLOCK_SLACK)
    return AlertRule.objects.filter(is_due, active=True).order_by("next_check_at", "pk")


def _locked(rules: QuerySet[AlertRule]) -> QuerySet[AlertRule]:
    return rules.select_for_update(of=("self",), skip_locked=True)


@dataclass(slots=True)
class _Case:
    """One rule and subject: what is seen, what was seen, and the alerts that go on."""

    rule: AlertRule
    reading: Reading
    watch: Watch | None
    going: list[Alert]
    window_start: datetime = field(init=False)
    opens: Threshold | None = None


@dataclass(slots=True)
class _Desk:
    """What a batch will write."""

    now: datetime
    tellings: list[Telling] = field(default_factory=list)
    fresh: list[Alert] = field(default_factory=list)
    changed: dict[int, Alert] = field(default_factory=dict)
    watches: list[Watch] = field(default_factory=list)

    def change(self, alert: Alert) -> None:
        self.changed[alert.pk] = alert

    def tell(self, rule: AlertRule, alert: Alert, event: str) -> None:
        """Have an alert told, unless its rule is muted: then it is told if it lasts."""
        if rule.muted_until is not None and rule.muted_until > self.now:
            alert.is_untold = event == Delivery.Event.OPENED
            return
        alert.is_untold = False
        alert.told_at = self.now
        alert.tellings += 1
        self.tellings.append(Telling(rule, alert, event))


def _check(rules: Sequence[AlertRule], now: datetime) -> None:
    if not rules:
        return
    _with_organizations(rules)
    desk = _Desk(now)
    cases, left = _cases(rules, now)
    for case in cases:
        _judge(case, desk)
    _open(cases, desk)
    by_id = {rule.pk: rule for rule in rules}
    for rule_id, alerts in left:
        _lost_from_sight(by_id[rule_id], alerts, desk)
    for case in cases:
        _remind(case.rule, case.going, desk)
    _write(rules, desk)


def _with_organizations(rules: Sequence[AlertRule]) -> None:
    """Give rules their organizations: one object for each, however many rules it has."""
    organizations = Organization.objects.in_bulk({rule.organization_id for rule in rules})
    for rule in rules:
        rule.organization = organizations[rule.organization_id]


def _cases(
    rules: Sequence[AlertRule], now: datetime
) -> tuple[list[_Case], list[tuple[int, list[Alert]]]]:
    """Read what rules see; beside it, by rule, the alerts whose subject is not to be seen."""
    found = readings_of(rules=rules, now=now)
    ids = [rule.pk for rule in rules]
    watches = {
        (watch.rule_id, watch.subject): watch for watch in Watch.objects.filter(rule_id__in=ids)
    }
    going: dict[Key, list[Alert]] = defaultdict(list)
    lasting = Alert.objects.filter(rule_id__in=ids).exclude(state=Alert.State.RECOVERED)
    for alert in lasting.order_by("threshold", "pk"):
        going[alert.rule_id, alert.subject].append(alert)
    cases = []
    for rule in rules:
        for reading in found.get(rule.pk, ()):
            key = (rule.pk, reading.subject)
            cases.append(_Case(rule, reading, watches.get(key), going.pop(key, [])))
    return cases, [(rule_id, alerts) for (rule_id, _), alerts in going.items()]


def _judge(case: _Case, desk: _Desk) -> None:
    """Compare what is seen with what was seen; let recover what no longer holds."""
    rule, reading, watch, now = case.rule, case.reading, case.watch, desk.now
    trait = TRAITS[rule.kind]
    if reading.window_start is not None:
        _end_windows(case, desk)
        case.window_start = reading.window_start
        is_compared = watch is not None and watch.window_start == reading.window_start
    else:
        case.window_start = _episode_start(case, now)
        is_compared = watch is not None
    judgement = judge(
        thresholds=rule.thresholds or reading.thresholds,
        value=reading.value,
        before=watch.value if watch is not None and is_compared else None,
        open_at={alert.threshold for alert in case.going},
        falls=trait.falls,
    )
    case.opens = judgement.opens
    recovered = [alert for alert in case.going if alert.threshold in judgement.recovered]
    case.going = [alert for alert in case.going if alert not in recovered]
    _recover(rule, recovered, desk)
    _watch(case, desk, has_recovered=bool(recovered) and not case.going)


def _episode_start(case: _Case, now: datetime) -> datetime:
    """Where there is no window: what goes on, or came back within the cool-down, is one episode."""
    if case.going:
        return case.going[0].window_start
    watch = case.watch
    cooldown = timedelta(minutes=case.rule.cooldown_minutes)
    if watch is not None and watch.recovered_at is not None:
        is_same = now - watch.recovered_at < cooldown
        return watch.window_start if is_same else now
    return now


def _end_windows(case: _Case, desk: _Desk) -> None:
    """Close the alerts of windows that are over, without a word: the new window begins at nothing."""
    over = [alert for alert in case.going if alert.window_start != case.reading.window_start]
    for alert in over:
        _close(alert, desk)
    case.going = [alert for alert in case.going if alert not in over]


def _lost_from_sight(rule: AlertRule, alerts: Sequence[Alert], desk: _Desk) -> None:
    """Close alerts whose subject has no figure any more.

    One that is handed in by others may be late: then nothing is known, and the alert stays.
    """
    over = [a for a in alerts if a.window_ends_at is not None and a.window_ends_at <= desk.now]
    for alert in over:
        _close(alert, desk)
    if not TRAITS[rule.kind].observed:
        _recover(rule, [alert for alert in alerts if alert not in over], desk)


def _close(alert: Alert, desk: _Desk) -> None:
    alert.state = Alert.State.RECOVERED
    alert.recovered_at = desk.now
    desk.change(alert)


def _recover(rule: AlertRule, alerts: Sequence[Alert], desk: _Desk) -> None:
    """Close alerts whose condition no longer holds; the worst of a subject is told."""
    for alert in alerts:
        _close(alert, desk)
    sign = -1 if TRAITS[rule.kind].falls else 1
    told = [alert for alert in alerts if alert.tellings and not alert.is_untold]
    if told and rule.tells_recovery:
        worst = max(told, key=lambda alert: sign * alert.threshold)
        desk.tell(rule, worst, Delivery.Event.RECOVERED)


def _watch(case: _Case, desk: _Desk, *, has_recovered: bool) -> None:
    watch, value = case.watch, case.reading.value
    is_same = (
        watch is not None
        and (watch.value, watch.window_start) == (value, case.window_start)
        and not has_recovered
    )
    # Where nothing has happened yet there is no episode to remember the beginning of.
    if is_same or (
        watch is not None
        and case.reading.window_start is None
        and watch.value == value
        and case.opens is None
        and not case.going
        and not has_recovered
    ):
        return
    desk.watches.append(
        Watch(
            rule=case.rule,
            subject=case.reading.subject,
            window_start=case.window_start,
            value=value,
            seen_at=desk.now,
            recovered_at=desk.now
            if has_recovered
            else (watch.recovered_at if watch is not None else None),
        )
    )


def _open(cases: Sequence[_Case], desk: _Desk) -> None:
    """Open the alerts of thresholds that were crossed, or open those again that had recovered."""
    opening = [case for case in cases if case.opens is not None]
    if not opening:
        return
    known = {
        (alert.rule_id, alert.subject, alert.window_start, alert.threshold): alert
        for alert in Alert.objects.filter(
            rule__in={case.rule.pk for case in opening},
            subject__in={case.reading.subject for case in opening},
            window_start__in={case.window_start for case in opening},
        )
    }
    for case in opening:
        assert case.opens is not None
        at = (case.rule.pk, case.reading.subject, case.window_start, case.opens.at)
        alert = known.get(at)
        if alert is None:
            alert = _new_alert(case, case.opens, desk.now)
            desk.fresh.append(alert)
            desk.tell(case.rule, alert, Delivery.Event.OPENED)
        elif alert.state == Alert.State.RECOVERED:
            _reopen(case, alert, desk)
        case.going.append(alert)


def _reopen(case: _Case, alert: Alert, desk: _Desk) -> None:
    alert.state = Alert.State.OPEN
    alert.recovered_at = alert.acknowledged_at = alert.acknowledged_by = None
    if case.reading.value is not None:
        alert.value = case.reading.value
    # Told by _remind() as soon as the cool-down is over, if it still holds then.
    alert.is_untold = True
    desk.change(alert)


def _new_alert(case: _Case, threshold: Threshold, now: datetime) -> Alert:
    rule, reading = case.rule, case.reading
    assert reading.value is not None
    happening = Happening(
        kind=rule.kind,
        unit=reading.unit,
        whom=reading.whom,
        name=reading.name,
        window=reading.window,
        value=reading.value,
        threshold=threshold.at,
        limit=reading.limit if not reading.facts else None,
        ends_at=reading.window_ends_at,
    )
    facts = [*facts_of(happening, zone=rule.organization.zone), *reading.facts]
    return Alert(
        organization=rule.organization,
        rule=rule,
        subject=reading.subject,
        subject_name=reading.name[:240],
        user_id=reading.user_id,
        window_start=case.window_start,
        window_ends_at=reading.window_ends_at,
        threshold=threshold.at,
        level=threshold.level,
        value=reading.value,
        limit_amount=reading.limit,
        title=title_of(happening)[:400],
        facts=facts,
        opened_at=now,
    )


def _remind(rule: AlertRule, going: Sequence[Alert], desk: _Desk) -> None:
    """Tell the worst open alert of a subject again when it is time, or what has waited to be told."""
    waiting = [alert for alert in going if alert.state == Alert.State.OPEN]
    if not waiting:
        return
    sign = -1 if TRAITS[rule.kind].falls else 1
    worst = max(waiting, key=lambda alert: sign * alert.threshold)
    since = desk.now - worst.told_at if worst.told_at is not None else None
    wait_minutes = rule.cooldown_minutes if worst.is_untold else rule.renotify_minutes
    is_time = since is None or since >= timedelta(minutes=wait_minutes)
    if is_time and (worst.is_untold or rule.renotify_minutes):
        event = Delivery.Event.OPENED if worst.is_untold else Delivery.Event.REMINDER
        desk.tell(rule, worst, event)
        if worst.pk is not None:
            desk.change(worst)


_CHANGING = (
    "state",
    "value",
    "tellings",
    "is_untold",
    "told_at",
    "acknowledged_at",
    "acknowledged_by",
    "recovered_at",
)


def _write(rules: Sequence[AlertRule], desk: _Desk) -> None:
    Alert.objects.bulk_create(desk.fresh)
    Alert.objects.bulk_update(desk.changed.values(), _CHANGING)
    Watch.objects.bulk_create(
        desk.watches,
        update_conflicts=True,
        unique_fields=["rule", "subject"],
        update_fields=["window_start", "value", "seen_at", "recovered_at"],
    )
    recovered = [a for a in desk.changed.values() if a.state == Alert.State.RECOVERED]
    prefetch_related_objects([telling.rule for telling in desk.tellings], "channels")
    withdrawn = withdraw(alerts=recovered, now=desk.now)
    write_tellings(tellings=desk.tellings, but=withdrawn, now=desk.now)
    for every_s, ids in _by_pace(rules):
        AlertRule.objects.filter(pk__in=ids).update(
            next_check_at=desk.now + timedelta(seconds=every_s) - _EARLY, last_error=""
        )


def _by_pace(rules: Sequence[AlertRule]) -> Iterator[tuple[int, list[int]]]:
    paces: dict[int, list[int]] = defaultdict(list)
    for rule in rules:
        paces[rule.check_every_s].append(rule.pk)
    yield from paces.items()
