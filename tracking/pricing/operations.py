"""Changes the catalogue: publishes prices, lists models, imports what litellm ships."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class _Feed:
    """Where listings come from, and whether their prices go before those of others."""

    origin: CatalogModel.Origin
    publication: Publication
    overrides: bool = False

    def prices(self, origin: str) -> bool:
        """Tell whether models of an origin take their prices from here."""
        return self.overrides or origin == self.origin


# What is listed, by name, and by whom.
_Wanted: TypeAlias = Mapping[str, tuple[Listing, _Feed]]


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
class PriceChange:
    """A price that an import publishes: the rates before it (None: the first) and from it on."""

    model: str
    before: Rates | None
    after: Rates


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
    changes: tuple[PriceChange, ...] = ()


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
    return _import(_catalog(now, listings), now, is_whole=True)


@transaction.atomic(durable=True)
def import_price_file(
    *, listings: Iterable[Listing], name: str, now: datetime, by: User | None = None
) -> ImportSummary:
    """Take the prices of a file as stated here: they stay when the catalogue says something else.

    Models that the file does not list are left alone; new ones are added as one's own.
    """
    return _import(_file(listings, name, now, by), now, is_whole=False)


def preview_import(
    *, now: datetime, listings: Iterable[Listing] | None = None, name: str = ""
) -> ImportSummary:
    """Tell what import_catalog() would do, or import_price_file() where a name is given.

    It is done and taken back: what is told is what would happen.
    """
    with transaction.atomic():
        wanted = _file(listings or (), name, now, None) if name else _catalog(now, listings)
        summary = _import(wanted, now, is_whole=not name)
        transaction.set_rollback(True)
    return summary


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


def _catalog(now: datetime, listings: Iterable[Listing] | None) -> _Wanted:
    shipped = _Feed(
        CatalogModel.Origin.CATALOG,
        Publication(source=Price.Source.CATALOG, at=now, note=bundled_edition()),
    )
    demo = _Feed(CatalogModel.Origin.DEMO, Publication(source=Price.Source.DEMO, at=now))
    wanted = {
        listing.name: (listing, shipped)
        for listing in (bundled_listings() if listings is None else listings)
    }
    return wanted | {listing.name: (listing, demo) for listing in demo_listings()}


def _file(listings: Iterable[Listing], name: str, now: datetime, by: User | None) -> _Wanted:
    publication = Publication(source=Price.Source.STATED, at=now, by=by, note=name[:240])
    stated = _Feed(CatalogModel.Origin.OWN, publication, overrides=True)
    return {listing.name: (listing, stated) for listing in listings}


def _import(wanted: _Wanted, now: datetime, *, is_whole: bool) -> ImportSummary:
    _take_turn()
    added = _list_models(wanted, now)
    unlisted = _mark_unlisted(wanted, now) if is_whole else 0
    counts = _reprice(wanted, now)
    return ImportSummary(
        listed=len(wanted),
        added=added,
        repriced=len(counts.changes),
        unchanged=counts.unchanged,
        unpriced=counts.unpriced,
        kept=counts.kept,
        unlisted=unlisted,
        changes=tuple(counts.changes),
    )


@dataclass(slots=True)
class _Counts:
    unchanged: int = 0
    unpriced: int = 0
    kept: int = 0
    changes: list[PriceChange] = field(default_factory=list)


def _list_models(wanted: _Wanted, now: datetime) -> int:
    """Add the models that are new and correct what changed about the others; counts the new."""
    known = {model.name: model for model in CatalogModel.objects.all()}
    added, changed = [], []
    for name, (listing, feed) in wanted.items():
        fields = _listed_fields(listing)
        model = known.get(name)
        if model is None:
            added.append(CatalogModel(name=name, origin=feed.origin, listed_at=now, **fields))
        elif model.origin == feed.origin and _update(model, fields):
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
    latest = Price.objects.order_by("model", "-version").distinct("model")
    last = {price.model_id: price for price in latest}
    ended: list[int] = []
    published: list[Price] = []
    for pk, name, origin in CatalogModel.objects.order_by("pk").values_list("pk", "name", "origin"):
        listing, feed = wanted.get(name, (None, None))
        if listing is None or feed is None or not feed.prices(origin):
            continue
        price = last.get(pk)
        if listing.rates is None:
            counts.unpriced += 1
        elif not _stays(price, feed, listing.rates, counts, now):
            counts.changes.append(
                PriceChange(name, price.parsed_rates() if price else None, listing.rates)
            )
            ended += [price.pk] if price else []
            published.append(
                Price(
                    model_id=pk,
                    version=price.version + 1 if price else 1,
                    valid_from=now,
                    rates=listing.rates.as_json(),
                    **_provenance(feed.publication),
                )
            )
    Price.objects.filter(pk__in=ended, valid_to=None).update(valid_to=now)
    Price.objects.bulk_create(published, batch_size=_BATCH)
    return counts


def _stays(price: Price | None, feed: _Feed, rates: Rates, counts: _Counts, now: datetime) -> bool:
    """Tell whether the open price remains: it is the same, to come, or somebody stated it here."""
    if price is None:
        return False
    is_others = price.source != feed.publication.source and not feed.overrides
    if is_others or (price.valid_from >= now and price.rates != rates.as_json()):
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
