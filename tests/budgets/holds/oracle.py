"""The ledger's rules once more, in plain Python: what the SQL function is held against.

Written from the description of the rules, not from the SQL: one call after the other, dictionaries
for tables, no locks. Slow and obvious on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from uuid import UUID
from zoneinfo import ZoneInfo

from budgets.holds.terms import HoldRequest
from budgets.limits.periods import window_at

BalanceKey = tuple[int, str, datetime]


@dataclass
class Limit:
    """A budget as the oracle knows it."""

    id: int
    scope: str
    target: str
    each: str
    pattern: str
    unit: str
    window: str
    limit: Decimal
    blocks: bool
    days: int | None = None
    active: bool = True
    is_sites: bool = False


@dataclass(frozen=True)
class Who:
    """A caller and what is called."""

    project: str
    user: str
    api_key: str
    model: str
    tags: tuple[str, ...]
    session: str
    organization: str

    def subjects(self, each: str) -> tuple[str, ...]:
        """Whose balances a budget of this kind touches."""
        if each == "tag":
            return self.tags
        if each == "session" and not self.session:
            return ()
        return (getattr(self, each) if each else "",)

    def falls_under(self, limit: Limit) -> bool:
        """Whether a budget applies to the call."""
        if not limit.active:
            return False
        if limit.pattern and not fnmatchcase(self.model, limit.pattern):
            return False
        if limit.scope == "organization":
            return True
        if limit.scope == "tag":
            return limit.target in self.tags
        return bool(getattr(self, limit.scope) == limit.target)


@dataclass
class Held:
    """An open hold."""

    who: Who
    usd: Decimal
    tokens: int
    keys: list[BalanceKey]
    admitted_at: datetime
    expires_at: datetime


@dataclass
class Booked:
    """What the journal says of one call: every entry's amount, and the tokens of all."""

    who: Who
    kind: str
    amounts: list[Decimal]
    tokens: int
    keys: list[BalanceKey]
    admitted_at: datetime
    is_corrected: bool = False


@dataclass(frozen=True)
class Raise:
    """A limit raised for a while."""

    limit: int
    subject: str
    amount: Decimal
    starts_at: datetime
    ends_at: datetime


@dataclass
class Oracle:
    """A ledger of one organization."""

    zone: ZoneInfo
    limits: dict[int, Limit] = field(default_factory=dict)
    held: dict[BalanceKey, Decimal] = field(default_factory=dict)
    spent: dict[BalanceKey, Decimal] = field(default_factory=dict)
    holds: dict[UUID, Held] = field(default_factory=dict)
    journal: dict[UUID, Booked] = field(default_factory=dict)
    raises: list[Raise] = field(default_factory=list)

    def hold(
        self,
        *,
        request: HoldRequest,
        who: Who,
        now: datetime,
    ) -> tuple[str, Decimal]:
        """Admit a call or not; give the verdict's code and the amount held."""
        request_id, usd, tokens = request.request_id, request.usd, request.tokens
        if request_id in self.holds:
            return "duplicate_open", self.holds[request_id].usd
        if request_id in self.journal:
            return "duplicate_resolved", usd
        keys = self._keys(who, now)
        asked = {"usd": request.least_usd, "tokens": Decimal(tokens)}
        for key in keys:
            limit = self.limits[key[0]]
            if limit.blocks and asked.get(limit.unit, Decimal(1)) > self.room(key, now):
                return "over_limit", usd
        rooms = [self.room(k, now) for k in keys if self._is_hard_money(k)]
        amount = min([usd, *rooms])
        for key in keys:
            self.held[key] = self.held.get(key, Decimal(0)) + self._in_unit(key, amount, tokens)
        self.holds[request_id] = Held(
            who, amount, tokens, keys, now, now + timedelta(seconds=request.ttl_s)
        )
        return "admitted", amount

    def settle(self, *, request_id: UUID, usd: Decimal, tokens: int, kind: str) -> str:
        """Charge a call, or correct its estimate; give the verdict's code."""
        held = self.holds.pop(request_id, None)
        if held is not None:
            self._resolve(request_id, held, usd, tokens, kind)
            return "settled"
        booked = self.journal.get(request_id)
        if booked is None:
            return "unknown"
        if booked.kind != "estimate" or kind == "estimate" or booked.is_corrected:
            return "already"
        booked.is_corrected = True
        difference = max(usd - booked.amounts[0], -sum(booked.amounts, Decimal(0)))
        for key in booked.keys:
            unit = self.limits[key[0]].unit
            change = {"usd": difference, "tokens": Decimal(tokens - booked.tokens)}
            self.spent[key] = self.spent.get(key, Decimal(0)) + change.get(unit, Decimal(0))
        booked.amounts.append(difference)
        booked.tokens = tokens
        return "corrected"

    def expire(self, *, now: datetime) -> int:
        """Charge every overdue hold in full, as an estimate; give how many."""
        overdue = [i for i, held in self.holds.items() if held.expires_at <= now]
        for request_id in overdue:
            held = self.holds.pop(request_id)
            self._resolve(request_id, held, held.usd, held.tokens, "estimate")
        return len(overdue)

    def adjust(self, *, request_id: UUID, amount: Decimal) -> str:
        """Book a further amount under a call, or say why not."""
        booked = self.journal.get(request_id)
        if booked is None:
            return "unknown"
        money = [key for key in booked.keys if self.limits[key[0]].unit == "usd"]
        if sum(booked.amounts) + amount < 0:
            return "below_zero"
        if any(self.spent.get(key, Decimal(0)) + amount < 0 for key in money):
            return "below_zero"
        for key in money:
            self.spent[key] = self.spent.get(key, Decimal(0)) + amount
        booked.amounts.append(amount)
        return "booked"

    def recount(self, *, now: datetime, sites: bool) -> None:
        """After a change, what applies now counts all that was in its window, whatever applied then."""
        limits = [x for x in self.limits.values() if x.is_sites == sites]
        for limit in limits:
            found: dict[BalanceKey, Decimal] = {}
            for booked in self.journal.values():
                for key in self._keys_now(limit, booked.who, booked.admitted_at, now):
                    counts = {
                        "usd": sum(booked.amounts, Decimal(0)),
                        "tokens": Decimal(booked.tokens),
                        "requests": Decimal(1),
                    }
                    more = counts.get(limit.unit, Decimal(0))
                    found[key] = found.get(key, Decimal(0)) + more
            for held in self.holds.values():
                for key in self._keys_now(limit, held.who, held.admitted_at, now):
                    found.setdefault(key, Decimal(0))
                    if key not in held.keys:
                        held.keys.append(key)
                        more = self._in_unit(key, held.usd, held.tokens)
                        self.held[key] = self.held.get(key, Decimal(0)) + more
            self.spent.update(found)

    def room(self, key: BalanceKey, now: datetime) -> Decimal:
        """What of a balance is neither spent nor held, never below zero."""
        return max(self.limit_now(key, now) - self._used(key), Decimal(0))

    def limit_now(self, key: BalanceKey, now: datetime) -> Decimal:
        """The limit with its raises, less what the days before have used."""
        limit = self.limits[key[0]]
        raised = sum(
            r.amount
            for r in self.raises
            if r.limit == limit.id and r.subject in ("", key[1]) and r.starts_at <= now < r.ends_at
        )
        used_before = Decimal(0)
        if limit.days is not None:
            first = self._first_day(limit, limit.days, now)
            every = {*self.spent, *self.held}
            others = [k for k in every if k[:2] == key[:2] and first <= k[2] != key[2]]
            used_before = sum((self._used(k) for k in others if self._is_a_day(k)), Decimal(0))
        return max(limit.limit + raised - used_before, Decimal(0))

    def _is_a_day(self, key: BalanceKey) -> bool:
        """Whether the balance is of a day as it begins in the zone that holds now."""
        zone = self._zone(self.limits[key[0]])
        return window_at(window="day", zone=zone, instant=key[2]).starts_at == key[2]

    def _used(self, key: BalanceKey) -> Decimal:
        return self.spent.get(key, Decimal(0)) + self.held.get(key, Decimal(0))

    def _zone(self, limit: Limit) -> ZoneInfo:
        return ZoneInfo("UTC") if limit.is_sites else self.zone

    def _first_day(self, limit: Limit, days: int, now: datetime) -> datetime:
        zone = self._zone(limit)
        today = now.astimezone(zone).date()
        first = datetime.combine(today - timedelta(days=days - 1), time(12), tzinfo=zone)
        return window_at(window="day", zone=zone, instant=first).starts_at

    def _resolve(self, request_id: UUID, held: Held, usd: Decimal, tokens: int, kind: str) -> None:
        for key in held.keys:
            unit = self.limits[key[0]].unit
            actual = {"usd": usd, "tokens": Decimal(tokens), "requests": Decimal(1)}
            self.held[key] -= self._in_unit(key, held.usd, held.tokens)
            self.spent[key] = self.spent.get(key, Decimal(0)) + actual.get(unit, Decimal(0))
        self.journal[request_id] = Booked(
            held.who, kind, [usd], tokens, held.keys, held.admitted_at
        )

    def _keys(self, who: Who, now: datetime) -> list[BalanceKey]:
        return [
            (
                limit.id,
                subject,
                window_at(window=limit.window, zone=self._zone(limit), instant=now).starts_at,
            )
            for limit in self.limits.values()
            if who.falls_under(limit)
            for subject in who.subjects(limit.each)
        ]

    def _keys_now(
        self, limit: Limit, who: Who, admitted_at: datetime, now: datetime
    ) -> list[BalanceKey]:
        """The balances, of windows that hold now, that a call of the past counts in."""
        zone = self._zone(limit)
        since = window_at(window=limit.window, zone=zone, instant=now).starts_at
        begin = since
        if limit.days is not None:
            since = self._first_day(limit, limit.days, now)
            begin = window_at(window="day", zone=zone, instant=admitted_at).starts_at
        if not who.falls_under(limit) or admitted_at < since:
            return []
        return [(limit.id, subject, begin) for subject in who.subjects(limit.each)]

    def _is_hard_money(self, key: BalanceKey) -> bool:
        limit = self.limits[key[0]]
        return limit.blocks and limit.unit == "usd"

    def _in_unit(self, key: BalanceKey, usd: Decimal, tokens: int) -> Decimal:
        unit = self.limits[key[0]].unit
        return {"usd": usd, "tokens": Decimal(tokens)}.get(unit, Decimal(1))
