"""Unmodified SP-API SDKs with Sellergate's URLs and credentials: they work, and hold no credentials of Amazon."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn, python
from tests.e2e.relay import Relay, relayed
from tests.e2e.sellers import Seller

AMAZONS = (b"Atza|", b"Atzr|", b"Atz.sprdt", b"Atza%7C", b"Atzr%7C", b"amzn1.oa2-cs", b"ASIA")


@pytest.fixture
async def relay(rest: Rest) -> AsyncIterator[Relay]:
    async with relayed("127.0.0.1", urlsplit(rest.suite.edge).port or 0) as running:
        yield running


@pytest.fixture
async def sdk(rest: Rest, seller: Seller, relay: Relay, fast: None) -> DropIn:
    account_id = await rest.connect(seller, f"sdk-{seller.seller_id}")
    return replace(await DropIn.made(rest, f"sdk-{seller.seller_id}", account_id), url=relay.url)


async def counters(control: httpx.AsyncClient) -> Any:
    return (await control.get("/control/counters")).json()


def check_traffic(relay: Relay, seller: Seller) -> None:
    """Assert that the SDK neither received nor sent a secret or token of Amazon's."""
    assert len(relay.bytes) > 2_000
    for secret in (*AMAZONS, *(one.encode() for one in seller.secrets)):
        assert secret not in relay.bytes


@pytest.mark.parametrize("name", ["amazon", "saleweaver"])
async def test_an_sdk_lists_orders_runs_a_report_and_submits_a_feed(
    name: str, sdk: DropIn, relay: Relay, seller: Seller, control: httpx.AsyncClient
) -> None:
    before = await counters(control)
    seen = await sdk.run(*python(name, "seen"))
    after = await counters(control)
    assert sum(seen["pages"]) == seen["orders"] == 30
    assert len(seen["pages"]) == 5
    assert seen["report_bytes"] > 100
    assert seen["feed"]
    assert seen.get("city") or (seen["name"] and all(seen["listed"]))
    check_traffic(relay, seller)
    # LWA gets one exchange for the seller (and one for the application), and Amazon one request per set of restricted resources.
    assert 1 <= after["lwa"]["exchanges"] - before["lwa"]["exchanges"] <= 2
    assert "destinations" not in seen or seen["destinations"]["echo"]["selling_partner_id"] is None


async def test_an_asynchronous_sdk_does_the_same(sdk: DropIn, relay: Relay, seller: Seller) -> None:
    seen = await sdk.run(*python("saleweaver", "seen_async"))
    assert seen["listed"] == [True] * 7
    assert (seen["next"], seen["feed"]) == (True, True)
    assert seen["report_bytes"] > 100
    check_traffic(relay, seller)


async def test_a_failure_is_each_sdks_usual_error(rest: Rest, sdk: DropIn, relay: Relay, seller: Seller) -> None:
    user = f"sdk-{seller.seller_id}"
    wrong_handle = replace(sdk, handle="sgr_" + "x" * 43)
    assert await wrong_handle.run(*python("saleweaver", "refused")) == {
        "error": "AuthorizationError",
        "code": "invalid_grant",
        "status": 400,
    }
    assert await wrong_handle.run(*python("amazon", "refused")) == {
        "error": "LwaException",
        "cause": "400 Client Error: Bad Request",
    }
    stale = await sdk.run(*python("amazon", "stale"))
    assert (stale["error"], stale["status"]) == ("ApiException", 403)
    assert stale["body"]["errors"][0]["code"] == "Unauthorized"
    revoked = await rest.request("DELETE", f"/api/amazon/clients/{sdk.client_id}", user)
    assert revoked.status_code == 204
    assert await sdk.run(*python("saleweaver", "refused")) == {
        "error": "AuthorizationError",
        "code": "invalid_client",
        "status": 401,
    }
    assert (await sdk.run(*python("amazon", "refused")))["cause"] == "401 Client Error: Unauthorized"
