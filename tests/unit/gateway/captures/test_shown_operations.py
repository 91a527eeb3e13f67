"""The operations whose bodies a capture shows: a reviewed list, compared with every operation of the catalogue."""

from sellergate_amazon.operations import Catalogue
from sellergate_gateway.captures.redaction import redact_exchange
from sellergate_gateway.captures.shown_operations import SHOWN, shows_bodies
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse

CATALOGUE = Catalogue.load()
# Amazon's list of restricted operations (Tokens API use case guide): personal data that needs a Restricted Data Token.
RESTRICTED = [
    "easy-ship/2022-03-23/createScheduledPackageBulk",
    "merchant-fulfillment/v0/cancelShipment",
    "merchant-fulfillment/v0/createShipment",
    "merchant-fulfillment/v0/getShipment",
    "orders/v0/getOrder",
    "orders/v0/getOrderAddress",
    "orders/v0/getOrderBuyerInfo",
    "orders/v0/getOrderItems",
    "orders/v0/getOrderItemsBuyerInfo",
    "orders/v0/getOrderRegulatedInfo",
    "orders/v0/getOrders",
    "reports/2021-06-30/getReportDocument",
    "shipment-invoicing/v0/getShipmentDetails",
    "shipping/v1/getShipment",
    "vendor-df-orders/2021-12-28/getOrder",
    "vendor-df-orders/2021-12-28/getOrders",
    "vendor-df-orders/v1/getOrder",
    "vendor-df-orders/v1/getOrders",
    "vendor-df-shipping/2021-12-28/createShippingLabels",
    "vendor-df-shipping/2021-12-28/getCustomerInvoice",
    "vendor-df-shipping/2021-12-28/getCustomerInvoices",
    "vendor-df-shipping/2021-12-28/getPackingSlip",
    "vendor-df-shipping/2021-12-28/getPackingSlips",
    "vendor-df-shipping/2021-12-28/getShippingLabel",
    "vendor-df-shipping/2021-12-28/getShippingLabels",
    "vendor-df-shipping/v1/getCustomerInvoice",
    "vendor-df-shipping/v1/getCustomerInvoices",
    "vendor-df-shipping/v1/getPackingSlip",
    "vendor-df-shipping/v1/getPackingSlips",
    "vendor-df-shipping/v1/getShippingLabel",
    "vendor-df-shipping/v1/getShippingLabels",
]
# Operations that Amazon does not restrict and that still show people, money, messages, tokens or documents.
NEVER = (
    "awd/", "delivery-shipment-invoice/", "easy-ship/", "external-fulfillment-returns/", "external-fulfillment-shipments/",
    "finances", "fulfillment-outbound/2026-07-04", "invoices/", "merchant-fulfillment/", "messaging/", "orders/",
    "seller-wallet/", "services/", "shipment-invoicing/", "shipping/", "solicitations/", "supply-sources/", "tokens/", "tracking/",
    "transfers/", "uploads/", "vendor-",
)  # fmt: skip
WORDS = ("address", "buyer", "customerinvoice", "document", "destination", "upload", "token", "authorization", "label")
# Documents of product pages are texts and pictures, and are listed by review.
PRODUCT_PAGES = "aplus-content/"


def test_listed_operations_are_in_the_catalogue() -> None:
    assert not SHOWN - {operation.name for operation in CATALOGUE}
    assert len(SHOWN) > 80, "a capture without any body is of no use"


def test_no_restricted_operation_is_listed() -> None:
    assert set(RESTRICTED) == {one.name for one in CATALOGUE if one.restricted}
    assert not SHOWN & set(RESTRICTED)


def test_only_listed_operations_show_their_bodies() -> None:
    body = b'{"buyerName": "Jane Doe", "city": "Springfield"}'
    for operation in CATALOGUE:
        request = AmazonRequest(operation.method, "https://na.test/x?q=Jane", (), body, operation.name)
        response = AmazonResponse(200, (), body)
        found = repr(redact_exchange(operation, request, response, start_time=1.0, seconds=0.1, request_id="r"))
        assert ("Jane" in found, "Springfield" in found) == (operation.name in SHOWN,) * 2, operation.name


def test_no_listed_operation_names_people_tokens_or_documents() -> None:
    for operation in filter(shows_bodies, CATALOGUE):
        assert not operation.name.startswith(NEVER), operation.name
        assert not operation.restricted_basis, operation.name
        assert not operation.restricted_data_elements, operation.name
        assert operation.document is None, operation.name
        if not operation.name.startswith(PRODUCT_PAGES):
            assert not any(word in operation.operation_id.lower() for word in WORDS), operation.name
