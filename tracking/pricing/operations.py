"""Changes the catalogue: publishes prices, lists models, imports what litellm ships."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeAlias

from django.db import transaction
from django.db.models import QuerySet

from budgets.core.errors import DomainError
from budgets.tenancy.models import User
from tracking.pricing.catalog import Listing, bundled_edition, bundled_listings, demo_listings
from tracking.pricing.models import CatalogModel, Price, PriceBookEdition, PriceRule
from tracking.pricing.rates import Rates

_LISTED_FIELDS = (
    "provider",
    "mode",
    "context_window",
    "max_output_tokens",
    "capabilities",
    "deprecated_on",
    "unlisted_at",
)
_BATCH = 1000

# What the catalogues list, by name, and which of them does.
_Wanted: TypeAlias = Mapping[str, tuple[Listing, CatalogModel.Origin]]


class PriceStartsTooEarly(DomainError):
    """A price starts now or later, and after the last one already published for the model."""

    code = "price_starts_too_early"


class PriceRuleStartsTooEarly(DomainError):
    """A price rule starts now or later, and after the one it takes the place of."""

    code = "price_rule_starts_too_early"


@dataclass(frozen=True, slots=True)
class Publication:
    """Who publishes prices, when, and where the rates come from."""

    source: Price.Source
    at: datetime
    by: User | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did, in models: ``kept`` have a price that somebody stated here."""

    listed: int
    added: int
    repriced: int
    unchanged: int
    unpriced: int
    kept: int
    unlisted: int


def publish_price(
    *,
    model: CatalogModel,
    rates: Rates,
    publication: Publication,
    valid_from: datetime | None = None,
) -> Price:
    """End the model's open price and open a new version, in one transaction.

    It holds from ``valid_from``, or at once. Publishing the rates that are already open changes
    nothing and gives that price.

    :raises PriceStartsTooEarly: if it would start in the past or before the open price
    """
    starts_at = valid_from or publication.at
    if starts_at < publication.at:
        raise PriceStartsTooEarly(model=model.name, valid_from=starts_at)
    with transaction.atomic():
        _take_turn()
        last = model.prices.order_by("-version").first()
        if last is not None and last.valid_to is None and last.rates == rates.as_json():
            return last
        if last is not None:
            _end(last, starts_at)
        return model.prices.create(
            version=last.version + 1 if last else 1,
            valid_from=starts_at,
            rates=rates.as_json(),
            **_provenance(publication),
        )


@transaction.atomic
def add_rule(*, rule: PriceRule, now: datetime) -> PriceRule:
    """Let a new price rule hold from its ``valid_from`` on, or at once where that is None.

    The open rule of the same owner and pattern ends then: nothing is edited.

    :raises PriceRuleStartsTooEarly: if it would start in the past or before the one it replaces
    """
    _take_turn()
    rule.valid_from = rule.valid_from or now
    before = PriceRule.objects.filter(
        organization=rule.organization_id,
        plan=rule.plan_id,
        model_pattern=rule.model_pattern,
        valid_to=None,
    ).first()
    if rule.valid_from < now or (before and rule.valid_from <= before.valid_from):
        raise PriceRuleStartsTooEarly
    if before:
        PriceRule.objects.filter(pk=before.pk).update(valid_to=rule.valid_from)
    rule.save(force_insert=True)
    return rule


@transaction.atomic
def end_rule(*, rule: PriceRule, at: datetime) -> bool:
    """End a price rule at an instant, or before it begins; tells whether it was open."""
    _take_turn()
    ends_at = max(at, rule.valid_from)
    return bool(PriceRule.objects.filter(pk=rule.pk, valid_to=None).update(valid_to=ends_at))


@transaction.atomic(durable=True)
def import_catalog(*, now: datetime, listings: Iterable[Listing] | None = None) -> ImportSummary:
    """Bring the catalogue up to what litellm ships (or ``listings``), with the demo models.

    New models are added, changed prices get a new version from ``now`` on, unchanged ones stay.
    What somebody added or priced here is left alone. A model that is no longer listed stays, at
    its last price, and is marked.
    """
    _take_turn()
    shipped = bundled_listings() if listings is None else listings
    wanted = {listing.name: (listing, CatalogModel.Origin.CATALOG) for listing in shipped}
    wanted |= {listing.name: (listing, CatalogModel.Origin.DEMO) for listing in demo_listings()}
    added = _list_models(wanted, now)
    unlisted = _mark_unlisted(wanted, now)
    counts = _reprice(wanted, now)
    return ImportSummary(listed=len(wanted), added=added, unlisted=unlisted, **asdict(counts))


def list_own_model(*, model: CatalogModel, now: datetime) -> None:
    """Add a model that no catalogue lists, such as one behind an address of one's own."""
    model.origin = CatalogModel.Origin.OWN
    model.listed_at = now
    model.save(force_insert=True)


def set_callable(*, models: QuerySet[CatalogModel], active: bool) -> int:
    """Let calls name the models, or stop them from the next call on; counts the models."""
    return models.update(active=active)


def _take_turn() -> None:
    """Wait for other changes to prices: the row of the edition is the lock of them all.

    The triggers take it first too, before any row is touched, so that nothing can deadlock.
    """
    PriceBookEdition.objects.get_or_create(pk=1)
    PriceBookEdition.objects.select_for_update().get(pk=1)


@dataclass(slots=True)
class _Counts:
    repriced: int = 0
    unchanged: int = 0
    unpriced: int = 0
    kept: int = 0


def _list_models(wanted: _Wanted, now: datetime) -> int:
    """Add the models that are new and correct what changed about the others; counts the new."""
    known = {model.name: model for model in CatalogModel.objects.all()}
    added, changed = [], []
    for name, (listing, origin) in wanted.items():
        fields = _listed_fields(listing)
        model = known.get(name)
        if model is None:
            added.append(CatalogModel(name=name, origin=origin, listed_at=now, **fields))
        elif model.origin == origin and _update(model, fields):
            changed.append(model)
    CatalogModel.objects.bulk_create(added, batch_size=_BATCH)
    # An upsert by name: bulk_update() would write a branch for every row and column.
    CatalogModel.objects.bulk_create(
        changed,
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=_LISTED_FIELDS,
    )
    return len(added)


def _listed_fields(listing: Listing) -> dict[str, Any]:
    modes = CatalogModel.Mode
    return {
        "provider": listing.provider,
        "mode": listing.mode if listing.mode in modes.values else modes.OTHER,
        "context_window": listing.context_window,
        "max_output_tokens": listing.max_output_tokens,
        "capabilities": list(listing.capabilities),
        "deprecated_on": listing.deprecated_on,
        "unlisted_at": None,
    }


def _update(model: CatalogModel, fields: Mapping[str, Any]) -> bool:
    """Set what differs; tells whether anything did."""
    differs = {name: new for name, new in fields.items() if getattr(model, name) != new}
    for name, new in differs.items():
        setattr(model, name, new)
    return bool(differs)


def _mark_unlisted(wanted: _Wanted, now: datetime) -> int:
    return (
        CatalogModel.objects.filter(origin=CatalogModel.Origin.CATALOG, unlisted_at=None)
        .exclude(name__in=list(wanted))
        .update(unlisted_at=now)
    )


def _reprice(wanted: _Wanted, now: datetime) -> _Counts:
    """Publish the listed rates of every model whose open price differs, in bulk."""
    counts = _Counts()
    provenance = {
        CatalogModel.Origin.CATALOG: _provenance(
            Publication(source=Price.Source.CATALOG, at=now, note=bundled_edition())
        ),
        CatalogModel.Origin.DEMO: _provenance(Publication(source=Price.Source.DEMO, at=now)),
    }
    latest = Price.objects.order_by("model", "-version").distinct("model")
    last = {price.model_id: price for price in latest}
    ended: list[int] = []
    published: list[Price] = []
    for pk, name, origin in CatalogModel.objects.order_by("pk").values_list("pk", "name", "origin"):
        listing, listed_by = wanted.get(name, (None, None))
        if listing is None or listed_by != origin:
            continue
        price = last.get(pk)
        if listing.rates is None:
            counts.unpriced += 1
        elif not _stays(price, provenance[listed_by]["source"], listing.rates, counts):
            counts.repriced += 1
            ended += [price.pk] if price else []
            published.append(
                Price(
                    model_id=pk,
                    version=price.version + 1 if price else 1,
                    valid_from=now,
                    rates=listing.rates.as_json(),
                    **provenance[listed_by],
                )
            )
    Price.objects.filter(pk__in=ended, valid_to=None).update(valid_to=now)
    Price.objects.bulk_create(published, batch_size=_BATCH)
    return counts


def _stays(price: Price | None, source: Price.Source, rates: Rates, counts: _Counts) -> bool:
    """Tell whether the open price remains: it is the same, or somebody stated it here."""
    if price is None:
        return False
    if price.source != source:
        counts.kept += 1
        return True
    same = bool(price.rates == rates.as_json())
    counts.unchanged += same
    return same


def _end(price: Price, at: datetime) -> None:
    if price.valid_from >= at:
        raise PriceStartsTooEarly(model=price.model.name, valid_from=at)
    if price.valid_to is None:
        Price.objects.filter(pk=price.pk).update(valid_to=at)


def _provenance(publication: Publication) -> dict[str, Any]:
    return {
        "source": publication.source,
        "published_at": publication.at,
        "published_by": publication.by,
        "note": publication.note,
    }
