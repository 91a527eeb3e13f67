"""Orders v0: lists, orders, items and shipments; personal data only for a Restricted Data Token.

Shapes and rules from Amazon's model ordersV0.json and its guides to the Tokens API.
"""

from typing import Any

from sellergate_simulator.clock import iso
from sellergate_simulator.http.responses import Response, denied, invalid_input, json_response, not_found
from sellergate_simulator.shops.countries import country_of
from sellergate_simulator.shops.order_book import Order, OrderBook, OrderItem, amount
from sellergate_simulator.spapi import paging
from sellergate_simulator.spapi.calls import Call, Handler

_STATUS = {"pending": "Pending", "unshipped": "Unshipped", "shipped": "Shipped", "canceled": "Canceled"}


class OrdersV0:
    """The operations of Orders v0 over the order book."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "orders/v0/getOrders": self._get_orders,
            "orders/v0/getOrder": lambda call: _payload(order_document(self._order(call), _elements(call))),
            "orders/v0/getOrderItems": self._get_items,
            "orders/v0/getOrderBuyerInfo": self._get_buyer_info,
            "orders/v0/getOrderAddress": self._get_address,
            "orders/v0/getOrderItemsBuyerInfo": self._get_items_buyer_info,
            "orders/v0/confirmShipment": self._confirm_shipment,
        }

    def _get_orders(self, call: Call) -> Response:
        query, seller = call.query, call.owner
        marketplaces = query.many("MarketplaceIds")
        if not marketplaces:
            raise invalid_input("MarketplaceIds is a required parameter.")
        token = query.one("NextToken")
        state = paging.decode(token, "v0", seller.selling_partner_id, "NextToken") if token else _filters(call)
        orders = [order for order in self._book.orders(seller, call.region) if order.marketplace_id in marketplaces]
        found = [order for order in orders if _matches(order, state)]
        shown, following = paging.page(found, state["start"], state["size"])
        payload: dict[str, Any] = {"Orders": [order_document(order, _elements(call)) for order in shown]}
        if following is not None:
            payload["NextToken"] = paging.encode("v0", seller.selling_partner_id, {**state, "start": following})
        edge = "CreatedBefore" if state["by"] == "created" else "LastUpdatedBefore"
        payload[edge] = iso(state["before"])
        return _payload(payload)

    def _get_items(self, call: Call) -> Response:
        order = self._order(call)
        items = [_item_document(order, item) for item in order.items]
        if "buyerInfo" in _elements(call):
            items = [{**item, "BuyerInfo": {"BuyerCustomizedInfo": {}}} for item in items]
        return _payload({"AmazonOrderId": order.order_id, "OrderItems": items})

    def _get_buyer_info(self, call: Call) -> Response:
        order = self._restricted(call)
        return _payload({"AmazonOrderId": order.order_id, **_buyer(order)})

    def _get_address(self, call: Call) -> Response:
        order = self._restricted(call)
        return _payload({"AmazonOrderId": order.order_id, "ShippingAddress": _address(order)})

    def _get_items_buyer_info(self, call: Call) -> Response:
        order = self._restricted(call)
        items = [{"OrderItemId": item.item_id, "BuyerCustomizedInfo": {}} for item in order.items]
        return _payload({"AmazonOrderId": order.order_id, "OrderItems": items})

    def _confirm_shipment(self, call: Call) -> Response:
        order = self._order(call)
        document = call.json_object()
        for name in ("packageDetail", "marketplaceId"):
            if name not in document:
                raise invalid_input(f"The field {name} is required.")
        self._book.ship(call.owner, order, call.now)
        return Response(204)

    def _restricted(self, call: Call) -> Order:
        """Return the order for an operation that returns only personal data."""
        if call.resource is None:
            raise denied()
        return self._order(call)

    def _order(self, call: Call) -> Order:
        order = self._book.order(call.owner, call.region, call.path_params["orderId"])
        if order is None:
            raise not_found("The requested order does not exist.")
        return order


def order_document(order: Order, elements: frozenset[str]) -> dict[str, Any]:
    """Return an order in v0's form, with the personal data of the named elements."""
    document: dict[str, Any] = {
        "AmazonOrderId": order.order_id,
        "PurchaseDate": iso(order.purchased_at),
        "LastUpdateDate": iso(order.updated_at),
        "OrderStatus": _STATUS[order.status],
        "FulfillmentChannel": "AFN" if order.by_amazon else "MFN",
        "SalesChannel": country_of(order.marketplace_id).name,
        "ShipServiceLevel": "Standard",
        "NumberOfItemsShipped": _quantity(order) if order.status == "shipped" else 0,
        "NumberOfItemsUnshipped": _quantity(order) if order.status in {"pending", "unshipped"} else 0,
        "PaymentMethod": "Other",
        "MarketplaceId": order.marketplace_id,
        "OrderType": "StandardOrder",
        "IsBusinessOrder": False,
        "IsPrime": order.by_amazon,
    }
    if order.status != "pending":  # Amazon returns no total before the payment is authorized
        document["OrderTotal"] = {"CurrencyCode": order.currency, "Amount": order.total}
    if "buyerInfo" in elements:
        document["BuyerInfo"] = _buyer(order)
    if "shippingAddress" in elements:
        document["ShippingAddress"] = _address(order)
    return document


def _filters(call: Call) -> dict[str, Any]:
    """Return the filters of a first request, in the form of a page token's state."""
    query = call.query
    created, updated = query.time("CreatedAfter"), query.time("LastUpdatedAfter")
    if (created is None) == (updated is None):
        raise invalid_input("Either the CreatedAfter or the LastUpdatedAfter parameter is required, not both.")
    by = "created" if created is not None else "updated"
    before = query.time("CreatedBefore" if by == "created" else "LastUpdatedBefore")
    return {
        "by": by,
        "after": created if created is not None else updated,
        "before": before if before is not None else call.now - 120,
        "statuses": query.many("OrderStatuses"),
        "channels": query.many("FulfillmentChannels"),
        "start": 0,
        "size": query.integer("MaxResultsPerPage", low=1, high=100, default=100),
    }


def _matches(order: Order, state: dict[str, Any]) -> bool:
    moment = order.purchased_at if state["by"] == "created" else order.updated_at
    channel = "AFN" if order.by_amazon else "MFN"
    return (
        state["after"] <= moment <= state["before"]
        and (not state["statuses"] or _STATUS[order.status] in state["statuses"])
        and (not state["channels"] or channel in state["channels"])
    )


def _elements(call: Call) -> frozenset[str]:
    return call.resource.data_elements if call.resource else frozenset()


def _quantity(order: Order) -> int:
    return sum(item.quantity for item in order.items)


def _item_document(order: Order, item: OrderItem) -> dict[str, Any]:
    return {
        "ASIN": item.product.asin,
        "SellerSKU": item.product.sku,
        "OrderItemId": item.item_id,
        "Title": item.product.title,
        "QuantityOrdered": item.quantity,
        "QuantityShipped": item.quantity if order.status == "shipped" else 0,
        "ItemPrice": {"CurrencyCode": order.currency, "Amount": amount(item.product.price_cents * item.quantity)},
        "ConditionId": "New",
    }


def _buyer(order: Order) -> dict[str, str]:
    return {"BuyerEmail": order.buyer_email, "BuyerName": order.buyer_name}


def _address(order: Order) -> dict[str, str]:
    country = country_of(order.marketplace_id)
    return {
        "Name": order.buyer_name,
        "AddressLine1": order.street,
        "City": country.city,
        "PostalCode": country.postal_code,
        "CountryCode": "GB" if country.code == "UK" else country.code,
        "Phone": order.phone,
    }


def _payload(document: object) -> Response:
    return json_response({"payload": document})
