"""The SQL function against the oracle: any history of holds, settles, expiries and changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from budgets.holds import operations, queries
from budgets.holds.terms import HoldRequest, Settlement
from budgets.limits.models import Balance, Budget, LimitRaise
from budgets.tenancy.models import ApiKey, Organization, Project
from tests import make
from tests.budgets.holds.oracle import BalanceKey, Limit, Oracle, Raise, Who

ZONE = "America/Sao_Paulo"
BEGIN = datetime(2026, 3, 30, 22, 0, tzinfo=UTC)
# More in a long run by hand: LEDGER_EXAMPLES=20000 python3 manage.py test -n0 this file.
# The runs are apart so that two processes of the tests share them.
RUNS = 2
EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "300"))

Asking = tuple[int, Decimal, int, int, str, tuple[str, ...], str]

usd = st.decimals(min_value=0, max_value=4, places=12)
models = st.sampled_from(["openai/small", "openai/large", "own"])
tags = st.sampled_from([(), ("a",), ("a", "b")])
sessions = st.sampled_from(["", "", "run 1", "run 2"])
asking = st.tuples(
    st.integers(0, 2), usd, st.integers(0, 100), st.integers(0, 900), models, tags, sessions
)
late_budgets: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    limit_amount=usd.map(lambda amount: amount * 3),
    each=st.sampled_from(["", "user", "project", "api_key", "model", "tag", "session"]),
    model_pattern=st.sampled_from(["", "openai/*", "*l"]),
    window=st.sampled_from(["day", "week", "month", "quarter", "year", "total", "rolling"]),
    is_sites=st.sampled_from([False, False, True]),
    enforcement=st.sampled_from(["block", "block", "block", "warn"]),
)


@dataclass(frozen=True)
class World:
    """What every example begins with: an organization, its keys and its budgets."""

    organization: Organization
    keys: list[ApiKey]
    budgets: list[Budget]


@contextmanager
def in_world() -> Iterator[None]:
    """Let examples begin with three keys of two users in two projects, and budgets of every kind.

    The world is made once, since that takes longer than most examples, and is undone in the end.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # What other tests have committed would count under the site's own budgets.
            cursor.execute("set local session_replication_role = replica")
            cursor.execute("delete from budgets_hold")
            cursor.execute("delete from budgets_journalentry")
            cursor.execute("delete from budgets_balance")
            cursor.execute("set local session_replication_role = origin")
        LedgerAgreesWithOracle.world = make_world()
        try:
            yield
        finally:
            transaction.set_rollback(True)


def make_world() -> World:
    name = uuid4().hex[:12]
    plan = make.plan(code=name)
    organization = make.organization(slug=name, on_plan=plan, time_zone=ZONE)
    alice = organization.memberships.get().user
    bob = make.member(of=organization)
    other = Project.objects.create(organization=organization, name="Other", slug="other")
    keys = [
        make.key(of=organization, user=alice)[0],
        make.key(of=organization, user=bob)[0],
        make.key(of=organization, user=bob, in_project=other)[0],
    ]
    own = {"organization": organization}
    each_user = {"plan": plan, "each": "user"}
    minute = {"window": "minute"}
    allowances: list[dict[str, Any]] = [
        {"limit_amount": Decimal(40), "window": "day"},
        {"limit_amount": Decimal(9), "each": "organization", "window": "week"},
        {**own, "limit_amount": Decimal(10)},
        {**own, "limit_amount": Decimal(8), "window": "rolling", "rolling_days": 3},
        {**own, "limit_amount": Decimal(4), "each": "session", "window": "total"},
        {**own, "scope": "project", "target": str(other.pk), "limit_amount": Decimal(6)},
        {**own, "scope": "tag", "target": "a", "limit_amount": Decimal(5), "window": "day"},
        {**each_user, "limit_amount": Decimal(7), "window": "week"},
        {**each_user, **minute, "unit": "requests", "limit_amount": 6},
        {**each_user, **minute, "unit": "tokens", "limit_amount": 2000},
        {
            "plan": plan,
            "each": "api_key",
            "unit": "in_flight",
            "window": "total",
            "limit_amount": 4,
        },
    ]
    budgets = [Budget(name="b", **fields) for fields in allowances]
    for budget in budgets:
        operations.put_budget(budget=budget, now=BEGIN)
    return World(organization, keys, budgets)


class LedgerAgreesWithOracle(RuleBasedStateMachine):
    """Does the same to both and compares every verdict and every balance."""

    world: World
    requests = Bundle("requests")

    @initialize()
    def begin(self) -> None:
        """Begin with the world as it was made."""
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.now = BEGIN
        self.organization = Organization.objects.get(pk=self.world.organization.pk)
        self.keys = self.world.keys
        self.oracle = Oracle(zone=ZoneInfo(ZONE))
        self.oracle.limits = {budget.pk: _limit(budget) for budget in self.world.budgets}

    def teardown(self) -> None:
        """Undo the example, which the journal itself would not allow."""
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    @rule(
        target=requests,
        asked=st.lists(asking, min_size=1, max_size=5),
        ttl=st.sampled_from([0, 90]),
    )
    def hold_batch(self, asked: list[Asking], ttl: int) -> object:
        """A batch is the same as its calls one after the other."""
        wanted = [self._request(item, ttl) for item in asked]
        verdicts = operations.step(holds=wanted, now=self.now)
        for request, item, verdict in zip(wanted, asked, verdicts, strict=True):
            code, amount = self._ask_oracle(request, item)
            assert verdict.code == code, (verdict, code)
            if code == "admitted":
                assert verdict.amount_usd == amount
        return multiple(*(request.request_id for request in wanted))

    @rule(
        request=consumes(requests),
        share=st.sampled_from(["0", "0.25", "0.333333333333", "1", "1.5"]),
        kind=st.sampled_from(["charge", "charge", "release", "estimate"]),
        hold_too=st.none() | asking,
    )
    def settle(self, request: UUID, share: str, kind: str, hold_too: Asking | None) -> None:
        """Settle once, twice, late, or what was never admitted; maybe with a hold in the batch."""
        held = self.oracle.holds.get(request)
        base = held.usd if held else Decimal(2)
        amount = (
            Decimal(0) if kind == "release" else (base * Decimal(share)).quantize(Decimal("1e-12"))
        )
        settlement = Settlement(request, self.organization.pk, amount, 7, kind)
        holds = [self._request(hold_too, 90)] if hold_too else []
        verdicts = operations.step(holds=holds, settlements=[settlement], now=self.now)
        code = self.oracle.settle(request_id=request, usd=amount, tokens=7, kind=kind)
        assert verdicts[-1].code == code
        again = operations.settle(settlement=settlement, now=self.now)
        assert again.code == ("already" if request in self.oracle.journal else "unknown")
        if hold_too:
            wanted, _ = self._ask_oracle(holds[0], hold_too)
            assert verdicts[0].code == wanted

    @rule(request=consumes(requests), item=asking)
    def hold_again(self, request: UUID, item: Asking) -> None:
        """An id that was ever admitted is never admitted again."""
        was_known = request in self.oracle.holds or request in self.oracle.journal
        asked = self._request(item, 90, request)
        (verdict,) = operations.step(holds=[asked], now=self.now)
        code, _ = self._ask_oracle(asked, item)
        assert verdict.code == code
        assert verdict.code != "admitted" or not was_known

    @rule(seconds=st.sampled_from([1, 60, 3600, 86_400, 40 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        """Windows end without anything being reset."""
        self.now += timedelta(seconds=seconds)

    @rule()
    def expire(self) -> None:
        """Overdue holds are charged in full."""
        assert operations.expire(now=self.now) == self.oracle.expire(now=self.now)

    @rule(data=st.data(), limit=usd.map(lambda amount: amount * 3))
    def change_limit(self, data: st.DataObject, limit: Decimal) -> None:
        """A limit raised, or lowered below what is spent, holds from the next call on."""
        money = [i for i, known in self.oracle.limits.items() if known.unit == "usd"]
        budget = Budget.objects.get(pk=data.draw(st.sampled_from(money)))
        budget.limit_amount = limit
        operations.put_budget(budget=budget, now=self.now)
        known = self.oracle.limits[budget.pk]
        known.limit = limit
        self.oracle.recount(now=self.now, sites=known.is_sites)

    @rule(fields=late_budgets)
    def add_budget(self, fields: dict[str, Any]) -> None:
        """A budget that comes in mid-window counts what was there before it."""
        if len(self.oracle.limits) > 15:
            return
        is_sites = fields.pop("is_sites")
        budget = Budget(
            name="late",
            organization=None if is_sites else self.organization,
            rolling_days=5 if fields["window"] == "rolling" else None,
            **fields,
        )
        operations.put_budget(budget=budget, now=self.now)
        self.oracle.limits[budget.pk] = _limit(budget)
        self.oracle.recount(now=self.now, sites=is_sites)

    @rule(zone=st.sampled_from(["America/Sao_Paulo", "Asia/Kolkata", "Pacific/Auckland", "UTC"]))
    def change_time_zone(self, zone: str) -> None:
        """Windows begin elsewhere; what was spent in them counts, there and back."""
        operations.change_time_zone(organization=self.organization, time_zone=zone, now=self.now)
        self.oracle.zone = ZoneInfo(zone)
        self.oracle.recount(now=self.now, sites=False)

    @rule(data=st.data(), active=st.booleans())
    def retire_or_bring_back(self, data: st.DataObject, active: bool) -> None:
        """A budget out of force counts nothing; brought back, it counts what it missed."""
        budget = Budget.objects.get(pk=data.draw(st.sampled_from(sorted(self.oracle.limits))))
        if active:
            budget.active = True
            operations.put_budget(budget=budget, now=self.now)
        else:
            operations.retire_budget(budget=budget)
        self.oracle.limits[budget.pk].active = active
        if active:
            limit = self.oracle.limits[budget.pk]
            self.oracle.recount(now=self.now, sites=limit.is_sites)

    @rule(data=st.data(), amount=usd.filter(bool), for_s=st.sampled_from([60, 86_400]))
    def raise_limit(self, data: st.DataObject, amount: Decimal, for_s: int) -> None:
        """A raise counts while it lasts, and ends by itself."""
        budget = Budget.objects.get(pk=data.draw(st.sampled_from(sorted(self.oracle.limits))))
        ends_at = self.now + timedelta(seconds=for_s)
        operations.raise_limit(
            limit_raise=LimitRaise(
                budget=budget,
                amount=amount,
                starts_at=self.now,
                ends_at=ends_at,
                reason="more",
                made_at=self.now,
            )
        )
        self.oracle.raises.append(Raise(budget.pk, "", amount, self.now, ends_at))

    @rule(request=requests, amount=st.decimals(min_value=-4, max_value=4, places=12))
    def adjust(self, request: UUID, amount: Decimal) -> None:
        """A refund or a correction goes to the windows that the call was charged in."""
        adjustment = operations.Adjustment(
            organization=self.organization,
            request_id=request,
            kind="correction",
            amount_usd=amount,
            reason="a test",
            actor=None,
        )
        refusals = {"unknown": operations.CallUnknown, "below_zero": operations.BelowZero}
        refusal = refusals.get(self.oracle.adjust(request_id=request, amount=amount))
        with pytest.raises(refusal) if refusal else nullcontext():
            operations.adjust(adjustment=adjustment, now=self.now)

    @invariant()
    def balances_agree(self) -> None:
        """Balances are the oracle's, and the journal and the holds add up to them."""
        found: dict[BalanceKey, tuple[Decimal, Decimal]] = {
            (b.budget_id, b.subject, b.window_start): (b.held, b.spent)
            for b in Balance.objects.filter(budget__in=self.oracle.limits)
        }
        for key in {*found, *self.oracle.held, *self.oracle.spent}:
            wanted = (self.oracle.held.get(key, 0), self.oracle.spent.get(key, 0))
            assert found.get(key, (0, 0)) == wanted, (key, found.get(key), wanted)
        ours = (self.organization.pk, None)
        assert [d for d in queries.differences() if d.organization_id in ours] == []

    def _request(self, item: Asking, ttl: int, request_id: UUID | None = None) -> HoldRequest:
        key, amount, least_percent, tokens, model, labels, session = item
        return HoldRequest(
            request_id=request_id or uuid4(),
            organization_id=self.organization.pk,
            api_key_id=self.keys[key].pk,
            model=model,
            usd=amount,
            least_usd=(amount * least_percent / 100).quantize(Decimal("1e-12")),
            tokens=tokens,
            ttl_s=ttl,
            tags=labels,
            session=session,
        )

    def _ask_oracle(self, request: HoldRequest, item: Asking) -> tuple[str, Decimal]:
        key = self.keys[item[0]]
        who = Who(
            project=str(key.project_id),
            user=str(key.user_id),
            api_key=str(key.pk),
            model=request.model,
            tags=request.tags,
            session=request.session,
            organization=str(self.organization.pk),
        )
        return self.oracle.hold(request=request, who=who, now=self.now)


def _limit(budget: Budget) -> Limit:
    return Limit(
        id=budget.pk,
        scope=budget.scope,
        target=budget.target,
        each=budget.each,
        pattern=budget.model_pattern,
        unit=budget.unit,
        window=budget.window,
        limit=Decimal(budget.limit_amount),
        blocks=budget.enforcement == "block",
        days=budget.rolling_days,
        is_sites=budget.organization_id is None and budget.plan_id is None,
    )


@pytest.mark.parametrize("number", range(RUNS))
def test_any_history_ends_as_the_oracle_says(committed_db: None, number: int) -> None:
    with in_world():
        run_state_machine_as_test(
            LedgerAgreesWithOracle,
            settings=settings(
                max_examples=EXAMPLES // RUNS,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
