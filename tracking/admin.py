"""The list that Django looks for; the admin's pages stand in their packages."""

from __future__ import annotations

from tracking.gateway.admin import ProviderAdmin
from tracking.gateway.admin_aliases import AliasAdmin, RouteEditionAdmin, RouteHealthAdmin
from tracking.ledger.admin import CostRecordAdmin
from tracking.pricing.admin import CatalogModelAdmin, PriceAdmin, PriceBookEditionAdmin
from tracking.pricing.admin_rules import PriceRuleAdmin

__all__ = [
    "AliasAdmin",
    "CatalogModelAdmin",
    "CostRecordAdmin",
    "PriceAdmin",
    "PriceBookEditionAdmin",
    "PriceRuleAdmin",
    "ProviderAdmin",
    "RouteEditionAdmin",
    "RouteHealthAdmin",
]
