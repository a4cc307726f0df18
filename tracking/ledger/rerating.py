"""Price a period again at another version of a price: difference entries, originals kept.

What was booked stays. For each call whose cost differs, one correction is booked in the windows the
call was charged in. It counts the corrections that an earlier re-rating made, so doing it twice
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from budgets.core.clock import Period
from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD, quantize_usd
from budgets.holds import operations as holds
from budgets.holds.models import JournalEntry
from budgets.tenancy.models import Organization, User
from tracking.ledger.models import CostRecord
from tracking.pricing.models import Price, PriceRule
from tracking.pricing.rates import Rates, dimension_of

_MARK = "re-rated at "


class LineNotPriced(DomainError):
    """The price names no rate for something that a call of the period used."""

    code = "rate_missing"


@dataclass(frozen=True, slots=True)
class Rerated:
    """One call whose cost differs: what it stands at now, and at the other price. USD.

    ``difference_usd`` has to be booked: positive when the call becomes dearer. It gives back no more
    than people's refunds have left of the call.
    """

    organization_id: int
    request_id: UUID
    current_usd: Decimal
    rerated_usd: Decimal
    difference_usd: Decimal


def preview(
    *, price: Price, period: Period, organization: Organization | None = None
) -> Iterator[Rerated]:
    """Find the calls of the price's model in the period whose cost differs at the price.

    The price rule that a call was charged by stays: a factor is applied to the other price too, and
    a call charged at rates of a rule's own costs what it did. Calls that were charged as a whole
    hold, without lines, are left out: nothing is known of them.

    :raises LineNotPriced: if a call used something that the price has no rate for
    """
    rates = price.parsed_rates()
    for record in _records(price, period, organization).iterator(chunk_size=2000):
        current_usd = record.cost_usd + _rerated_before(record)
        rerated_usd = _cost_at(record, rates, record.price_rule)
        difference_usd = rerated_usd - current_usd
        if difference_usd < 0:
            difference_usd = max(difference_usd, -_charged(record))
        if difference_usd:
            yield Rerated(
                organization_id=record.organization_id,
                request_id=record.request_id,
                current_usd=current_usd,
                rerated_usd=rerated_usd,
                difference_usd=difference_usd,
            )


def apply(
    *,
    price: Price,
    period: Period,
    reason: str,
    actor: User | None = None,
    organization: Organization | None = None,
    now: datetime | None = None,
) -> tuple[int, Decimal]:
    """Book the differences that preview() finds; give their number and sum in USD.

    Each call is a transaction of its own; what was interrupted is finished by doing it again.

    :raises LineNotPriced: as preview()
    :raises ReasonMissing: without a reason
    """
    if not reason.strip():
        raise holds.ReasonMissing
    count, total = 0, ZERO_USD
    for rerated in preview(price=price, period=period, organization=organization):
        adjustment = holds.Adjustment(
            organization=Organization(pk=rerated.organization_id),
            request_id=rerated.request_id,
            kind=JournalEntry.Kind.CORRECTION,
            amount_usd=rerated.difference_usd,
            reason=f"{_MARK}{price}: {reason.strip()}"[:240],
            actor=actor,
        )
        holds.adjust(adjustment=adjustment, now=now)
        count += 1
        total += rerated.difference_usd
    return count, total


def _records(
    price: Price, period: Period, organization: Organization | None
) -> QuerySet[CostRecord]:
    records = (
        CostRecord.objects.filter(model=price.model.name, started_at__gte=period.starts_at)
        .exclude(lines=[])
        .select_related("price_rule")
    )
    if period.ends_at is not None:
        records = records.filter(started_at__lt=period.ends_at)
    if organization is not None:
        records = records.for_organization(organization)
    return records.order_by("organization_id", "started_at", "id")


def _rerated_before(record: CostRecord) -> Decimal:
    return _charged(record, seq__gt=1, kind=JournalEntry.Kind.CORRECTION, reason__startswith=_MARK)


def _charged(record: CostRecord, **only: Any) -> Decimal:
    """Add up the entries of a call, or some of them."""
    entries = JournalEntry.objects.filter(
        organization_id=record.organization_id, request_id=record.request_id, **only
    )
    total: Decimal | None = entries.aggregate(total=Sum("amount_usd"))["total"]
    return total or ZERO_USD


def _cost_at(record: CostRecord, listed: Rates, rule: PriceRule | None) -> Decimal:
    rates = listed if rule is None else rule.applied_to(listed)
    chosen = rates.of_call(
        input_tokens=record.input_tokens,
        service_tier=record.service_tier,
        off_peak=rates.is_off_peak(record.started_at),
    )
    return sum((_amount(line, chosen, rates) for line in record.lines), ZERO_USD)


def _amount(line: Mapping[str, str | int], chosen: Mapping[str, Decimal], rates: Rates) -> Decimal:
    dimension = str(line["dimension"])
    # A price may name no rate for a size or quality of its own, but one for all of them.
    plain = rates.per_unit.get(dimension_of(dimension))
    rate = chosen.get(dimension, rates.per_unit.get(dimension, plain))
    if rate is None:
        raise LineNotPriced(dimension=dimension)
    return quantize_usd(Decimal(line["units"]) * rate)
