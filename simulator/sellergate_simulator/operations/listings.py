"""Listings Items 2021-08-01: getListingsItem and searchListingsItems over each seller's stock (Amazon's model)."""

from typing import Any

from sellergate_simulator.http.responses import Response, denied, invalid_input, json_response, not_found
from sellergate_simulator.shops.stock import StockRow, stock_of
from sellergate_simulator.spapi import paging
from sellergate_simulator.spapi.calls import Call, Handler


def handlers() -> dict[str, Handler]:
    """Return the handlers by operation name."""
    return {
        "listings-items/2021-08-01/getListingsItem": _get_item,
        "listings-items/2021-08-01/searchListingsItems": _search,
    }


def _get_item(call: Call) -> Response:
    marketplaces = _marketplaces(call)
    sku = call.path_params["sku"]
    for row in stock_of(call.owner.selling_partner_id):
        if row.sku == sku:
            return json_response(_item(row, marketplaces))
    raise not_found(f"SKU '{sku:.40}' not found in marketplace {marketplaces[0]}")


def _search(call: Call) -> Response:
    marketplaces, seller_id = _marketplaces(call), call.owner.selling_partner_id
    size = call.query.integer("pageSize", low=1, high=20, default=10)
    wanted = set(call.query.many("identifiers"))
    # The token is called nextToken in the response and pageToken in the request.
    token = call.query.one("pageToken")
    start = paging.decode(token, "listings", seller_id, "pageToken")["start"] if token else 0
    rows = [row for row in stock_of(seller_id) if not wanted or wanted & {row.sku, row.asin}]
    shown, following = paging.page(rows, start, size)
    pagination = {}
    if following is not None:
        pagination["nextToken"] = paging.encode("listings", seller_id, {"start": following})
    items = [_item(row, marketplaces) for row in shown]
    return json_response({"numberOfResults": len(rows), "pagination": pagination, "items": items})


def _marketplaces(call: Call) -> list[str]:
    if call.path_params["sellerId"] != call.owner.selling_partner_id:
        raise denied()
    marketplaces = call.query.many("marketplaceIds")
    if not marketplaces:
        raise invalid_input("marketplaceIds is a required parameter.")
    return marketplaces


def _item(row: StockRow, marketplaces: list[str]) -> dict[str, Any]:
    summaries = [
        {
            "marketplaceId": marketplace,
            "asin": row.asin,
            "productType": "HOME",
            "conditionType": "new_new",
            "status": ["BUYABLE", "DISCOVERABLE"] if row.fulfillable else ["DISCOVERABLE"],
            "itemName": row.title,
        }
        for marketplace in marketplaces
    ]
    return {"sku": row.sku, "summaries": summaries}
