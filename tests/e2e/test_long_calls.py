"""Calls over REST and of SDKs have the time that their callers give them, and end with them."""

import asyncio
from urllib.parse import urlsplit

import httpx

from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn
from tests.e2e.sellers import Seller

SELLERS = "/sellers/v1/marketplaceParticipations"
OPERATION = "sellers/v1/getMarketplaceParticipations"
PRICING = "/products/pricing/v0/price?MarketplaceId=ATVPDKIKX0DER&ItemType=Asin&Asins=B000000000"
TIMEOUT = "x-sellergate-timeout"


async def test_a_call_has_the_seconds_that_its_header_names(
    rest: Rest, seller: Seller, control: httpx.AsyncClient, fast: None
) -> None:
    account_id = await rest.connect(seller)
    token = await (await DropIn.made(rest, "u1", account_id)).token(rest.client)
    path, own = f"/api/amazon/accounts/{account_id}/sp-api{SELLERS}", {"x-amz-access-token": token}
    slow = {"kind": "slow", "operation": OPERATION, "delay_seconds": 1.5, "count": 100}
    (await control.post("/control/faults", json=slow)).raise_for_status()
    # A late gateway stops waiting for Amazon early enough to report the deadline itself, before the edge does.
    late = await rest.request("GET", path, headers={TIMEOUT: "1"})
    assert (late.status_code, late.json()["reason"]) in ((504, "DEADLINE_EXCEEDED"), (502, "AMAZON_UNAVAILABLE"))
    late = await rest.client.get(SELLERS, headers={**own, TIMEOUT: "1"})
    late_in_amazons_shape = (504, "InternalFailure"), (503, "ServiceUnavailable")
    assert (late.status_code, late.json()["errors"][0]["code"]) in late_in_amazons_shape
    given = {TIMEOUT: "290"}, {}
    waited = await asyncio.gather(
        *(rest.request("GET", path, headers=headers) for headers in given),
        *(rest.client.get(SELLERS, headers={**own, **headers}) for headers in given),
    )
    assert [response.status_code for response in waited] == [200] * 4
    for refused in (
        await rest.request("GET", path, headers={TIMEOUT: "291"}),
        await rest.client.get(SELLERS, headers={**own, TIMEOUT: "0"}),
    ):
        assert refused.status_code == 400
        assert TIMEOUT in refused.text


async def test_a_caller_that_leaves_while_it_waits_for_quota_makes_no_call(
    rest: Rest, seller: Seller, control: httpx.AsyncClient
) -> None:
    """Callers wait in order: if a disconnected caller's call were still made, it would be made before the next caller's."""
    account_id = await rest.connect(seller)
    token = await (await DropIn.made(rest, "u1", account_id)).token(rest.client)

    async def executed() -> int:
        counters = (await control.get("/control/counters")).json()["operations"]
        return int(counters.get("product-pricing/v0/getPricing", {"calls": 0})["calls"])

    headers = {"x-amz-access-token": token, "x-sellergate-max-wait": "15"}
    before = await executed()
    assert (await rest.client.get(PRICING, headers=headers)).status_code == 200
    edge = urlsplit(rest.suite.edge)
    lines = [
        f"GET {PRICING} HTTP/1.1",
        f"Host: {edge.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        writer.transport.abort()
    assert (await rest.client.get(PRICING, headers=headers)).status_code == 200
    assert await executed() - before == 2
