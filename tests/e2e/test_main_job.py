"""The main job over REST: connect a seller, see its status, see its orders; and everything that must be refused."""

from typing import Any

import httpx
import pytest
from sellergate_client import Sellergate

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

ORDERS = "/api/amazon/test/orders"
STATUS = "/api/amazon/test/status"
US = "ATVPDKIKX0DER"


def stages(document: dict[str, Any]) -> dict[str, str]:
    return {stage["name"]: stage["outcome"] for stage in document["stages"]}


async def test_a_seller_is_connected_and_its_orders_are_seen(rest: Rest, seller: Seller) -> None:
    account_id = await rest.connect(seller)
    status = await rest.request("GET", STATUS, params={"amazonAccountId": account_id})
    assert status.json()["state"] == "ACTIVE"
    assert stages(status.json()) == {"stored": "OK", "token": "OK", "role": "OK", "call": "OK"}
    orders = (await rest.request("GET", ORDERS, params={"amazonAccountId": account_id, "marketplaceId": US})).json()
    assert orders["operation"] == "orders/2026-01-01/searchOrders"
    assert len(orders["orders"]) > 5
    assert all(order["salesChannel"]["marketplaceId"] == US for order in orders["orders"])
    tried = stages(orders)
    assert tried.pop("role") in ("OK", "CACHED")  # depends on the session's age
    assert tried == {"stored": "OK", "token": "CACHED", "call": "OK"}, "the status check made an exchange a moment ago"


async def test_without_the_newer_role_the_older_orders_api_is_called(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    fault = {"kind": "403_expired", "operation": "orders/2026-01-01/searchOrders", "count": 2}
    assert (await control.post("/control/faults", json=fault)).is_success
    try:
        response = await rest.request("GET", ORDERS, params={"amazonAccountId": account_id, "marketplaceId": US})
    finally:
        await control.delete("/control/faults")
    assert response.json()["operation"] == "orders/v0/getOrders"
    assert response.json()["orders"]


@pytest.mark.parametrize(
    "path", [ORDERS, STATUS, "/api/amazon/accounts", "/api/amazon/accounts/x/sp-api/orders/v0/orders"]
)
async def test_without_a_token_401(rest: Rest, path: str) -> None:
    response = await rest.request("GET", path, None, params={"amazonAccountId": "x", "marketplaceId": US})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"


async def test_another_users_account_gets_the_response_of_an_unknown_one(rest: Rest, seller: Seller) -> None:
    account_id = await rest.connect(seller, "u1")
    for method, path in (
        ("GET", f"{ORDERS}?amazonAccountId={{}}&marketplaceId={US}"),
        ("GET", f"{STATUS}?amazonAccountId={{}}"),
        ("GET", "/api/amazon/accounts/{}"),
        ("DELETE", "/api/amazon/accounts/{}?hard=true"),
        ("GET", "/api/amazon/accounts/{}/sp-api/orders/v0/orders"),
    ):
        responses = [
            await rest.request(method, path.format(wanted_id), "u2") for wanted_id in (account_id, "no-such-account")
        ]
        assert [response.status_code for response in responses] == [404, 404], path
        documents = [{**response.json(), "requestId": ""} for response in responses]
        assert documents[0] == documents[1]
    assert (await rest.request("GET", f"/api/amazon/accounts/{account_id}", "u1")).status_code == 200


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"amazonAccountId": "x", "marketplaceId": "NOPE"}, "marketplaceId"),
        ({"amazonAccountId": "x"}, "marketplaceId"),
        ({"marketplaceId": US}, "amazonAccountId"),
        ({"amazonAccountId": "x", "marketplaceId": ""}, "marketplaceId"),
    ],
)
async def test_a_bad_parameter_is_named(rest: Rest, params: dict[str, str], field: str) -> None:
    response = await rest.request("GET", ORDERS, params=params)
    assert response.status_code == 400
    assert [violation["field"] for violation in response.json()["violations"]] == [field]
    assert field in response.json()["detail"]


async def test_a_revoked_authorization_is_reported_and_stored(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    revoked = await control.post("/control/secrets/revoke-grant", json={"refresh_token": seller.refresh_token})
    assert revoked.is_success
    response = await rest.request("GET", ORDERS, params={"amazonAccountId": account_id, "marketplaceId": US})
    assert response.status_code == 401
    assert response.json()["reason"] == "AUTHORIZATION_REVOKED"
    assert stages(response.json())["token"] == "FAILED"
    status = (await rest.request("GET", STATUS, params={"amazonAccountId": account_id})).json()
    assert status["state"] == "AUTHORIZATION_REVOKED"
    assert stages(status) == {"stored": "FAILED", "token": "SKIPPED", "role": "SKIPPED", "call": "SKIPPED"}


async def test_a_wrong_client_secret_is_reported(rest: Rest, seller: Seller) -> None:
    response = await rest.request("POST", "/api/amazon/accounts", json=seller.connection(lwaClientSecret="wrong"))
    params = {"amazonAccountId": response.json()["id"], "marketplaceId": US}
    refused = await rest.request("GET", ORDERS, params=params)
    assert (refused.status_code, refused.json()["reason"]) == (401, "LWA_CLIENT_REJECTED")


async def test_accounts_are_created_changed_and_deleted_over_rest(rest: Rest, seller: Seller) -> None:
    user = f"user-{seller.seller_id}"
    made = await rest.request("POST", "/api/amazon/accounts", user, json=seller.connection())
    assert made.status_code == 201
    path = made.headers["location"]
    assert made.json()["refreshTokenSet"] is True
    again = await rest.request("POST", "/api/amazon/accounts", user, json=seller.connection())
    assert (again.status_code, again.json()) == (200, made.json())
    assert (await rest.request("GET", "/api/amazon/accounts", user)).json()["accounts"] == [made.json()]

    etag = made.headers["etag"]
    patched = await rest.request("PATCH", path, user, json={"sandbox": True}, headers={"If-Match": etag})
    assert patched.json()["sandbox"] is True
    late = await rest.request("PATCH", path, user, json={"sandbox": False}, headers={"If-Match": etag})
    assert (late.status_code, late.json()["reason"]) == (409, "ETAG_MISMATCH")

    assert (await rest.request("DELETE", path, user)).status_code == 204
    assert (await rest.request("GET", path, user)).json()["state"] == "INACTIVE"
    params = {"amazonAccountId": made.json()["id"]}
    assert stages((await rest.request("GET", STATUS, user, params=params)).json())["stored"] == "FAILED"
    assert (await rest.request("DELETE", path, user, params={"hard": "true"})).status_code == 204
    assert (await rest.request("GET", path, user)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"iamRoleArn": "arn:aws:iam::1:role/x"}, "iamRoleArn"),
        ({"region": "nowhere"}, "region"),
        ({"marketplaceIds": ["NOPE"]}, "marketplaceIds[0]"),
        ({"refreshToken": None}, "refreshToken"),
        ({"nonsense": 1}, "nonsense"),
        ({}, "body"),
    ],
)
async def test_a_bad_change_is_named_and_nothing_is_changed(
    rest: Rest, seller: Seller, changes: dict[str, Any], field: str
) -> None:
    account_id = await rest.connect(seller)
    before = (await rest.request("GET", f"/api/amazon/accounts/{account_id}")).json()
    response = await rest.request("PATCH", f"/api/amazon/accounts/{account_id}", json=changes)
    assert response.status_code == 400
    assert [violation["field"] for violation in response.json()["violations"]] == [field]
    assert (await rest.request("GET", f"/api/amazon/accounts/{account_id}")).json() == before


async def test_the_pass_through_returns_amazons_response_unchanged(rest: Rest, seller: Seller) -> None:
    account_id = await rest.connect(seller)
    path = f"/api/amazon/accounts/{account_id}/sp-api"
    refused = await rest.request("GET", f"{path}/orders/v0/orders")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "InvalidInput"
    assert refused.headers["x-amzn-requestid"]
    raw = "/catalog/2022-04-01/items/B0%2FA%20b?keywords=a%2Cb,c&empty=&alone&keywords=%E2%82%AC"
    echoed = (await rest.request("GET", path + raw)).json()["echo"]
    assert f"{echoed['path']}?{echoed['query']}" == raw
    assert (await rest.request("GET", f"{path}/orders/v0/orders?x={'%2e' * 2}")).status_code == 400
    assert (await rest.request("GET", f"{path}/orders/%2e%2e/orders")).json()["reason"] == "INVALID_REQUEST"


async def test_an_internal_service_uses_the_client_library(rest: Rest, client: Sellergate, seller: Seller) -> None:
    account_id = await rest.connect(seller)
    response = await client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")
    assert response.json()["payload"][0]["marketplace"]["id"] == US
    assert response.operation == "sellers/v1/getMarketplaceParticipations"
    checked = await client.check_account(account_id, with_call=True)
    assert [stage.name for stage in checked.stages] == ["stored", "token", "role", "call"]
