"""Refusals of the SP-API addresses before an operation runs, and the headers of every response."""

import re
import socket
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sellergate_amazon.operations import Catalogue, Operation

from tests.contract.simulator.simulator_process import CANADA, GERMANY, JAPAN, US, Client, Simulator, running_simulator

PARTICIPATIONS = "/sellers/v1/marketplaceParticipations"
ACCOUNT = "/sellers/v1/account"
NOTIFICATIONS = "sellingpartnerapi::notifications"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def client(amazon: Simulator) -> Client:
    return amazon.client()


def error(response: httpx.Response) -> dict[str, Any]:
    errors = response.json()["errors"]
    assert len(errors) == 1
    return dict(errors[0])


def expect_denied(response: httpx.Response, details: str) -> None:
    assert response.status_code == 403
    assert error(response) == {
        "code": "Unauthorized",
        "message": "Access to requested resource is denied.",
        "details": details,
    }
    assert "x-amzn-ratelimit-limit" not in response.headers
    assert response.headers["x-amzn-requestid"]


def test_a_valid_call_gets_a_response_with_its_rate(client: Client) -> None:
    response = client.call("GET", PARTICIPATIONS)
    assert response.status_code == 200
    assert response.headers["x-amzn-ratelimit-limit"] == "0.016"
    assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["x-amzn-requestid"])
    assert [row["marketplace"]["id"] for row in response.json()["payload"]] == [US]


@pytest.mark.parametrize("path", ["/", "/orders", "/orders/v0/orders/", "/nothing/v1/here", "/orders%2Fv0/orders"])
def test_an_unknown_route(client: Client, path: str) -> None:
    response = client.call("GET", path)
    assert (response.status_code, error(response)["code"]) == (403, "MissingAuthenticationToken")
    assert response.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_the_token_is_missing(amazon: Simulator) -> None:
    expect_denied(amazon.http.get(amazon.url("na") + ACCOUNT), "Access token is missing in the request header.")


def test_the_token_is_unknown(client: Client) -> None:
    response = client.call("GET", ACCOUNT, token="Atza|garbled")
    expect_denied(response, "The access token you provided is revoked, malformed or invalid.")


def test_the_token_has_expired(client: Client) -> None:
    client.simulator.post_control("tokens", {"life_seconds": 0.05})
    token = client.access_token()
    client.simulator.post_control("tokens", {"life_seconds": 3600})
    time.sleep(0.1)
    response = client.call("GET", ACCOUNT, token=token)
    expect_denied(response, "The access token you provided has expired.")
    assert response.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_a_reset_with_tokens_deletes_them(client: Client) -> None:
    token = client.access_token()
    client.simulator.post_control("reset")
    assert client.call("GET", ACCOUNT, token=token).status_code == 200
    client.simulator.post_control("reset", {"tokens": True})
    expect_denied(
        client.call("GET", ACCOUNT, token=token), "The access token you provided is revoked, malformed or invalid."
    )


def test_a_seller_is_known_only_in_its_regions(amazon: Simulator) -> None:
    client = amazon.client(US, GERMANY)
    assert client.call("GET", ACCOUNT, address="na").status_code == 200
    assert client.call("GET", ACCOUNT, address="eu").status_code == 200
    assert client.call("GET", ACCOUNT, address="sandbox").status_code == 200
    expect_denied(client.call("GET", ACCOUNT, address="fe"), "")


def test_a_grantless_operation_needs_a_token_of_its_scope(client: Client) -> None:
    destinations = "/notifications/v1/destinations"
    token = client.exchange(grant_type="client_credentials", scope=NOTIFICATIONS).json()["access_token"]
    assert client.call("GET", destinations, token=token).status_code == 200
    assert client.call("GET", destinations, token=token, address="eu").status_code == 200
    expect_denied(client.call("GET", destinations), "")
    expect_denied(client.call("GET", ACCOUNT, token=token), "")
    expect_denied(client.call("POST", "/applications/2023-11-30/clientSecret", token=token), "")


def test_a_get_with_a_body_never_reaches_the_api(client: Client) -> None:
    response = client.call("GET", ACCOUNT, content=b"{}")
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/html")
    assert client.call("GET", ACCOUNT, headers={"Content-Length": "0"}).status_code == 200
    assert client.call("GET", ACCOUNT, content=iter([b"{}"])).status_code == 400


def test_a_long_user_agent(client: Client) -> None:
    assert client.call("GET", ACCOUNT, headers={"User-Agent": "x" * 500}).status_code == 200
    refused = client.call("GET", ACCOUNT, headers={"User-Agent": "x" * 501})
    assert (refused.status_code, "User-Agent" in error(refused)["message"]) == (400, True)


@pytest.mark.parametrize("name", ["marketplaceIds", "MarketplaceIds", "marketplaceId", "MarketplaceId"])
def test_marketplaces_in_the_query(client: Client, name: str) -> None:
    unknown = client.call("GET", f"{ACCOUNT}?{name}={US},AXXXXXXXXXXXXX")
    assert unknown.status_code == 400
    assert error(unknown)["code"] == "InvalidInput"
    assert name in error(unknown)["message"]
    assert "AXXXXXXXXXXXXX" in error(unknown)["message"]
    assert unknown.headers["x-amzn-ratelimit-limit"] == "0.016"
    expect_denied(client.call("GET", f"{ACCOUNT}?{name}={JAPAN}"), "")
    expect_denied(client.call("GET", f"{ACCOUNT}?{name}={CANADA}"), "")
    assert client.call("GET", f"{ACCOUNT}?{name}={US}").status_code == 200


def test_sandbox_and_production_have_their_own_operations(client: Client) -> None:
    item = "/fba/inventory/v1/items"
    assert client.call("POST", item, json={}, address="sandbox").status_code == 200
    assert error(client.call("POST", item, json={}))["code"] == "MissingAuthenticationToken"
    content = "/aplus/2020-11-01/contentDocuments"
    assert client.call("GET", content).status_code == 200
    assert error(client.call("GET", content, address="sandbox"))["code"] == "MissingAuthenticationToken"


def test_the_raw_path_and_query_arrive_as_sent(client: Client) -> None:
    query = "b=2&a=%2C,+%20&a=&flag"
    path = f"/messaging/v1/orders/{quote('ä/b c', safe='')}/attributes"
    echo = client.call("GET", f"{path}?{query}").json()["echo"]
    assert (echo["path"], echo["query"]) == (path, query)
    assert echo["path_params"] == {"amazonOrderId": "ä/b c"}


def test_the_body_arrives_as_sent(client: Client) -> None:
    body = b'{"n": 9007199254740993, "a":1.0}'
    path = "/solicitations/v1/orders/1/solicitations/productReviewAndSellerFeedback"
    headers = {"Content-Type": "application/json; x=y"}
    response = client.call("POST", f"{path}?marketplaceIds={US}", content=body, headers=headers)
    echo = response.json()["echo"]
    assert response.status_code == 201
    assert echo["content_type"] == "application/json; x=y"
    assert echo["body_length"] == len(body)
    assert echo["body_sha256"] == sha256(body).hexdigest()


def sample_call(operation: Operation, seller: str) -> str:
    params = {name: seller if name == "sellerId" else f"x-{name}" for name in operation.parameter_names}
    return operation.expand(params)


# Operations with required arguments; their own tests call them with valid ones.
INCOMPLETE = {
    "orders/v0/getOrders", "orders/v0/getOrder", "orders/v0/getOrderItems", "orders/v0/getOrderBuyerInfo",
    "orders/v0/getOrderAddress", "orders/v0/getOrderItemsBuyerInfo", "orders/v0/confirmShipment",
    "orders/2026-01-01/searchOrders", "orders/2026-01-01/getOrder", "fba-inventory/v1/getInventorySummaries",
    "listings-items/2021-08-01/getListingsItem", "listings-items/2021-08-01/searchListingsItems",
    "tokens/2021-03-01/createRestrictedDataToken", "reports/2021-06-30/createReport",
    "reports/2021-06-30/getReports", "reports/2021-06-30/getReport", "reports/2021-06-30/cancelReport",
    "reports/2021-06-30/getReportDocument", "feeds/2021-06-30/createFeedDocument", "feeds/2021-06-30/createFeed",
    "feeds/2021-06-30/getFeeds", "feeds/2021-06-30/getFeed", "feeds/2021-06-30/cancelFeed",
    "feeds/2021-06-30/getFeedDocument", "application-management/2023-11-30/rotateApplicationClientSecret",
}  # fmt: skip


def test_every_operation_responds_in_its_envelope(client: Client) -> None:
    seller = client.access_token()
    scopes = {o.grantless_scope for o in Catalogue.load() if o.grantless_scope}
    grantless = {
        scope: client.exchange(grant_type="client_credentials", scope=scope).json()["access_token"] for scope in scopes
    }
    for operation in Catalogue.load():
        token = grantless[operation.grantless_scope] if operation.grantless_scope else seller
        address = "sandbox" if operation.sandbox_only else "na"
        path = sample_call(operation, client.selling_partner_id)
        response = client.call(operation.method, path, token=token, address=address)
        count = client.simulator.operation(operation.name) if operation.name in INCOMPLETE else None
        if count is not None:
            assert response.status_code in {400, 403, 404}, operation.name
            assert count["executions"] == 0, operation.name
            continue
        assert response.status_code == operation.success_status, (operation.name, response.text)
        assert response.headers["x-amzn-ratelimit-limit"], operation.name
        if operation.envelope is None or response.status_code == 204:
            assert response.content == b"", operation.name
            continue
        document = response.json()
        if operation.name == "sellers/v1/getMarketplaceParticipations":
            continue
        content = document[0] if operation.envelope == "array" else document
        content = content["payload"] if operation.envelope == "payload" else content
        assert content["echo"]["operation"] == operation.name
        items = (operation.page_list or "items").rpartition(".")[2]
        assert (items in content) == (operation.paginated_by is not None)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_long_line_has_a_response_that_a_client_can_read(client: Client, method: str) -> None:
    path = "/delivery/2022-07-01/invoice/status?" + "a=1&" * 7_500
    with socket.create_connection(("127.0.0.1", client.simulator.ports["na"]), timeout=5) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403")
    assert (body == b"") == (method == "HEAD")


def test_bytes_that_are_not_http_do_no_harm(amazon: Simulator) -> None:
    for rubbish in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET /%zz?%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"* * *\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", amazon.ports["na"]), timeout=5) as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(100)
    assert amazon.control("GET", "health").status_code == 200


@pytest.mark.parametrize("path", ["/shipping/v2/carrierAccounts/a/unlink", "/auth/o2/token"])
@pytest.mark.parametrize("address", ["main", "na"])
def test_a_body_that_its_encoding_cannot_decode_is_refused(amazon: Simulator, address: str, path: str) -> None:
    headers = {"content-encoding": "gzip", "x-amz-access-token": "Atza|x"}
    response = amazon.http.post(
        f"{amazon.url(address)}{path}", headers=headers, content=b"\xc4\xa4\x14\xc2\xf5\x0b\x82^"
    )
    assert response.status_code == 400
    assert "Content-Encoding" in error(response)["message"]
