"""The operations whose bodies a capture may show: those without personal data in Amazon's models.

The list is derived from Amazon's list of restricted operations ("Tokens API use case guide", developer-docs.amazon.com/sp-api)
and the models in github.com/amzn/selling-partner-api-models, read by hand. An operation is listed only if neither its request nor
its response has a field for a name, address, telephone number, e-mail address, tax number, message or bank account of a buyer or
of a seller's or carrier's staff, for a token, or for a document's address. Other operations, future ones too, show no bodies.

Left out on purpose, although Amazon does not restrict them: Orders 2026-01-01 (recipients
and buyers by `includedData`), addresses of fulfillment orders, shipments, returns, services and inbound plans,
`sellers/v1/getAccount` (the primary contact), reviews that buyers wrote, messages, invoices, finances, transfers and wallets.
"""

from collections.abc import Mapping

from sellergate_amazon.operations import Operation

# The operations by API and version, each with the subject of its bodies.
_BODIES: Mapping[str, str] = {
    # Texts and pictures of product pages.
    "aplus-content/2020-11-01": """createContentDocument getContentDocument listContentDocumentAsinRelations
        postContentDocumentApprovalSubmission postContentDocumentAsinRelations postContentDocumentSuspendSubmission
        searchContentDocuments searchContentPublishRecords updateContentDocument validateContentDocumentAsinRelations""",
    # The catalogue that every visitor of Amazon sees.
    "catalog-items/2020-12-01": "getCatalogItem searchCatalogItems",
    "catalog-items/2022-04-01": "getCatalogItem searchCatalogItems",
    "catalog-items/v0": "listCatalogCategories",
    # Numbers and topics. Topics of reviews quote buyers and are not listed.
    "customer-feedback/2024-06-01": """getBrowseNodeReturnTopics getBrowseNodeReturnTrends getBrowseNodeReviewTrends
        getItemBrowseNode getItemReviewTrends""",
    # GraphQL over aggregates of sales and traffic, and the ids of its documents.
    "data-kiosk/2023-11-15": "cancelQuery createQuery getQueries getQuery",
    # Eligibility and stock of items.
    "external-fulfillment-inventory/2024-09-11": "batchInventory",
    "fba-inbound-eligibility/v1": "getItemEligibilityPreview",
    "fba-inventory/v1": "addInventory createInventoryItem deleteInventoryItem getInventorySummaries",
    # States and ids of documents. The content of a feed is transferred separately.
    "feeds/2021-06-30": "cancelFeed getFeed getFeeds",
    # Boxes, items and pallets. Plans and shipments name the sender's staff and are not listed.
    "fulfillment-inbound/2024-03-20": """getInboundOperationStatus listInboundPlanBoxes listInboundPlanItems
        listInboundPlanPallets listItemComplianceDetails listPackingGroupBoxes listPackingGroupItems listPackingOptions
        listPrepDetails listShipmentBoxes listShipmentItems listShipmentPallets setPackingInformation setPrepDetails""",
    "fulfillment-inbound/v0": "getPrepInstructions getShipmentItems getShipmentItemsByShipmentId",
    # Features of programs and their items. Orders have recipients and are not listed.
    "fulfillment-outbound/2020-07-01": "getFeatureInventory getFeatureSKU getFeatures",
    # The seller's own offers.
    "listings-items/2020-09-01": "deleteListingsItem patchListingsItem putListingsItem",
    "listings-items/2021-08-01": """deleteListingsItem getListingsItem patchListingsItem putListingsItem
        searchListingsItems""",
    "listings-restrictions/2021-08-01": "getListingsRestrictions",
    # Kinds of notifications and ids. Destinations name AWS accounts and are not listed.
    "notifications/v1": "deleteSubscriptionById getSubscription getSubscriptionById getSubscriptions",
    # Fees and prices of items; competitors are ids.
    "product-fees/v0": "getMyFeesEstimateForASIN getMyFeesEstimateForSKU getMyFeesEstimates",
    "product-pricing/2022-05-01": "getCompetitiveSummary getFeaturedOfferExpectedPriceBatch",
    "product-pricing/v0": """getCompetitivePricing getItemOffers getItemOffersBatch getListingOffers
        getListingOffersBatch getPricing""",
    # JSON schemas.
    "product-type-definitions/2020-09-01": "getDefinitionsProductType searchDefinitionsProductTypes",
    # Metrics of offers.
    "replenishment/2022-11-07": "getSellingPartnerMetrics listOfferMetrics listOffers",
    # Types, times and states. The documents themselves are transferred separately.
    "reports/2021-06-30": """cancelReport cancelReportSchedule createReport createReportSchedule getReport
        getReportSchedule getReportSchedules getReports""",
    # Sums of units and money by time.
    "sales/v1": "getOrderMetrics",
    # Marketplaces of the seller.
    "sellers/v1": "getMarketplaceParticipations",
    # Makes and models of vehicles that parts fit.
    "vehicles/2024-11-01": "getVehicles",
}
SHOWN = frozenset(f"{api}/{operation}" for api, operations in _BODIES.items() for operation in operations.split())


def shows_bodies(operation: Operation) -> bool:
    """Return whether a capture may show bodies of the operation."""
    return operation.name in SHOWN
