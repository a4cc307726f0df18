"""The list that Django looks for; the admin's pages stand in their packages."""

from __future__ import annotations

from tracking.anomalies.admin import AnomalyAdmin
from tracking.exports.admin import ExportAdmin
from tracking.gateway.admin import ProviderAdmin
from tracking.gateway.admin_aliases import AliasAdmin, RouteEditionAdmin, RouteHealthAdmin
from tracking.gateway.admin_refused import RefusedCallsAdmin
from tracking.ledger.admin import CostRecordAdmin
from tracking.pricing.admin import CatalogModelAdmin, PriceAdmin, PriceBookEditionAdmin
from tracking.pricing.admin_rules import PriceRuleAdmin
from tracking.reports.admin import ReportAdmin

__all__ = [
    "AliasAdmin",
    "AnomalyAdmin",
    "CatalogModelAdmin",
    "CostRecordAdmin",
    "ExportAdmin",
    "PriceAdmin",
    "PriceBookEditionAdmin",
    "PriceRuleAdmin",
    "ProviderAdmin",
    "RefusedCallsAdmin",
    "ReportAdmin",
    "RouteEditionAdmin",
    "RouteHealthAdmin",
]
