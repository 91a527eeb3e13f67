"""The choice of a call's token, and Restricted Data Tokens that Amazon refuses or does not issue."""

import json
from dataclasses import replace

import pytest
from sellergate_common.errors import Reason, Unavailable
from sellergate_gateway.credentials.restricted_tokens import RestrictedTokens
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import RestrictedResource as Resource
from sellergate_gateway.spapi.request import SpApiCall

from tests.fakes.gateway import ACCOUNT, DENIED, EXPIRED, OK, World, amazon_response

ADDRESS = SpApiCall("a", "GET", "/orders/v0/orders/902-1/address")
ORDERS = SpApiCall("a", "GET", "/orders/v0/orders", data_elements=("shippingAddress", "buyerInfo"))
DOCUMENT = SpApiCall("a", "GET", "/reports/2021-06-30/documents/doc-1")
LABELS = SpApiCall("a", "GET", "/vendor/directFulfillment/shipping/2021-12-28/shippingLabels")


def given(number: int = 1, **changes: object) -> AmazonResponse:
    document = {"restrictedDataToken": f"Atz.sprdt|{number}", "expiresIn": 3600, **changes}
    return AmazonResponse(200, (), json.dumps(document).encode())


def token_of(world: World, number: int) -> str:
    return dict(world.sent[number].headers)["x-amz-access-token"]


async def test_a_generic_path_serves_all_orders_of_a_seller() -> None:
    world = World(steps=[given(), OK])
    await world.make(ADDRESS)
    await world.make(ADDRESS, path="/orders/v0/orders/902-2/address")
    assert [request.url for request in world.sent] == [
        "https://na.test/tokens/2021-03-01/restrictedDataToken",
        "https://na.test/orders/v0/orders/902-1/address",
        "https://na.test/orders/v0/orders/902-2/address",
    ]
    assert json.loads(world.sent[0].body) == {
        "restrictedResources": [{"method": "GET", "path": "/orders/v0/orders/{orderId}/address"}]
    }
    assert [token_of(world, n) for n in range(3)] == ["Atza|1", "Atz.sprdt|1", "Atz.sprdt|1"]


async def test_each_set_of_data_elements_has_its_own_token() -> None:
    world = World(steps=[given(1), OK])
    await world.make(ORDERS)
    world.steps = [given(2), OK]
    await world.make(ORDERS, data_elements=("buyerInfo",))
    await world.make(ORDERS, data_elements=("buyerInfo", "shippingAddress"))
    named = [json.loads(request.body) for request in world.sent if request.body]
    assert [body["restrictedResources"][0]["dataElements"] for body in named] == [
        ["buyerInfo", "shippingAddress"],
        ["buyerInfo"],
    ]
    assert token_of(world, -1) == "Atz.sprdt|1"


async def test_without_data_elements_the_sellers_token_is_used() -> None:
    world = World()
    await world.make(ORDERS, data_elements=())
    assert token_of(world, 0) == "Atza|1"


@pytest.mark.parametrize(
    ("call", "element"), [(ORDERS, "buyerTaxInformation"), (ADDRESS, "buyerInfo"), (DOCUMENT, "x")]
)
async def test_unknown_data_elements_are_refused(call: SpApiCall, element: str) -> None:
    world = World()
    error = await world.refused(call, data_elements=(element,))
    assert error.reason is Reason.INVALID_REQUEST
    assert error.violations[0].field == "data_elements"
    assert world.sent == []


async def test_the_token_for_the_sandbox_is_fetched_from_production() -> None:
    world = World(steps=[given(), OK])
    await world.make(ADDRESS, sandbox=True)
    assert [request.url.split("/")[2] for request in world.sent] == ["na.test", "sandbox.na.test"]


async def test_an_expired_restricted_token_is_fetched_again_once() -> None:
    world = World(steps=[given(1), EXPIRED, given(2), OK])
    await world.make(ADDRESS)
    assert [token_of(world, n) for n in (1, 3)] == ["Atz.sprdt|1", "Atz.sprdt|2"]
    world = World(steps=[given(1), EXPIRED, given(2), EXPIRED])
    error = await world.refused(ADDRESS)
    assert error.reason is Reason.AMAZON_DENIED
    assert len(world.sent) == 4


async def test_a_missing_role_is_named_in_the_error() -> None:
    world = World(steps=[DENIED])
    error = await world.refused(ADDRESS)
    assert error.reason is Reason.AMAZON_DENIED
    assert "role" in error.message
    assert "/orders/v0/orders/{orderId}/address" in error.message
    assert len(world.sent) == 1


async def test_the_error_of_a_refused_resource_mentions_a_missing_role() -> None:
    error = await World(steps=[given(), DENIED]).refused(ADDRESS)
    assert "personal data" in error.message


async def test_the_sellers_token_is_used_if_amazon_refuses_an_uncertain_restricted_one() -> None:
    world = World(steps=[amazon_response(400, "InvalidInput"), OK])
    await world.make(LABELS)
    assert [token_of(world, n) for n in (0, 1)] == ["Atza|1", "Atza|1"]


async def test_a_report_documents_token_follows_its_type() -> None:
    world = World(types={"doc-1": "GET_MERCHANT_LISTINGS_ALL_DATA"}, steps=[DENIED])
    assert (await world.refused(DOCUMENT)).reason is Reason.AMAZON_DENIED
    assert len(world.sent) == 2, "the document, and a token for it"
    world = World(types={"doc-1": "GET_ORDER_REPORT_DATA_TAX"}, steps=[given(), OK])
    await world.make(DOCUMENT)
    named = json.loads(world.sent[0].body)["restrictedResources"]
    assert named == [{"method": "GET", "path": "/reports/2021-06-30/documents/doc-1"}]
    assert token_of(world, 1) == "Atz.sprdt|1"


async def test_a_report_document_of_unknown_type_is_tried_once_more_with_a_restricted_token() -> None:
    world = World(steps=[DENIED, given(), OK])
    await world.make(DOCUMENT)
    assert [token_of(world, n) for n in range(3)] == ["Atza|1", "Atza|1", "Atz.sprdt|1"]


async def test_a_type_that_proves_restricted_is_stored() -> None:
    world = World(types={"doc-1": "GET_NEW_DATA", "doc-2": "GET_NEW_DATA"}, steps=[DENIED, given(1), OK])
    await world.make(DOCUMENT)
    world.steps = [given(2), OK]
    await world.make(DOCUMENT, path="/reports/2021-06-30/documents/doc-2")
    assert [token_of(world, n) for n in range(5)] == ["Atza|1", "Atza|1", "Atz.sprdt|1", "Atza|1", "Atz.sprdt|2"]


async def test_the_sellers_token_is_used_for_a_document_after_a_400() -> None:
    world = World(types={"doc-1": "GET_ORDER_REPORT_DATA_TAX"}, steps=[amazon_response(400, "InvalidInput"), OK])
    await world.make(DOCUMENT)
    assert [token_of(world, n) for n in range(2)] == ["Atza|1", "Atza|1"]


async def test_as_is_returns_the_refusal_of_a_document_before_that_of_its_token() -> None:
    world = World(types={"doc-1": "GET_MERCHANT_LISTINGS_ALL_DATA"}, steps=[DENIED])
    assert (await world.make(DOCUMENT, as_is=True)).response is DENIED


async def test_missing_access_to_data_elements_is_an_error_with_a_remedy() -> None:
    words = "Application does not have access to one or more requested data elements: [buyerInfo]"
    body = json.dumps({"errors": [{"code": "InvalidInput", "message": words, "details": ""}]}).encode()
    error = await World(steps=[AmazonResponse(400, (), body)]).refused(ORDERS)
    assert error.reason is Reason.AMAZON_DENIED
    assert "role" in error.message
    assert "authorize it again" in error.message


async def test_getreport_names_the_type_of_a_document() -> None:
    report = {"reportId": "1", "reportType": "GET_ORDER_REPORT_DATA_TAX", "reportDocumentId": "doc-1"}
    world = World(steps=[AmazonResponse(200, (), json.dumps(report).encode())])
    await world.make(SpApiCall("a", "GET", "/reports/2021-06-30/reports/1"))
    listed = {"reports": [{**report, "reportDocumentId": "doc-2"}, {"reportId": "2"}, "?"]}
    world.steps = [AmazonResponse(200, (), json.dumps(listed).encode())]
    await world.make(SpApiCall("a", "GET", "/reports/2021-06-30/reports"))
    assert set(world.types) == {"doc-1", "doc-2"}


async def test_the_types_of_a_large_list_of_reports_are_stored() -> None:
    listed = [
        {"reportId": "1", "reportType": "GET_X", "reportDocumentId": f"doc-{number}", "x": "x" * 12_000}
        for number in range(100)
    ]
    body = json.dumps({"reports": listed}).encode()
    assert len(body) > 1_100_000
    world = World(steps=[AmazonResponse(200, (), body)])
    await world.make(SpApiCall("a", "GET", "/reports/2021-06-30/reports"))
    assert len(world.types) == 100


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"expiresIn": 1}', b'{"restrictedDataToken": "x", "expiresIn": "soon"}']
)
async def test_a_response_without_a_token_is_unavailable(body: bytes) -> None:
    error = await World(steps=[AmazonResponse(200, (), body)]).refused(ADDRESS)
    assert error.reason is Reason.AMAZON_UNAVAILABLE


async def test_a_token_wrapped_in_payload_is_accepted() -> None:
    wrapped = AmazonResponse(200, (), json.dumps({"payload": json.loads(given().body)}).encode())
    world = World(steps=[wrapped, OK])
    await world.make(ADDRESS)
    assert token_of(world, 1) == "Atz.sprdt|1"


async def test_fifty_resources_share_one_token_in_any_order() -> None:
    world = World(steps=[given()])
    resources = tuple(Resource("GET", f"/orders/v0/orders/{n}/address") for n in range(50))
    _ = world.calls
    account = replace(ACCOUNT)
    first = await world.restricted.get_checked(account, resources)
    assert await world.restricted.get_checked(account, resources[::-1]) == first
    assert len(world.sent) == 1


async def test_a_caller_may_name_the_resources_of_a_token() -> None:
    wanted = (Resource("GET", "/orders/v0/orders/902-1/address"),)
    world = World(steps=[given(), OK])
    await world.make(SpApiCall("a", "GET", "/orders/v0/orders/902-2/address", restricted_resources=wanted))
    assert json.loads(world.sent[0].body)["restrictedResources"] == [
        {"method": "GET", "path": "/orders/v0/orders/902-1/address"}
    ]
    assert token_of(world, 1) == "Atz.sprdt|1"
    for changes in (
        {"restricted_resources": (Resource("GET", "/sellers/v1/marketplaceParticipations"),)},
        {"restricted_resources": wanted, "data_elements": ("buyerInfo",)},
    ):
        assert (await World(steps=[OK]).refused(ADDRESS, **changes)).reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    "path",
    [
        "/tokens/2021-03-01/restrictedDataToken",
        "/tokens/2021-03-01/restrictedDataToken/",
        "/tokens/2021-03-01/restrictedDat%61Token",
        "/tokens/2021-03-01/RestrictedDataToken",
        "/authorization/v1/authorizationCode",
    ],
)
async def test_no_caller_gets_a_token_of_amazon(path: str) -> None:
    world = World(steps=[given()])
    for user in ("u1", ""):
        error = await world.refused(SpApiCall("a", "POST", path, body=b"{}"), user=user)
        assert error.reason is Reason.CALLER_NOT_ALLOWED
    assert world.sent == []


async def test_a_token_is_cached_under_its_own_revision() -> None:
    world = World(steps=[given(1), OK])
    before = ACCOUNT
    world.account = replace(ACCOUNT, revision=ACCOUNT.revision + 1)
    # The account changes between its read and the call that fetches the token.
    resources = (Resource("GET", "/orders/v0/orders/{orderId}/address"),)
    assert (await tokens_of(world).get(before, resources)).value.get_secret_value() == "Atz.sprdt|1"
    assert {key.revision for key in world.restricted_cache.entries} == {world.account.revision}
    assert len(world.sent) == 1


async def test_a_token_of_an_earlier_revision_is_not_used() -> None:
    world = World(steps=[given(1), given(2), given(3)])
    after = replace(ACCOUNT, revision=ACCOUNT.revision + 1)
    resources = (Resource("GET", "/orders/v0/orders/{orderId}/address"),)
    with pytest.raises(Unavailable):
        await tokens_of(world).get(after, resources)
    assert world.restricted_cache.entries == {}


def tokens_of(world: World) -> RestrictedTokens:
    assert world.calls
    return world.restricted
