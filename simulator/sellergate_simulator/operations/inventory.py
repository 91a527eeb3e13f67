"""FBA inventory v1: getInventorySummaries, a payload with its pagination beside it (Amazon's model)."""

from typing import Any

from sellergate_simulator.clock import iso
from sellergate_simulator.http.responses import Response, invalid_input, json_response
from sellergate_simulator.shops.stock import StockRow, stock_of
from sellergate_simulator.spapi import paging
from sellergate_simulator.spapi.calls import Call, Handler

# Amazon returns 50 rows a page; fewer here, so that forty rows give two pages.
PAGE_SIZE = 25


def handlers() -> dict[str, Handler]:
    """Return the handlers by operation name."""
    return {"fba-inventory/v1/getInventorySummaries": _get_inventory_summaries}


def _get_inventory_summaries(call: Call) -> Response:
    query, seller = call.query, call.owner
    marketplaces = query.many("marketplaceIds")
    if len(marketplaces) != 1:
        raise invalid_input("marketplaceIds is a required parameter and takes one marketplace id.")
    if query.one("granularityType") != "Marketplace":
        raise invalid_input("granularityType is a required parameter and must be Marketplace.")
    granularity_id = query.one("granularityId")
    if granularity_id is None:
        raise invalid_input("granularityId is a required parameter.")
    skus = {*query.many("sellerSkus"), *query.many("sellerSku")}
    token = query.one("nextToken")
    start = paging.decode(token, "inventory", seller.selling_partner_id, "nextToken")["start"] if token else 0
    rows = [row for row in stock_of(seller.selling_partner_id) if not skus or row.sku in skus]
    shown, following = paging.page(rows, start, PAGE_SIZE)
    details = query.one("details") == "true"
    document: dict[str, Any] = {
        "payload": {
            "granularity": {"granularityType": "Marketplace", "granularityId": granularity_id},
            "inventorySummaries": [_summary(row, call.now, details=details) for row in shown],
        }
    }
    if following is not None:
        next_token = paging.encode("inventory", seller.selling_partner_id, {"start": following})
        document["pagination"] = {"nextToken": next_token}
    return json_response(document)


def _summary(row: StockRow, now: float, *, details: bool) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "asin": row.asin,
        "fnSku": row.fn_sku,
        "sellerSku": row.sku,
        "condition": "NewItem",
        "productName": row.title,
        "lastUpdatedTime": iso(now - now % 3600),
        "totalQuantity": row.fulfillable + row.inbound + row.reserved,
    }
    if details:
        summary["inventoryDetails"] = {
            "fulfillableQuantity": row.fulfillable,
            "inboundWorkingQuantity": row.inbound,
            "reservedQuantity": {"totalReservedQuantity": row.reserved},
        }
    return summary
