"""Every operation of the catalogue through the gateway, each with the right kind of token; and unknown paths."""

import asyncio
import json
import random
import string
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_amazon.operations import Catalogue, Operation
from sellergate_client import Sellergate
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

CATALOGUE = Catalogue.load()
RDT = "tokens/2021-03-01/createRestrictedDataToken"
# The operation whose response is a token is refused to every caller.
CALLED = [operation for operation in CATALOGUE if operation.name != RDT]
BODIES: dict[str, Any] = {
    "reports/2021-06-30/createReport": {"reportType": "GET_X", "marketplaceIds": ["ATVPDKIKX0DER"]},
    "feeds/2021-06-30/createFeedDocument": {"contentType": "text/plain"},
}


def call_of(operation: Operation, account_id: str, seller_id: str) -> call_pb2.CallRequest:
    body = b"" if operation.method in ("GET", "HEAD") else json.dumps(BODIES.get(operation.name, {})).encode()
    return call_pb2.CallRequest(
        account_id=account_id,
        operation=operation.name,
        path_params={name: seller_id if name == "sellerId" else "A1-x" for name in operation.parameter_names},
        body=body,
        data_elements=operation.restricted_data_elements,
        answer_mode=call_pb2.ANSWER_MODE_AS_IS,
        sandbox=operation.sandbox_only,
    )


async def counted(control: httpx.AsyncClient) -> dict[str, int]:
    counters = (await control.get("/control/counters")).json()["operations"]
    return {name: count["calls"] for name, count in counters.items()}


async def test_every_operation_is_called_with_the_right_kind_of_token(
    rest: Rest, seller: Seller, control: httpx.AsyncClient, gateway: GatewayServiceStub, fast: None
) -> None:
    account_id, before = await rest.connect(seller), await counted(control)
    responses = dict[str, call_pb2.CallResponse]()

    async def call(operation: Operation) -> None:
        responses[operation.name] = await invoke(
            gateway.Call, call_of(operation, account_id, seller.seller_id), dependency="gateway"
        )

    # Operations that revoke or rotate have no effect here, because the application has no queue.
    for start in range(0, len(CALLED), 32):
        await asyncio.gather(*map(call, CALLED[start : start + 32]))
    after = await counted(control)
    assert len(responses) == len(CALLED) == len(CATALOGUE) - 1
    restricted = 0
    for operation in CALLED:
        response = responses[operation.name]
        assert (response.operation, response.attempts) == (operation.name, 1)
        assert after[operation.name] - before.get(operation.name, 0) == 1
        # A token of the wrong kind gives a 403; an invalid argument does not.
        assert response.http_status not in (401, 403, 429), (operation.name, response.body)
        if b'"echo"' in response.body:
            echoed = echo(response.body)
            wants = operation.restricted and operation.document is None
            assert echoed["restricted_data_token"] is wants
            assert echoed["selling_partner_id"] == (None if operation.grantless_scope else seller.seller_id)
            assert tuple(echoed["data_elements"]) == tuple(sorted(operation.restricted_data_elements))
            restricted += wants
        deprecations = [header.value for header in response.headers if header.name == "x-sellergate-deprecated"]
        assert bool(deprecations) is operation.deprecated
    assert restricted > 20


def echo(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    document = document[0] if isinstance(document, list) else document
    found: dict[str, Any] = document.get("payload", document)["echo"]
    return found


async def test_a_restricted_token_is_fetched_once_for_all_orders_of_a_seller(
    rest: Rest, seller: Seller, control: httpx.AsyncClient, client: Sellergate, fast: None
) -> None:
    account_id, before = await rest.connect(seller), (await counted(control)).get(RDT, 0)
    query = {"MarketplaceIds": "ATVPDKIKX0DER", "CreatedAfter": "2020-01-01T00:00:00Z"}
    orders = (await client.call(account_id, "GET", "/orders/v0/orders", query=query)).json()
    ids = [order["AmazonOrderId"] for order in orders["payload"]["Orders"]]
    paths = [f"/orders/v0/orders/{order_id}/address" for order_id in ids]
    responses = await asyncio.gather(*(client.call(account_id, "GET", path) for path in paths))
    assert all("ShippingAddress" in response.json()["payload"] for response in responses)
    assert len(responses) >= 20
    assert (await counted(control))[RDT] - before == 1


async def test_an_unlisted_caller_gets_no_token_of_amazon(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, operator: GatewayServiceStub, fast: None
) -> None:
    account_id = await rest.connect(seller)
    resource = {"method": "GET", "path": "/orders/v0/orders/{orderId}/address"}
    request = pb2.GetRestrictedDataTokenRequest(
        account_id=account_id, resources=[call_pb2.RestrictedResource(**resource)]
    )
    with pytest.raises(SellergateError) as caught:
        await invoke(gateway.GetRestrictedDataToken, request, dependency="gateway")
    assert caught.value.reason is Reason.CALLER_NOT_ALLOWED
    # The edge may cause a token to be fetched, but receives only its lifetime.
    suite = rest.suite
    async with open_channel(suite.target("gateway"), "gateway", suite.identity("edge"), []) as channel:
        edge = GatewayServiceStub(channel)
        response = await invoke(edge.GetRestrictedDataToken, request, dependency="gateway", on_behalf_of="u1")
    assert (response.restricted_data_token, response.HasField("expire_time")) == ("", True)
    body = json.dumps({"restrictedResources": [resource]}).encode()
    calls = (
        call_pb2.CallRequest(operation=RDT),
        call_pb2.CallRequest(method="POST", path="/tokens/2021-03-01/restrictedDataToken"),
        call_pb2.CallRequest(method="POST", path="/tokens/2021-03-01/restricted%44ataToken"),
        call_pb2.CallRequest(method="GET", path="/authorization/v1/authorizationCode"),
    )
    for stub in (gateway, operator):
        for call in calls:
            call.account_id, call.body = account_id, body if call.method != "GET" else b""
            with pytest.raises(SellergateError) as caught:
                await invoke(stub.Call, call, dependency="gateway")
            assert caught.value.reason is Reason.CALLER_NOT_ALLOWED


@pytest.fixture
async def operator(rest: Rest) -> AsyncIterator[GatewayServiceStub]:
    suite = rest.suite
    async with open_channel(suite.target("gateway"), "gateway", suite.identity("operator"), []) as channel:
        yield GatewayServiceStub(channel)


async def test_a_token_for_fifty_resources_and_invalid_resources(
    rest: Rest, seller: Seller, operator: GatewayServiceStub, fast: None
) -> None:
    gateway, account_id = operator, await rest.connect(seller)
    resources = [
        call_pb2.RestrictedResource(method="GET", path=f"/orders/v0/orders/1-{n}/address", data_elements=[])
        for n in range(50)
    ]
    request = pb2.GetRestrictedDataTokenRequest(account_id=account_id, resources=resources)
    token = await invoke(gateway.GetRestrictedDataToken, request, dependency="gateway")
    again = await invoke(gateway.GetRestrictedDataToken, request, dependency="gateway")
    assert token.restricted_data_token.startswith("Atz.sprdt|")
    assert again == token
    del request.resources[:]
    report = "/reports/2021-06-30/documents/{reportDocumentId}"
    for path, elements in (("/x", []), (report, []), ("/orders/v0/orders", ["x"])):
        request.resources.append(call_pb2.RestrictedResource(method="GET", path=path, data_elements=elements))
    with pytest.raises(SellergateError) as caught:
        await invoke(gateway.GetRestrictedDataToken, request, dependency="gateway")
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [violation.field for violation in caught.value.violations] == [
        "resources[0].path",
        "resources[1].path",
        "resources[2].data_elements",
    ]


async def test_ten_thousand_random_paths_never_crash_the_router(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub
) -> None:
    account_id, dice = await rest.connect(seller), random.Random(5)
    real = [operation.path for operation in CATALOGUE]

    def path() -> str:
        shape = dice.random()
        if shape < 0.4:
            return "/" + "".join(dice.choices(string.printable + "äß€%/{}.", k=dice.randrange(60)))
        if shape < 0.8:
            chosen = list(dice.choice(real))
            for _ in range(dice.randrange(1, 4)):
                chosen[dice.randrange(len(chosen))] = dice.choice("/%{}.x ?#\\ü\x00")
            return "".join(chosen)
        return "/" + "/".join(
            dice.choices(["orders", "v0", "..", "%2e%2e", "", "%2F", "{orderId}", "reports", "a" * 900], k=9)
        )

    for _ in range(10_000):
        CATALOGUE.match(dice.choice(["GET", "POST", "BREW", ""]), path())

    async def refused(text: str) -> Reason | None:
        # max_wait 0: a well-formed path uses the cautious bucket and is not sent twice.
        request = call_pb2.CallRequest(account_id=account_id, method="GET", path=text)
        request.max_wait.FromSeconds(0)
        try:
            await invoke(gateway.Call, request, dependency="gateway")
        except SellergateError as error:
            return error.reason
        return None

    reasons = set(await asyncio.gather(*(refused(path()) for _ in range(500))))
    assert reasons <= {
        Reason.INVALID_REQUEST,
        Reason.LOCAL_QUOTA_EXCEEDED,
        Reason.AMAZON_DENIED,
        Reason.AMAZON_REJECTED,
        Reason.AMAZON_NOT_FOUND,
        # Some paths resemble that of restricted tokens.
        Reason.CALLER_NOT_ALLOWED,
        # Some are paths of operations.
        None,
    }


async def test_the_list_of_operations_can_be_filtered(gateway: GatewayServiceStub) -> None:
    async def listed(**narrowed: Any) -> list[str]:
        request = pb2.ListOperationsRequest(page_size=500, filter=pb2.OperationFilter(**narrowed))
        page = await invoke(gateway.ListOperations, request, dependency="gateway")
        return [operation.name for operation in page.operations]

    assert await listed() == sorted(operation.name for operation in CATALOGUE)
    assert await listed(grantless=True) == sorted(o.name for o in CATALOGUE if o.grantless_scope)
    assert len(await listed(deprecated=True)) == 10
    assert set(await listed(api="orders", version="v0", restricted=True)) <= set(await listed(api="orders"))
    assert len(await listed(deprecated=False)) == len(CATALOGUE) - 10
