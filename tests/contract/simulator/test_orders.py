"""Both Orders APIs, inventory and listings over the seeded data, and personal data with an RDT."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.simulator.simulator_process import CANADA, GERMANY, US, Client, Simulator, running_simulator

V0, V2026 = "/orders/v0/orders", "/orders/2026-01-01/orders"
LONG_AGO = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        simulator.post_control("rates", {"scale": 1000, "burst_scale": 10})
        yield simulator


@pytest.fixture
def client(amazon: Simulator) -> Client:
    return amazon.client(US, CANADA, GERMANY)


def known(client: Client) -> list[dict[str, Any]]:
    return list(client.simulator.control("GET", f"orders/{client.selling_partner_id}").json()["orders"])


def ids(client: Client, *marketplaces: str) -> list[str]:
    return [order["order_id"] for order in known(client) if order["marketplace_id"] in marketplaces]


def pages(first: Callable[[str], httpx.Response], items: str, token: Callable[[Any], str | None]) -> list[list[Any]]:
    found, query = [], ""
    while True:
        document = first(query).raise_for_status().json()
        inner: Any = document
        for step in items.split("."):
            inner = inner[step]
        found.append(inner)
        following = token(document)
        if following is None:
            return found
        query = quote(following, safe="")


def test_thirty_orders_over_the_last_ten_days(client: Client) -> None:
    orders = known(client)
    assert len({order["order_id"] for order in orders}) == 30
    times = [datetime.fromisoformat(order["purchase_time"]) for order in orders]
    assert times == sorted(times)
    assert datetime.now(UTC) - timedelta(days=10, minutes=1) < times[0]
    assert times[-1] < datetime.now(UTC)
    assert {order["status"] for order in orders} == {"pending", "unshipped", "shipped", "canceled"}


def test_data_depend_only_on_the_seller(client: Client) -> None:
    other = client.simulator.client(US, CANADA, GERMANY)
    assert set(ids(client, US)).isdisjoint(ids(other, US))
    with running_simulator() as again:
        seller = {"selling_partner_id": client.selling_partner_id, "marketplace_ids": [US, CANADA, GERMANY]}
        again.post_control("seed", {"sellers": [seller]})
        orders = again.control("GET", f"orders/{client.selling_partner_id}").json()["orders"]
    assert [order["order_id"] for order in orders] == ids(client, US, CANADA, GERMANY)


def test_v0_lists_what_the_marketplaces_have(client: Client) -> None:
    document = client.call("GET", f"{V0}?MarketplaceIds={US},{CANADA}&CreatedAfter={LONG_AGO}").json()
    payload = document["payload"]
    assert [order["AmazonOrderId"] for order in payload["Orders"]] == ids(client, US, CANADA)
    assert "NextToken" not in payload
    assert payload["CreatedBefore"]
    assert all("BuyerInfo" not in order and "ShippingAddress" not in order for order in payload["Orders"])


def test_v0_pages_by_next_token(client: Client) -> None:
    token = client.access_token()

    def page(following: str) -> httpx.Response:
        query = f"&NextToken={following}" if following else f"&CreatedAfter={LONG_AGO}&MaxResultsPerPage=4"
        return client.call("GET", f"{V0}?MarketplaceIds={US}{query}", token=token)

    found = pages(page, "payload.Orders", lambda document: document["payload"].get("NextToken"))
    assert [len(orders) for orders in found] == [4, 4, 2]
    assert [order["AmazonOrderId"] for orders in found for order in orders] == ids(client, US)


def test_v0_filters(client: Client) -> None:
    base = f"{V0}?MarketplaceIds={US}"
    shipped = client.call("GET", f"{base}&CreatedAfter={LONG_AGO}&OrderStatuses=Shipped").json()["payload"]["Orders"]
    expected = [
        order["order_id"] for order in known(client) if (order["marketplace_id"], order["status"]) == (US, "shipped")
    ]
    assert [order["AmazonOrderId"] for order in shipped] == expected
    middle = known(client)[15]["purchase_time"]
    before = client.call("GET", f"{base}&CreatedAfter={LONG_AGO}&CreatedBefore={middle}").json()["payload"]["Orders"]
    after = client.call("GET", f"{base}&LastUpdatedAfter={middle}").json()["payload"]["Orders"]
    assert before
    assert all(order["PurchaseDate"] <= middle for order in before)
    assert after
    assert all(order["LastUpdateDate"] >= middle for order in after)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (f"{V0}?CreatedAfter={LONG_AGO}", "MarketplaceIds"),
        (f"{V0}?MarketplaceIds={US}", "CreatedAfter"),
        (f"{V0}?MarketplaceIds={US}&CreatedAfter=yesterday", "CreatedAfter"),
        (f"{V0}?MarketplaceIds={US}&CreatedAfter={LONG_AGO}&MaxResultsPerPage=101", "MaxResultsPerPage"),
        (f"{V0}?MarketplaceIds={US}&NextToken=rubbish", "NextToken"),
        (V2026, "createdAfter"),
        (f"{V2026}?createdAfter={LONG_AGO}&lastUpdatedAfter={LONG_AGO}", "createdAfter"),
        (f"{V2026}?createdAfter={LONG_AGO}&createdBefore=2999-01-01", "createdBefore"),
        (f"{V2026}?createdAfter={LONG_AGO}&paginationToken=rubbish", "paginationToken"),
        (f"/fba/inventory/v1/summaries?marketplaceIds={US}", "granularityType"),
        ("/fba/inventory/v1/summaries?granularityType=Marketplace", "marketplaceIds"),
    ],
    ids=lambda value: value.replace(LONG_AGO, "LONG_AGO"),  # the same order in every worker
)
def test_wrong_arguments_are_named(client: Client, path: str, named: str) -> None:
    response = client.call("GET", path)
    error = response.json()["errors"][0]
    assert (response.status_code, error["code"]) == (400, "InvalidInput")
    assert named in error["message"]
    assert response.headers["x-amzn-errortype"] == "ValidationException"


def test_2026_lists_bare_and_pages_with_all_parameters(client: Client) -> None:
    token = client.access_token()

    def page(following: str) -> httpx.Response:
        query = f"createdAfter={LONG_AGO}&marketplaceIds={US}&maxResultsPerPage=6"
        return client.call("GET", f"{V2026}?{query}&paginationToken={following}", token=token)

    found = pages(page, "orders", lambda document: document["pagination"].get("nextToken"))
    assert [len(orders) for orders in found] == [6, 4]
    assert [order["orderId"] for orders in found for order in orders] == ids(client, US)


def test_2026_without_marketplaces_means_those_of_the_region(client: Client) -> None:
    na = client.call("GET", f"{V2026}?createdAfter={LONG_AGO}").json()["orders"]
    eu = client.call("GET", f"{V2026}?createdAfter={LONG_AGO}", address="eu").json()["orders"]
    assert [order["orderId"] for order in na] == ids(client, US, CANADA)
    assert [order["orderId"] for order in eu] == ids(client, GERMANY)


def test_2026_returns_the_data_that_included_data_names(client: Client) -> None:
    order_id = ids(client, US)[0]
    bare = client.call("GET", f"{V2026}/{order_id}").json()["order"]
    full = client.call("GET", f"{V2026}/{order_id}?includedData=BUYER,RECIPIENT,PROCEEDS,FULFILLMENT").json()["order"]
    assert bare["orderId"] == full["orderId"] == order_id
    assert set(full) - set(bare) == {"buyer", "recipient", "proceeds", "fulfillment"}


def test_orders_of_others_and_of_other_regions_are_not_found(client: Client) -> None:
    stranger = client.simulator.client()
    for path in (f"{V0}/{ids(client, US)[0]}", f"{V2026}/{ids(client, US)[0]}"):
        assert client.call("GET", path).status_code == 200
        assert stranger.call("GET", path).status_code == 404
        assert client.call("GET", path, address="eu").status_code == 404


def test_a_page_token_is_invalid_for_another_seller(client: Client) -> None:
    document = client.call("GET", f"{V2026}?createdAfter={LONG_AGO}&maxResultsPerPage=1").json()
    token = quote(document["pagination"]["nextToken"], safe="")
    stranger = client.simulator.client()
    assert stranger.call("GET", f"{V2026}?createdAfter={LONG_AGO}&paginationToken={token}").status_code == 400


def test_items_and_shipments(client: Client) -> None:
    order = next(o for o in known(client) if o["status"] == "unshipped" and o["marketplace_id"] != GERMANY)
    order_id = order["order_id"]
    items = client.call("GET", f"{V0}/{order_id}/orderItems").json()["payload"]["OrderItems"]
    assert len(items) == order["items"]
    path = f"{V0}/{order_id}/shipmentConfirmation"
    assert client.call("POST", path, json={"marketplaceId": US}).status_code == 400
    confirmed = client.call("POST", path, json={"marketplaceId": US, "packageDetail": {}})
    assert (confirmed.status_code, confirmed.content) == (204, b"")
    assert client.call("GET", f"{V0}/{order_id}").json()["payload"]["OrderStatus"] == "Shipped"


def test_a_restricted_token_reveals_the_data_that_it_names(client: Client) -> None:
    order_id = ids(client, US)[0]
    path = f"{V0}/{order_id}"
    buyer = client.restricted_token({"method": "GET", "path": path, "dataElements": ["buyerInfo"]})
    assert buyer.startswith("Atz.sprdt|")
    shown = client.call("GET", path, token=buyer).json()["payload"]
    assert "BuyerInfo" in shown
    assert "ShippingAddress" not in shown
    both = client.restricted_token(
        {"method": "GET", "path": f"{V0}/{{orderId}}", "dataElements": ["buyerInfo", "shippingAddress"]},
        {"method": "GET", "path": V0, "dataElements": ["shippingAddress"]},
    )
    assert "ShippingAddress" in client.call("GET", path, token=both).json()["payload"]
    listed = client.call("GET", f"{V0}?MarketplaceIds={US}&CreatedAfter={LONG_AGO}", token=both).json()
    assert all("ShippingAddress" in order and "BuyerInfo" not in order for order in listed["payload"]["Orders"])


def test_a_restricted_token_reveals_no_other_data(client: Client) -> None:
    first, second = ids(client, US)[:2]
    token = client.restricted_token({"method": "GET", "path": f"{V0}/{first}/address"})
    assert client.call("GET", f"{V0}/{first}/address", token=token).json()["payload"]["ShippingAddress"]["Name"]
    for path in (f"{V0}/{second}/address", f"{V0}/{first}", f"{V0}/{first}/buyerInfo", "/sellers/v1/account"):
        refused = client.call("GET", path, token=token)
        assert (refused.status_code, refused.json()["errors"][0]["details"]) == (403, "")


@pytest.mark.parametrize("part", ["address", "buyerInfo", "orderItems/buyerInfo"])
def test_purely_personal_operations_need_a_restricted_token(client: Client, part: str) -> None:
    order_id = ids(client, US)[0]
    assert client.call("GET", f"{V0}/{order_id}/{part}").status_code == 403
    token = client.restricted_token({"method": "GET", "path": f"{V0}/{{orderId}}/{part}"})
    assert client.call("GET", f"{V0}/{order_id}/{part}", token=token).status_code == 200


@pytest.mark.parametrize(
    ("resources", "named"),
    [
        ([], "restrictedResources"),
        ([{"method": "GET"}], "path"),
        ([{"method": "GET", "path": V2026}], V2026),
        ([{"method": "POST", "path": V0}], "POST"),
        ([{"method": "GET", "path": V0, "dataElements": ["buyerTaxInformation"]}], "dataElements"),
        ([{"method": "GET", "path": "/reports/2021-06-30/documents/{reportDocumentId}"}], "specific"),
        ([{"method": "GET", "path": f"{V0}/{{orderId}}/address"}] * 51, "50"),
    ],
)
def test_wrong_restricted_resources(client: Client, resources: list[Any], named: str) -> None:
    path = "/tokens/2021-03-01/restrictedDataToken"
    response = client.call("POST", path, json={"restrictedResources": resources})
    assert response.status_code == 400
    assert named in response.json()["errors"][0]["message"]


def test_inventory_has_its_pagination_beside_the_payload(client: Client) -> None:
    token = client.access_token()

    def page(following: str) -> httpx.Response:
        query = f"granularityType=Marketplace&granularityId={US}&marketplaceIds={US}&details=true"
        return client.call("GET", f"/fba/inventory/v1/summaries?{query}&nextToken={following}", token=token)

    found = pages(page, "payload.inventorySummaries", lambda document: document.get("pagination", {}).get("nextToken"))
    assert [len(rows) for rows in found] == [25, 15]
    assert len({row["sellerSku"] for rows in found for row in rows}) == 40
    assert "inventoryDetails" in found[0][0]


def test_listings_give_a_next_token_and_take_a_page_token(client: Client) -> None:
    base = f"/listings/2021-08-01/items/{client.selling_partner_id}"
    first = client.call("GET", f"{base}?marketplaceIds={US}&pageSize=20").json()
    token = quote(first["pagination"]["nextToken"], safe="")
    second = client.call("GET", f"{base}?marketplaceIds={US}&pageSize=20&pageToken={token}").json()
    assert (first["numberOfResults"], len(first["items"]), len(second["items"])) == (40, 20, 20)
    assert second["pagination"] == {}
    sku = first["items"][0]["sku"]
    assert client.call("GET", f"{base}/{quote(sku, safe='')}?marketplaceIds={US}").json()["sku"] == sku
    assert client.call("GET", f"{base}/nothing?marketplaceIds={US}").status_code == 404
    assert client.call("GET", f"/listings/2021-08-01/items/SOMEBODY?marketplaceIds={US}").status_code == 403
