"""python-amazon-sp-api, synchronous and asynchronous: orders with personal data, pages, a report, a feed, notifications."""

import asyncio
import io
import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

from sp_api.api import Feeds, Notifications, Orders, Reports, Sellers
from sp_api.asyncio.api import Feeds as AsyncFeeds
from sp_api.asyncio.api import Notifications as AsyncNotifications
from sp_api.asyncio.api import Orders as AsyncOrders
from sp_api.asyncio.api import Reports as AsyncReports
from sp_api.asyncio.auth import AccessTokenClient as AsyncAccessTokenClient
from sp_api.auth import AccessTokenClient
from sp_api.auth.exceptions import AuthorizationError

MARKETPLACE = "ATVPDKIKX0DER"
URL, ID, SECRET, HANDLE = (os.environ[name] for name in ("SDK_URL", "SDK_CLIENT_ID", "SDK_CLIENT_SECRET", "SDK_HANDLE"))
SINCE = "2026-01-01T00:00:00Z"
PLACE = SimpleNamespace(endpoint=URL, marketplace_id=MARKETPLACE, region="us-east-1")
SCHEME, HOST = URL.split("//")


class OurTokens(AccessTokenClient):
    scheme, host = f"{SCHEME}//", HOST


class OurAsyncTokens(AsyncAccessTokenClient):
    scheme, host = f"{SCHEME}//", HOST


def options(tokens: type) -> dict[str, Any]:
    credentials = {"refresh_token": HANDLE, "lwa_app_id": ID, "lwa_client_secret": SECRET}
    return {"marketplace": PLACE, "credentials": credentials, "auth_token_client_class": tokens}


def seen() -> dict[str, Any]:
    given = options(OurTokens)
    orders, reports, feeds = Orders(**given), Reports(**given), Feeds(**given)
    pages, more = [], {}
    while True:
        page = orders.get_orders(CreatedAfter=SINCE, MarketplaceIds=[MARKETPLACE], MaxResultsPerPage=7, **more)
        pages.append(len(page.payload["Orders"]))
        if not page.next_token:
            break
        more = {"NextToken": page.next_token}
    order_id = page.payload["Orders"][0]["AmazonOrderId"]
    elements = ["buyerInfo", "shippingAddress"]
    order = orders.get_order(order_id, RestrictedResources=elements)
    listed = orders.get_orders(
        RestrictedResources=elements, CreatedAfter=SINCE, MarketplaceIds=[MARKETPLACE], MaxResultsPerPage=2
    )
    new = Orders(**given, version="2026-01-01").search_orders(createdAfter=SINCE, marketplaceIds=[MARKETPLACE])

    made = reports.create_report(reportType="GET_MERCHANT_LISTINGS_ALL_DATA", marketplaceIds=[MARKETPLACE])
    while (report := reports.get_report(made.payload["reportId"]).payload)["processingStatus"] != "DONE":
        time.sleep(0.1)
    document = reports.get_report_document(report["reportDocumentId"], download=True).payload["document"]
    _, feed = feeds.submit_feed(
        "JSON_LISTINGS_FEED", io.BytesIO(b'{"messages": []}'), content_type="application/json; charset=UTF-8"
    )
    return {
        "pages": pages,
        "orders": len(new.payload["orders"]),
        "name": order.payload["ShippingAddress"]["Name"],
        "listed": [bool(one.get("ShippingAddress")) for one in listed.payload["Orders"]],
        "report_bytes": len(document),
        "feed": bool(feed.payload["feedId"]),
        "destinations": Notifications(**given).get_destinations().payload,
        "sellers": len(Sellers(**given).get_marketplace_participation().payload),
    }


async def seen_async() -> dict[str, Any]:
    given = options(OurAsyncTokens)
    async with AsyncOrders(**given) as orders, AsyncReports(**given) as reports, AsyncFeeds(**given) as feeds:
        page = await orders.get_orders(
            RestrictedResources=["shippingAddress"],
            CreatedAfter=SINCE,
            MarketplaceIds=[MARKETPLACE],
            MaxResultsPerPage=7,
        )
        made = await reports.create_report(reportType="GET_MERCHANT_LISTINGS_ALL_DATA", marketplaceIds=[MARKETPLACE])
        while True:
            report = (await reports.get_report(made.payload["reportId"])).payload
            if report["processingStatus"] == "DONE":
                break
            await asyncio.sleep(0.1)
        document = await reports.get_report_document(report["reportDocumentId"], download=True)
        _, feed = await feeds.submit_feed(
            "JSON_LISTINGS_FEED", io.BytesIO(b'{"messages": []}'), content_type="application/json; charset=UTF-8"
        )
    async with AsyncNotifications(**given) as notifications:
        destinations = (await notifications.get_destinations()).payload
    return {
        "listed": [bool(one.get("ShippingAddress")) for one in page.payload["Orders"]],
        "next": bool(page.next_token),
        "report_bytes": len(document.payload["document"]),
        "feed": bool(feed.payload["feedId"]),
        "destinations": destinations,
    }


def refused() -> dict[str, Any]:
    """Return the SDK's error for invalid credentials."""
    try:
        Orders(**options(OurTokens)).get_orders(CreatedAfter=SINCE, MarketplaceIds=[MARKETPLACE])
    except AuthorizationError as error:
        return {"error": type(error).__name__, "code": error.error_code, "status": error.status_code}
    return {}


if __name__ == "__main__":
    programs = {"seen": seen, "refused": refused, "seen_async": lambda: asyncio.run(seen_async())}
    print(json.dumps(programs[sys.argv[1]]()))
