"""Pages through the gateway, by the rule of each API family."""

import asyncio
import json
from base64 import b64encode
from contextlib import nullcontext
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_client import Sellergate, SellingPartner, Unavailable
from sellergate_common.errors import Reason, SellergateError

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller
from tests.e2e.streams import all_of

pytestmark = pytest.mark.usefixtures("fast")

MARKET, SINCE = "ATVPDKIKX0DER", "CreatedAfter=2020-01-01T00%3A00%3A00Z"
INVENTORY = f"granularityType=Marketplace&granularityId={MARKET}&marketplaceIds={MARKET}"


async def pages(
    gateway: GatewayServiceStub, account_id: str, path: str, query: str, most: int = 0, **more: Any
) -> list[call_pb2.CallResponse]:
    call = call_pb2.CallRequest(account_id=account_id, method="GET", path=path, raw_query=query, **more)
    request = pb2.StreamPagesRequest(call=call, max_pages=most)
    return [message.page for message in await all_of(gateway.StreamPages(request, timeout=30))]


@pytest.mark.parametrize(
    ("path", "query", "items", "count"),
    [
        ("/orders/v0/orders", f"MarketplaceIds={MARKET}&{SINCE}&MaxResultsPerPage=7", "payload.Orders", 30),
        ("/orders/2026-01-01/orders", f"marketplaceIds={MARKET}&c{SINCE[1:]}&maxResultsPerPage=7", "orders", 30),
        ("/fba/inventory/v1/summaries", INVENTORY, "payload.inventorySummaries", 40),
        ("/listings/2021-08-01/items/{seller}", f"marketplaceIds={MARKET}&pageSize=15", "items", 40),
    ],
)
async def test_all_pages_of_each_family_are_followed(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, path: str, query: str, items: str, count: int
) -> None:
    account_id = await rest.connect(seller)
    found = list[Any]()
    got = await pages(gateway, account_id, path.replace("{seller}", seller.seller_id), query)
    for page in got:
        part = json.loads(page.body)
        for name in items.split("."):
            part = part[name]
        found += part
    assert len(found) == count
    assert len({json.dumps(item) for item in found}) == count
    first = await pages(gateway, account_id, path.replace("{seller}", seller.seller_id), query, 1)
    assert len(first) == 1 < len(got)


async def test_reports_accept_only_the_page_token(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, client: Any
) -> None:
    account_id = await rest.connect(seller)
    for _ in range(25):
        body = {"reportType": "GET_X", "marketplaceIds": [MARKET]}
        await client.call(account_id, "POST", "/reports/2021-06-30/reports", json=body)
    got = await pages(gateway, account_id, "/reports/2021-06-30/reports", "reportTypes=GET_X&pageSize=10")
    assert [len(json.loads(page.body)["reports"]) for page in got] == [10, 10, 5]


async def test_operations_without_pages_and_a_refusal_between_pages(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, control: httpx.AsyncClient
) -> None:
    account_id = await rest.connect(seller)
    with pytest.raises(SellergateError) as caught:
        await pages(gateway, account_id, "/sellers/v1/account", "")
    assert caught.value.reason is Reason.INVALID_REQUEST
    query = f"MarketplaceIds={MARKET}&CreatedAfter=wrong"
    with pytest.raises(SellergateError) as caught:
        await pages(gateway, account_id, "/orders/v0/orders", query)
    assert caught.value.reason is Reason.AMAZON_REJECTED
    (page,) = await pages(gateway, account_id, "/orders/v0/orders", query, answer_mode=call_pb2.ANSWER_MODE_AS_IS)
    assert page.http_status == 400


async def test_an_unreadable_page_is_an_error_of_the_program_and_of_the_command_line(
    rest: Rest, seller: Seller, client: Sellergate, control: httpx.AsyncClient
) -> None:
    """One unreadable page is requested again, and four of them end the list."""
    account_id, operator = await rest.connect(seller), Operator(rest.suite)
    operator.environment["SELLERGATE_GATEWAY_TARGET"] = rest.suite.target("gateway")
    query = f"MarketplaceIds={MARKET}&{SINCE}&MaxResultsPerPage=10"
    response = {"status": 200, "body": b64encode(b'{"payload": {}}').decode()}
    fault = {"kind": "given", "operation": "orders/v0/getOrders", "response": response}
    words = ("pages", "/orders/v0/orders", "-a", account_id, *(f"-p{one}" for one in unquote(query).split("&")))
    for count, orders in ((1, 30), (4, 0)):
        assert (await control.post("/control/faults", json={**fault, "count": count})).is_success
        found = 0
        async with SellingPartner(account_id, sellergate=client) as partner:
            with nullcontext() if orders else pytest.raises(Unavailable, match="cannot be read"):
                async for page in partner.pages("/orders/v0/orders", raw_query=query):
                    found += len(page.json()["payload"]["Orders"])
        assert found == orders
    assert (await control.post("/control/faults", json={**fault, "count": 4})).is_success
    done = await asyncio.to_thread(operator.types, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be read" in done.stderr
    done = await asyncio.to_thread(operator.types, *words)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)
