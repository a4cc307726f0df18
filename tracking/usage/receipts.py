"""The receipt of one call: what was held, what was charged, at which price, against which budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD
from budgets.holds.models import JournalEntry
from budgets.limits.models import Balance, Budget
from budgets.tenancy.models import Organization
from tracking.ledger.models import CostRecord
from tracking.pricing.cost import Line


class CallNotFound(DomainError):
    """There is no such call."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Booking:
    """One journal entry of a call: the first is its charge, later ones correct it."""

    seq: int
    kind: str
    kind_text: str
    amount_usd: Decimal
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class PriceTold:
    """The price version an attempt was charged at; ``source`` says where its rates come from.

    ``rule`` says what a price rule made of the list price, and for whom; empty where none did.
    """

    model: str
    version: int
    valid_from: datetime
    source: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a provider, with the lines that add up to its cost."""

    number: int
    provider: str
    model: str
    asked_model: str
    endpoint: str
    price: PriceTold
    lines: tuple[Line, ...]
    cost_usd: Decimal
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    outcome: str
    usage_source: str
    status: int
    error_code: str
    finish_reason: str
    is_streamed: bool
    output_cap_tokens: int | None
    is_fitted: bool
    first_byte_ms: int | None
    duration_ms: int

    @property
    def output_tokens_per_s(self) -> Decimal | None:
        """How fast output came once it had begun, for streams; None where that is not known."""
        if self.first_byte_ms is None or self.duration_ms <= self.first_byte_ms:
            return None
        return Decimal(self.output_tokens * 1000) / (self.duration_ms - self.first_byte_ms)


@dataclass(frozen=True, slots=True)
class ChargedBudget:
    """A budget that the call counted against, in the window it was admitted in; dollars first."""

    name: str
    unit: str
    unit_text: str
    each: str
    each_text: str
    window: str
    window_start: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """One call from hold to charge. Amounts in USD; ``total_usd`` is the sum of the bookings."""

    request_id: UUID
    admitted_at: datetime
    user_id: int
    user: str
    api_key_id: int
    api_key: str
    project: str
    model: str
    tags: tuple[str, ...]
    held_usd: Decimal
    bookings: tuple[Booking, ...]
    attempts: tuple[Attempt, ...]
    budgets: tuple[ChargedBudget, ...]
    forgotten_budgets: int
    # The call that this one was made in place of, or whose answer was given again.
    origin_request_id: UUID | None
    is_cached: bool
    saved_usd: Decimal

    @property
    def total_usd(self) -> Decimal:
        """What the call cost in the end."""
        return sum((booking.amount_usd for booking in self.bookings), ZERO_USD)

    @property
    def settled_usd(self) -> Decimal:
        """What was charged when the hold was resolved."""
        return self.bookings[0].amount_usd

    @property
    def released_usd(self) -> Decimal:
        """What of the hold was given back."""
        return max(self.held_usd - self.settled_usd, ZERO_USD)

    @property
    def overrun_usd(self) -> Decimal:
        """What the provider billed above the hold."""
        return max(self.settled_usd - self.held_usd, ZERO_USD)

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the charge is an estimate that nothing has confirmed or corrected yet."""
        return len(self.bookings) == 1 and self.bookings[0].kind == JournalEntry.Kind.ESTIMATE


def receipt_of(
    *,
    organization: Organization,
    request_id: UUID,
    user_id: int | None = None,
    led_project_ids: Sequence[int] = (),
) -> Receipt:
    """Read the receipt of a settled call of an organization, or only of a user's or led project's.

    :raises CallNotFound: if they have no such call, or it is still under way
    """
    seen = Q() if user_id is None else Q(user_id=user_id) | Q(project_id__in=led_project_ids)
    entries = list(
        JournalEntry.objects.for_organization(organization)
        .filter(seen, request_id=request_id)
        .select_related("user", "api_key", "project")
        .order_by("seq")
    )
    if not entries:
        raise CallNotFound
    records = list(
        CostRecord.objects.for_organization(organization)
        .filter(request_id=request_id)
        .select_related("price__model", "price_rule__organization", "price_rule__plan")
        .order_by("attempt")
    )
    return _receipt(entries, records)


def _receipt(entries: Sequence[JournalEntry], records: Sequence[CostRecord]) -> Receipt:
    first = entries[0]
    budgets = _budgets(first)
    return Receipt(
        request_id=first.request_id,
        admitted_at=first.admitted_at,
        user_id=first.user_id,
        user=first.user.get_full_name(),
        api_key_id=first.api_key_id,
        api_key=first.api_key.name,
        project=first.project.name,
        model=first.model,
        tags=tuple(first.tags),
        held_usd=first.held_usd,
        bookings=tuple(_booking(entry) for entry in entries),
        attempts=tuple(_attempt(record) for record in records),
        budgets=budgets,
        # Balances of rate limits are not kept for long once their minute is over.
        forgotten_budgets=len(first.balance_ids) - len(budgets),
        origin_request_id=next((r.origin_request_id for r in records if r.origin_request_id), None),
        is_cached=any(record.outcome == CostRecord.Outcome.CACHED for record in records),
        saved_usd=sum((record.saved_usd for record in records), ZERO_USD),
    )


def _booking(entry: JournalEntry) -> Booking:
    return Booking(
        entry.seq, entry.kind, entry.get_kind_display(), entry.amount_usd, entry.booked_at
    )


def _budgets(entry: JournalEntry) -> tuple[ChargedBudget, ...]:
    balances = (
        Balance.objects.for_organization(entry.organization)
        .filter(pk__in=entry.balance_ids)
        .select_related("budget")
        .order_by("rank", "unit", "pk")
    )
    return tuple(
        ChargedBudget(
            name=balance.budget.name,
            unit=balance.unit,
            unit_text=Budget.Unit(balance.unit).label,
            each=balance.budget.each,
            each_text=balance.budget.get_each_display().removeprefix("each "),
            window=balance.budget.window,
            window_start=balance.window_start,
        )
        for balance in sorted(balances, key=lambda balance: balance.unit != Budget.Unit.USD)
    )


def _attempt(record: CostRecord) -> Attempt:
    price = record.price
    return Attempt(
        number=record.attempt,
        provider=record.provider,
        model=record.model,
        asked_model=record.asked_model,
        endpoint=record.endpoint,
        price=PriceTold(
            price.model.name,
            price.version,
            price.valid_from,
            price.get_source_display(),
            f"{rule.terms}, {rule.kind}" if (rule := record.price_rule) else "",
        ),
        lines=tuple(Line.of_json(line) for line in record.lines),
        cost_usd=record.cost_usd,
        input_tokens=record.input_tokens,
        cached_input_tokens=record.cached_input_tokens,
        output_tokens=record.output_tokens,
        reasoning_tokens=record.reasoning_tokens,
        outcome=record.get_outcome_display(),
        usage_source=record.get_usage_source_display(),
        status=record.status,
        error_code=record.error_code,
        finish_reason=record.finish_reason,
        is_streamed=record.is_streamed,
        output_cap_tokens=record.output_cap_tokens,
        is_fitted=record.is_fitted,
        first_byte_ms=record.first_byte_ms,
        duration_ms=record.duration_ms,
    )
