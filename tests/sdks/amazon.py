"""Amazon's Python SDK (amzn-sp-api): orders with and without personal data, pages, a report, a feed."""

import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

import requests
from spapi import (
    FeedsApi,
    OrdersV0Api,
    ReportsApi,
    SearchOrdersApi,
    SPAPIClient,
    SPAPIConfig,
    TokensApi,
)
from spapi.auth.lwa_exception import LwaException
from spapi.auth.lwa_request import AccessTokenCache
from spapi.rest import ApiException

MARKETPLACE = "ATVPDKIKX0DER"
URL, ID, SECRET, HANDLE = (os.environ[name] for name in ("SDK_URL", "SDK_CLIENT_ID", "SDK_CLIENT_SECRET", "SDK_HANDLE"))


def client() -> Any:
    config = SPAPIConfig(client_id=ID, client_secret=SECRET, refresh_token=HANDLE)
    return SPAPIClient(config, oauth_endpoint=f"{URL}/auth/o2/token", endpoint=URL).api_client


def seen() -> dict[str, Any]:
    connected = client()
    orders_api, reports, feeds = OrdersV0Api(connected), ReportsApi(connected), FeedsApi(connected)
    since = "2026-01-01T00:00:00Z"
    pages, token = [], None
    while True:
        more = {"next_token": token} if token else {}
        page = orders_api.get_orders([MARKETPLACE], created_after=since, max_results_per_page=7, **more).payload
        pages.append(len(page.orders))
        token = page.next_token
        if not token:
            break
    order_id = page.orders[0].amazon_order_id
    resource = {"method": "GET", "path": "/orders/v0/orders/{orderId}/address"}
    given = TokensApi(connected).create_restricted_data_token({"restrictedResources": [resource]})
    restricted = client()
    restricted.configuration.access_token_cache = SimpleNamespace(
        get_lwa_access_token=lambda: given.restricted_data_token
    )
    address = OrdersV0Api(restricted).get_order_address(order_id).payload.shipping_address
    new = SearchOrdersApi(connected).search_orders(created_after=since, marketplace_ids=[MARKETPLACE])

    wanted = {"reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": [MARKETPLACE]}
    report_id = reports.create_report(wanted).report_id
    while (report := reports.get_report(report_id)).processing_status != "DONE":
        time.sleep(0.1)
    document = reports.get_report_document(report.report_document_id)
    text = requests.get(document.url, timeout=10).content

    place = feeds.create_feed_document({"contentType": "application/json; charset=UTF-8"})
    put = requests.put(
        place.url, data=b'{"messages": []}', headers={"Content-Type": "application/json; charset=UTF-8"}, timeout=10
    )
    put.raise_for_status()
    feed = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": [MARKETPLACE],
        "inputFeedDocumentId": place.feed_document_id,
    }
    feed_id = feeds.create_feed(feed).feed_id
    return {
        "pages": pages,
        "orders": len(new.orders),
        "city": address.city,
        "rdt": given.restricted_data_token,
        "report_bytes": len(text),
        "feed": feeds.get_feed(feed_id).feed_type,
    }


def refused() -> dict[str, Any]:
    """Return the SDK's error for invalid credentials, without its own retries."""
    try:
        AccessTokenCache(
            ID, SECRET, HANDLE, oauth_endpoint=f"{URL}/auth/o2/token", max_retries=0
        ).get_lwa_access_token()
    except LwaException as error:
        return {"error": type(error).__name__, "cause": str(error.__cause__).partition(" for url")[0]}
    return {}


def stale() -> dict[str, Any]:
    """Return the SDK's error for an invented access token."""
    connected = client()
    connected.configuration.access_token_cache = SimpleNamespace(get_lwa_access_token=lambda: "eyJ.made.up")
    try:
        OrdersV0Api(connected).get_orders([MARKETPLACE], created_after="2026-01-01T00:00:00Z")
    except ApiException as error:
        return {"error": type(error).__name__, "status": error.status, "body": json.loads(error.body)}
    return {}


if __name__ == "__main__":
    print(json.dumps({"seen": seen, "refused": refused, "stale": stale}[sys.argv[1]]()))
