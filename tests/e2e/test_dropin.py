"""The drop-in endpoint without an SDK: the scope of each token, and refusals in Amazon's form."""

import asyncio
import base64
import json
import time
from collections import Counter
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e.conftest import Rest
from tests.e2e.dropin import TOKEN, DropIn, neighbour
from tests.e2e.sellers import Seller

SELLERS = "/sellers/v1/marketplaceParticipations"
DESTINATIONS = "/notifications/v1/destinations"
RDT = "/tokens/2021-03-01/restrictedDataToken"
NOTIFICATIONS = "sellingpartnerapi::notifications"


@pytest.fixture
def user(seller: Seller) -> str:
    return f"drop-{seller.seller_id}"


@pytest.fixture
async def account_id(rest: Rest, seller: Seller, user: str, fast: None) -> str:
    return await rest.connect(seller, user)


@pytest.fixture
async def sdk(rest: Rest, user: str, account_id: str) -> DropIn:
    return await DropIn.made(rest, user, account_id)


async def call(
    rest: Rest, token: str | None, path: str = SELLERS, method: str = "GET", **given: Any
) -> tuple[int, str, str]:
    """Call as an SDK; return the status, and the first error's code and details."""
    headers = {"x-amz-access-token": token} if token is not None else {}
    response = await rest.client.request(method, path, headers=headers, **given)
    rest.responses.append(response.content)
    assert response.headers["content-type"] == "application/json"
    errors = response.json().get("errors") or [{"code": "", "details": ""}]
    return response.status_code, errors[0]["code"], errors[0]["details"]


async def test_a_token_is_issued_for_a_form_and_for_json(rest: Rest, sdk: DropIn) -> None:
    for given in ({"data": sdk.form()}, {"json": sdk.form()}):
        response = await rest.client.post(TOKEN, **given)
        document = response.json()
        assert (response.status_code, document["token_type"], document["expires_in"]) == (200, "bearer", 3600)
        assert document["refresh_token"] == sdk.handle
        assert response.headers["cache-control"] == "no-store"
        assert jwt.get_unverified_header(document["access_token"])["typ"] == "sg-dropin+jwt"
        assert (await call(rest, document["access_token"]))[0] == 200


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"client_secret": ""}, 400, "invalid_request"),
        ({"refresh_token": ""}, 400, "invalid_request"),
        ({"client_id": "sgc_nobody"}, 401, "invalid_client"),
        ({"client_id": "x" * 1000}, 401, "invalid_client"),
        ({"client_secret": "sgs_wrong"}, 401, "invalid_client"),
        ({"refresh_token": "sgr_wrong"}, 400, "invalid_grant"),
        ({"refresh_token": "Atzr|ours-is-not-amazons"}, 400, "invalid_grant"),
        (
            {"grant_type": "client_credentials", "refresh_token": "", "scope": "sellingpartnerapi::other"},
            400,
            "invalid_scope",
        ),
    ],
)
async def test_refusals_of_the_token_url_equal_lwas(
    rest: Rest, sdk: DropIn, changes: dict[str, str], status: int, error: str
) -> None:
    response = await sdk.exchange(rest.client, **changes)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json()["error_description"]


async def test_invalid_bodies_are_refused_as_by_lwa(rest: Rest) -> None:
    for given, status in (
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"[]", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"\xff\xfe", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 400),
        ({"content": b"x"}, 400),
        ({"content": b"x" * 20_000, "headers": {"content-type": "application/json"}}, 413),
    ):
        response = await rest.client.post(TOKEN, **given)  # type: ignore[arg-type]
        assert response.status_code == status
        assert response.json()["error"]


async def test_no_kind_of_token_is_accepted_as_another(rest: Rest, sdk: DropIn, user: str, account_id: str) -> None:
    drop_in_token = await sdk.token(rest.client)
    bearer = rest.suite.jwt(user)
    secret = (rest.suite.plan.state.folder / "keys" / "jwt").read_text().strip()
    kid, ring = (rest.suite.plan.state.folder / "keys" / "dropin").read_text().split()
    key = base64.urlsafe_b64decode(ring + "==")
    claims = {"sub": sdk.client_id, "usr": user, "acc": account_id, "aud": "sellergate-dropin", "exp": time.time() + 60}
    head = {"kid": kid, "typ": "sg-dropin+jwt"}
    assert (await call(rest, jwt.encode(claims, key, "HS512", head)))[0] == 200
    for forged in (
        bearer,
        jwt.encode(claims, secret, "HS256", head),
        jwt.encode(claims, key, "HS256", head),
        jwt.encode(claims, None, "none", head),
        jwt.encode(claims, key, "HS512", {**head, "typ": "JWT"}),
        jwt.encode(claims, key, "HS512", {**head, "typ": "sg-rdt+jwt"}),
        jwt.encode(claims, key, "HS512", {"typ": "sg-dropin+jwt"}),
        jwt.encode({**claims, "aud": "sellergate"}, key, "HS512", head),
        jwt.encode({**claims, "res": "GET"}, key, "HS512", head),
        "",
        "x" * 5000,
        sdk.handle,
    ):
        status, code, _ = await call(rest, forged)
        assert (status, code) == (403, "Unauthorized"), forged[:80]
    expired = jwt.encode({**claims, "exp": time.time() - 1}, key, "HS512", head)
    assert await call(rest, expired) == (403, "Unauthorized", "The access token you provided has expired.")
    assert "missing" in (await call(rest, None))[2]
    for token in (drop_in_token, jwt.encode({"sub": user, "exp": time.time() + 60}, secret, "HS256")):
        response = await rest.client.get("/api/amazon/accounts", headers={"Authorization": f"Bearer {token}"})
        assert (response.status_code, response.json()["reason"]) == (401, "CALLER_UNAUTHENTICATED")


async def test_a_revoked_client_stops_within_seconds_and_a_deleted_account_is_an_ended_authorization(
    rest: Rest, sdk: DropIn, user: str, account_id: str
) -> None:
    token = await sdk.token(rest.client)
    assert (await call(rest, token))[0] == 200
    await rest.request("DELETE", f"/api/amazon/accounts/{account_id}", user)
    response = await sdk.exchange(rest.client)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    other = await DropIn.made(rest, user, account_id)
    assert (await rest.request("DELETE", f"/api/amazon/clients/{sdk.client_id}", user)).status_code == 204
    end = time.monotonic() + 8
    while "revoked" not in (await call(rest, token))[2]:
        assert time.monotonic() < end
        await asyncio.sleep(0.5)
    await rest.request("DELETE", f"/api/amazon/accounts/{account_id}?hard=true", user)
    assert (await other.exchange(rest.client)).json()["error"] == "invalid_grant"


async def test_a_grantless_token_opens_only_its_own_operations(
    rest: Rest, sdk: DropIn, user: str, account_id: str, control: httpx.AsyncClient
) -> None:
    grantless = {"grant_type": "client_credentials", "refresh_token": "", "scope": NOTIFICATIONS}
    token = await sdk.token(rest.client, **grantless)
    assert (await call(rest, token, DESTINATIONS))[0] == 200
    for path, method in ((SELLERS, "GET"), ("/applications/2023-11-30/clientSecret", "POST"), (RDT, "POST")):
        assert (await call(rest, token, path, method))[0] == 403
    assert (await call(rest, await sdk.token(rest.client), DESTINATIONS))[0] == 403
    subscription = "/notifications/v1/subscriptions/ORDER_CHANGE/s1"
    assert (await call(rest, await sdk.token(rest.client), subscription, "DELETE"))[0] == 200, "of either token"
    assert (await call(rest, await sdk.token(rest.client), subscription, "GET"))[0] == 403
    second = await Seller.seeded(control)
    both = await DropIn.made(rest, user, account_id, await rest.connect(second, user))
    refused = await both.exchange(rest.client, **grantless)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


async def test_a_drop_in_restricted_token_opens_the_resources_that_it_names(
    rest: Rest, sdk: DropIn, control: httpx.AsyncClient
) -> None:
    token = await sdk.token(rest.client)
    named = {"restrictedResources": [{"method": "GET", "path": "/orders/v0/orders/{orderId}/address"}]}
    before = (await control.get("/control/counters")).json()["operations"]
    tokens = []
    for _ in range(3):
        response = await rest.client.post(RDT, json=named, headers={"x-amz-access-token": token})
        assert response.status_code == 200
        assert set(response.json()) == {"restrictedDataToken", "expiresIn"}
        assert 0 < response.json()["expiresIn"] <= 3600
        tokens.append(response.json()["restrictedDataToken"])
    after = (await control.get("/control/counters")).json()["operations"]
    path = "tokens/2021-03-01/createRestrictedDataToken"
    assert after[path]["calls"] - before.get(path, {"calls": 0})["calls"] == 1, "kept by the gateway"
    assert jwt.get_unverified_header(tokens[0])["typ"] == "sg-rdt+jwt"
    listed = "/orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER&CreatedAfter=2026-01-01T00:00:00Z"
    orders = (await rest.client.get(listed, headers={"x-amz-access-token": token})).json()["payload"]["Orders"]
    order = orders[0]["AmazonOrderId"]
    address = await rest.client.get(f"/orders/v0/orders/{order}/address", headers={"x-amz-access-token": tokens[0]})
    assert address.json()["payload"]["ShippingAddress"]["City"]
    assert (await call(rest, tokens[0], f"/orders/v0/orders/{order}/buyerInfo"))[0] == 403
    assert (await call(rest, tokens[0], RDT, "POST", json=named))[0] == 403
    for wrong in ({}, {"restrictedResources": "x"}, {"restrictedResources": [{"method": "GET", "path": SELLERS}]}, []):
        assert (await call(rest, token, RDT, "POST", json=wrong))[:2] == (400, "InvalidInput")
    assert (await call(rest, token, RDT, "POST", json={**named, "targetApplication": "amzn1.x"}))[0] == 400


async def test_amazons_responses_are_unchanged_and_sellergates_failures_have_amazons_shape(
    rest: Rest, sdk: DropIn, account_id: str
) -> None:
    token = await sdk.token(rest.client)
    headers = {"x-amz-access-token": token}
    refused = await rest.client.get("/orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER", headers=headers)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "InvalidInput"
    assert refused.headers["x-amzn-requestid"]
    assert (await call(rest, token, "/no/such/path"))[0] in (403, 404)
    assert (await call(rest, token, "/orders/v0/orders?MarketplaceIds=A1PA6795UKMFR9"))[:2] == (400, "InvalidInput")
    assert (await rest.client.get("/no/such/path")).headers["content-type"] == "application/problem+json"


async def test_guesses_are_limited_and_lock_no_client_out(rest: Rest, sdk: DropIn) -> None:
    """The client has made no exchange yet, and shares its address with the guessing clients."""
    async with neighbour(rest.suite, "127.0.0.90") as client:
        at_once = await asyncio.gather(*(sdk.exchange(client, client_secret=f"sgs_{n}") for n in range(90)))
        assert Counter(response.status_code for response in at_once) == {401: 10, 429: 80}
        refused = next(response for response in at_once if response.status_code == 429)
        assert refused.headers["retry-after"] == "60"
        assert json.loads(refused.content)["error"] == "temporarily_unavailable"
        assert (await sdk.exchange(client)).status_code == 200

        async def guess(number: int) -> int:
            return (await sdk.exchange(client, client_id=f"sgc_{number}")).status_code

        invented = [asyncio.create_task(guess(number)) for number in range(200)]
        right = [(await sdk.exchange(client)).status_code for _ in range(20)]
        assert right == [200] * 20
        # The address has already made ten guesses.
        assert Counter(await asyncio.gather(*invented)) == {401: 90, 429: 110}
        assert (await sdk.exchange(client, refresh_token="sgr_wrong")).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("length", [129, 256])
async def test_a_long_client_id_is_not_an_outage(rest: Rest, sdk: DropIn, length: int) -> None:
    response = await sdk.exchange(rest.client, client_id="x" * length)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("content", [b"[" * 15_000, b'{"a":' * 3_000, b'{"client_id": "\\ud800"}', b"[]", b"\xff"])
async def test_an_invalid_document_is_refused(rest: Rest, content: bytes) -> None:
    response = await rest.client.post(TOKEN, content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_no_spelling_of_the_path_returns_amazons_token(
    rest: Rest, sdk: DropIn, user: str, account_id: str
) -> None:
    token = await sdk.token(rest.client)
    named = {"restrictedResources": [{"method": "GET", "path": "/orders/v0/orders/{orderId}/address"}]}
    for path in (f"{RDT}/", "/tokens/2021-03-01/restrictedDat%61Token", "/tokens/2021-03-01/restricteddatatoken"):
        status, code, details = await call(rest, token, path, "POST", json=named)
        assert (status, code) == (403, "Unauthorized")
        assert "CALLER_NOT_ALLOWED" in details
    passed = await rest.request("POST", f"/api/amazon/accounts/{account_id}/sp-api{RDT}", user, json=named)
    assert (passed.status_code, passed.json()["reason"]) == (403, "CALLER_NOT_ALLOWED")
