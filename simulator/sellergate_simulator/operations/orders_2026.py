"""Orders 2026-01-01: searchOrders and getOrder, without envelope and without restricted tokens.

Shapes and rules from Amazon's model orders_2026-01-01.json; a page token is valid for 24 hours (its migration guide).
"""

from typing import Any

from sellergate_simulator.clock import iso
from sellergate_simulator.http.responses import Response, invalid_input, json_response, not_found
from sellergate_simulator.shops.countries import country_of
from sellergate_simulator.shops.order_book import Order, OrderBook, OrderItem, amount
from sellergate_simulator.spapi import paging
from sellergate_simulator.spapi.calls import Call, Handler

_STATUS = {"pending": "PENDING", "unshipped": "UNSHIPPED", "shipped": "SHIPPED", "canceled": "CANCELLED"}
_TOKEN_LIFE_SECONDS = 86_400


class Orders2026:
    """The operations of Orders 2026-01-01 over the order book."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "orders/2026-01-01/searchOrders": self._search,
            "orders/2026-01-01/getOrder": self._get_order,
        }

    def _search(self, call: Call) -> Response:
        seller, query = call.owner, call.query
        state = _filters(call)
        token = query.one("paginationToken")
        if token:
            carried = paging.decode(token, "2026", seller.selling_partner_id, "paginationToken")
            if carried["made"] + _TOKEN_LIFE_SECONDS < call.now:
                raise invalid_input("The paginationToken has expired.")
            # The first page fixes the end of the list, so that later orders do not shift the pages.
            state = {**state, "start": carried["start"], "before": carried["before"]}
        marketplaces = query.many("marketplaceIds") or list(seller.marketplaces_in(call.region))
        orders = [order for order in self._book.orders(seller, call.region) if order.marketplace_id in marketplaces]
        found = [order for order in orders if _matches(order, state)]
        shown, following = paging.page(found, state["start"], state["size"])
        pagination = {}
        if following is not None:
            carried = {"start": following, "before": state["before"], "made": call.now}
            pagination["nextToken"] = paging.encode("2026", seller.selling_partner_id, carried)
        edge = "createdBefore" if state["by"] == "created" else "lastUpdatedBefore"
        included = frozenset(query.many("includedData"))
        orders_shown = [_order_document(order, included) for order in shown]
        return json_response({"orders": orders_shown, "pagination": pagination, edge: iso(state["before"])})

    def _get_order(self, call: Call) -> Response:
        order = self._book.order(call.owner, call.region, call.path_params["orderId"])
        if order is None:
            raise not_found("The requested order does not exist.")
        return json_response({"order": _order_document(order, frozenset(call.query.many("includedData")))})


def _filters(call: Call) -> dict[str, Any]:
    query = call.query
    created, updated = query.time("createdAfter"), query.time("lastUpdatedAfter")
    if (created is None) == (updated is None):
        raise invalid_input("Exactly one of createdAfter and lastUpdatedAfter is required.")
    by = "created" if created is not None else "updated"
    before = query.time("createdBefore" if by == "created" else "lastUpdatedBefore")
    if before is not None and before > call.now - 120:
        raise invalid_input("createdBefore and lastUpdatedBefore must be at least two minutes before now.")
    return {
        "by": by,
        "after": created if created is not None else updated,
        "before": before if before is not None else call.now - 120,
        "statuses": query.many("fulfillmentStatuses"),
        "fulfilled_by": query.many("fulfilledBy"),
        "start": 0,
        "size": query.integer("maxResultsPerPage", low=1, high=100, default=100),
    }


def _matches(order: Order, state: dict[str, Any]) -> bool:
    moment = order.purchased_at if state["by"] == "created" else order.updated_at
    return (
        state["after"] <= moment <= state["before"]
        and (not state["statuses"] or _STATUS[order.status] in state["statuses"])
        and (not state["fulfilled_by"] or _fulfilled_by(order) in state["fulfilled_by"])
    )


def _fulfilled_by(order: Order) -> str:
    return "AMAZON" if order.by_amazon else "MERCHANT"


def _order_document(order: Order, included: frozenset[str]) -> dict[str, Any]:
    country = country_of(order.marketplace_id)
    document: dict[str, Any] = {
        "orderId": order.order_id,
        "createdTime": iso(order.purchased_at),
        "lastUpdatedTime": iso(order.updated_at),
        "programs": ["PRIME"] if order.by_amazon else [],
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": order.marketplace_id,
            "marketplaceName": country.name,
        },
        "orderItems": [_item_document(order, item) for item in order.items],
    }
    if "BUYER" in included:
        document["buyer"] = {"buyerName": order.buyer_name, "buyerEmail": order.buyer_email}
    if "RECIPIENT" in included:
        document["recipient"] = {
            "deliveryAddress": {
                "name": order.buyer_name,
                "addressLine1": order.street,
                "city": country.city,
                "postalCode": country.postal_code,
                "countryCode": "GB" if country.code == "UK" else country.code,
                "phone": order.phone,
            }
        }
    if "PROCEEDS" in included:
        document["proceeds"] = {"grandTotal": {"amount": order.total, "currencyCode": order.currency}}
    if "FULFILLMENT" in included:
        document["fulfillment"] = {
            "fulfillmentStatus": _STATUS[order.status],
            "fulfilledBy": _fulfilled_by(order),
            "fulfillmentServiceLevel": "STANDARD",
        }
    return document


def _item_document(order: Order, item: OrderItem) -> dict[str, Any]:
    price = {"amount": amount(item.product.price_cents), "currencyCode": order.currency}
    return {
        "orderItemId": item.item_id,
        "quantityOrdered": item.quantity,
        "product": {
            "asin": item.product.asin,
            "title": item.product.title,
            "sellerSku": item.product.sku,
            "price": {"unitPrice": price},
        },
    }
