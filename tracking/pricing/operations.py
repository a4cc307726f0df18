"""Changes the catalogue: publishes prices, lists models, imports what litellm ships."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from budgets.core.errors import DomainError
from budgets.tenancy.models import User
from tracking.pricing.catalog import Listing, bundled_edition, bundled_listings, demo_listings
from tracking.pricing.models import CatalogModel, Price, PriceBookEdition
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


class PriceStartsTooEarly(DomainError):
    """A price starts now or later, and after the last one already published for the model."""

    code = "price_starts_too_early"


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


@transaction.atomic(durable=True)
def import_catalog(*, now: datetime, listings: Iterable[Listing] | None = None) -> ImportSummary:
    """Bring the catalogue up to what litellm ships (or ``listings``), with the demo models.

    New models are added, changed prices get a new version from ``now`` on, unchanged ones stay.
    What somebody added or priced here is left alone. A model that is no longer listed stays, at
    its last price, and is marked.
    """
    _take_turn()
    shipped = bundled_listings() if listings is None else list(listings)
    by_origin = {
        CatalogModel.Origin.CATALOG: {listing.name: listing for listing in shipped},
        CatalogModel.Origin.DEMO: {listing.name: listing for listing in demo_listings()},
    }
    added = sum(_list_models(wanted, origin, now) for origin, wanted in by_origin.items())
    unlisted = _mark_unlisted(by_origin[CatalogModel.Origin.CATALOG], now)
    counts = _Counts()
    for origin, wanted in by_origin.items():
        _reprice(wanted, origin, now, counts)
    listed = sum(map(len, by_origin.values()))
    return ImportSummary(listed=listed, added=added, unlisted=unlisted, **counts.as_fields())


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

    def as_fields(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("repriced", "unchanged", "unpriced", "kept")}


def _list_models(wanted: Mapping[str, Listing], origin: CatalogModel.Origin, now: datetime) -> int:
    """Add the models that are new and correct what changed about the others; counts the new."""
    known = {model.name: model for model in CatalogModel.objects.all()}
    fields = {name: _listed_fields(listing) for name, listing in wanted.items()}
    CatalogModel.objects.bulk_create(
        [
            CatalogModel(name=name, origin=origin, listed_at=now, **fields[name])
            for name in wanted
            if name not in known
        ],
        batch_size=_BATCH,
    )
    changed = [
        model
        for model in known.values()
        if model.origin == origin and _update(model, fields.get(model.name))
    ]
    CatalogModel.objects.bulk_update(changed, _LISTED_FIELDS, batch_size=_BATCH)
    return len(wanted.keys() - known.keys())


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


def _update(model: CatalogModel, fields: Mapping[str, Any] | None) -> bool:
    """Set what differs; tells whether anything did."""
    differs = {name: new for name, new in (fields or {}).items() if getattr(model, name) != new}
    for name, new in differs.items():
        setattr(model, name, new)
    return bool(differs)


def _mark_unlisted(wanted: Mapping[str, Listing], now: datetime) -> int:
    return (
        CatalogModel.objects.filter(origin=CatalogModel.Origin.CATALOG, unlisted_at=None)
        .exclude(name__in=list(wanted))
        .update(unlisted_at=now)
    )


def _reprice(
    wanted: Mapping[str, Listing], origin: CatalogModel.Origin, now: datetime, counts: _Counts
) -> None:
    """Publish the listed rates of every model of the origin whose open price differs, in bulk."""
    source = Price.Source(origin)
    note = bundled_edition() if source == Price.Source.CATALOG else ""
    provenance = _provenance(Publication(source=source, at=now, note=note))
    models = CatalogModel.objects.filter(origin=origin, name__in=list(wanted))
    versions = dict(Price.objects.values_list("model").annotate(Max("version")))
    opened = {price.model_id: price for price in Price.objects.filter(valid_to=None)}
    ended: list[int] = []
    published: list[Price] = []
    for model in models.order_by("pk"):
        rates, open_price = wanted[model.name].rates, opened.get(model.pk)
        if rates is None or _stays(open_price, source, rates.as_json(), counts):
            counts.unpriced += rates is None
            continue
        counts.repriced += 1
        if open_price is not None:
            ended.append(open_price.pk)
        published.append(
            Price(
                model=model,
                version=versions.get(model.pk, 0) + 1,
                valid_from=now,
                rates=rates.as_json(),
                **provenance,
            )
        )
    Price.objects.filter(pk__in=ended).update(valid_to=now)
    Price.objects.bulk_create(published, batch_size=_BATCH)


def _stays(
    open_price: Price | None, source: Price.Source, rates: Mapping[str, Any], counts: _Counts
) -> bool:
    """Tell whether the open price remains: it is the same, or somebody stated it here."""
    if open_price is None:
        return False
    if open_price.source != source:
        counts.kept += 1
        return True
    same = bool(open_price.rates == rates)
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
