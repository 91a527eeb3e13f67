"""Frequently called operations, and the search for orders in each version of the Orders API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sellergate_amazon import parsing

COMMON_OPERATIONS = (
    "orders/2026-01-01/searchOrders",
    "orders/v0/getOrders",
    "sellers/v1/getMarketplaceParticipations",
    "reports/2021-06-30/createReport",
    "reports/2021-06-30/getReport",
    "reports/2021-06-30/getReportDocument",
    "feeds/2021-06-30/createFeed",
    "listings-items/2021-08-01/getListingsItem",
    "fba-inventory/v1/getInventorySummaries",
    "catalog-items/2022-04-01/getCatalogItem",
)


@dataclass(frozen=True, slots=True)
class OrderSearch:
    """A search for orders in one version of the Orders API: its path, its parameters, and the members that hold the orders."""

    path: str
    created_after: str
    marketplace_ids: str
    members: tuple[str, ...]

    def query(self, since: datetime, marketplace_id: str) -> Mapping[str, str]:
        """Return the query for the orders of a marketplace that were created after a time in UTC."""
        return {self.created_after: since.strftime("%Y-%m-%dT%H:%M:%SZ"), self.marketplace_ids: marketplace_id}

    def orders_in(self, document: Any) -> list[Any]:
        """Return the orders of a response. Raises ValueError (ParseError) if it has no list of orders."""
        for member in self.members:
            document = parsing.object_of(document).get(member)
        return parsing.objects_in({"orders": document}, "orders")


# The newest first. Amazon removes v0 on 2027-03-27; until then an application may lack the role for the newer version.
ORDER_SEARCHES = (
    OrderSearch("/orders/2026-01-01/orders", "createdAfter", "marketplaceIds", ("orders",)),
    OrderSearch("/orders/v0/orders", "CreatedAfter", "MarketplaceIds", ("payload", "Orders")),
)
