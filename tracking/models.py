"""The list that Django looks for; the models stand in their packages."""

from __future__ import annotations

from tracking.anomalies.models import Anomaly
from tracking.exports.models import Export, ExportPart
from tracking.gateway.models import (
    Alias,
    AliasTarget,
    CachedAnswer,
    Provider,
    RefusedCalls,
    RouteEdition,
    RouteHealth,
    StoredAnswer,
)
from tracking.ledger.models import CostRecord
from tracking.pricing.models import CatalogModel, Price, PriceRule
from tracking.reports.models import Edition, Report
from tracking.usage.models import (
    DayUsage,
    FillState,
    LabelUsage,
    QuarterHourUsage,
    Series,
    UsageZone,
)

__all__ = [
    "Alias",
    "AliasTarget",
    "Anomaly",
    "CachedAnswer",
    "CatalogModel",
    "CostRecord",
    "DayUsage",
    "Edition",
    "Export",
    "ExportPart",
    "FillState",
    "LabelUsage",
    "Price",
    "PriceRule",
    "Provider",
    "QuarterHourUsage",
    "RefusedCalls",
    "Report",
    "RouteEdition",
    "RouteHealth",
    "Series",
    "StoredAnswer",
    "UsageZone",
]
