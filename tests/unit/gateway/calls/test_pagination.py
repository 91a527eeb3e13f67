"""The rule of each API family for the next page."""

import gzip
import json

import pytest
from sellergate_amazon.operations import Operation
from sellergate_amazon.parsing import ParseError
from sellergate_common.blocking.threads import Threads
from sellergate_common.errors import Reason, SellergateError
from sellergate_gateway.calls.pagination import Pages, next_token
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import SpApiCall
from sellergate_gateway.spapi.response import MOST_PAGE_BYTES, MOST_PAGE_VALUES

from tests.fakes.gateway import CATALOGUE, DENIED, World
from tests.fakes.loop_watchdog import watched_loop


def page(document: object, *, packed: bool = False) -> AmazonResponse:
    body = json.dumps(document).encode()
    return AmazonResponse(
        200, (("content-encoding", "gzip"),) if packed else (), gzip.compress(body) if packed else body
    )


async def queries(
    path: str, query: str, *responses: AmazonResponse, most: int = 0, method: str = "GET", body: bytes = b""
) -> list[str]:
    world = World(steps=list(responses))
    pages = Pages(world.calls, CATALOGUE, Threads("pages", 1).run)
    call = SpApiCall("a", method, path, raw_query=query, body=body)
    async for _ in pages.follow(call, "", most):
        pass
    return [request.url.partition("?")[2] if method == "GET" else request.body.decode() for request in world.sent]


def orders(token: object) -> dict[str, object]:
    """Return a page of orders with a token of the next one."""
    return {"payload": {"Orders": [], "NextToken": token}}


ORDERS, LAST = "/orders/v0/orders", page({"payload": {"Orders": []}})


async def test_most_operations_repeat_all_parameters() -> None:
    first = page(orders("a/b=="))
    sent = await queries(ORDERS, "MarketplaceIds=ATVPDKIKX0DER&NextToken=old&x", first, LAST)
    assert sent == [
        "MarketplaceIds=ATVPDKIKX0DER&NextToken=old&x",
        "MarketplaceIds=ATVPDKIKX0DER&x&NextToken=a%2Fb%3D%3D",
    ]


async def test_a_compressed_page_is_read() -> None:
    assert len(await queries(ORDERS, "", page(orders("a"), packed=True), LAST)) == 2


async def test_reports_and_feeds_send_only_the_token() -> None:
    for path in ("/reports/2021-06-30/reports", "/feeds/2021-06-30/feeds"):
        listed = {path.rpartition("/")[2]: []}
        sent = await queries(path, "pageSize=10&types=a", page({**listed, "nextToken": "t"}), page(listed))
        assert sent[1] == "nextToken=t"


async def test_fulfillment_inbound_v0_changes_its_query_type() -> None:
    query = "QueryType=SHIPMENT&MarketplaceId=ATVPDKIKX0DER&ShipmentIdList=1,2"
    sent = await queries(
        "/fba/inbound/v0/shipments", query, page({"payload": {"NextToken": "t"}}), page({"payload": {}})
    )
    assert sent[1] == "MarketplaceId=ATVPDKIKX0DER&QueryType=NEXT_TOKEN&NextToken=t"


ITEMS = "/fba/inbound/v0/shipments/FBA1/items"


@pytest.mark.parametrize(
    ("given", "market"), [("", "ATVPDKIKX0DER"), ("MarketplaceId=A2EUQ1WTGCTBG2&x=1", "A2EUQ1WTGCTBG2")]
)
async def test_the_items_of_a_shipment_continue_at_the_operation_for_all_items(given: str, market: str) -> None:
    world = World(steps=[page({"payload": {"ItemData": [], "NextToken": token}}) for token in ("t/1", "t2")] + [LAST])
    call = SpApiCall("a", "GET", ITEMS, raw_query=given)
    found = [result async for result in Pages(world.calls, CATALOGUE, Threads("pages", 1).run).follow(call, "", 0)]
    first, *others = [request.url for request in world.sent]
    assert len(found) == 3
    assert first.endswith(ITEMS + (f"?{given}" if given else ""))
    for url, token in zip(others, ("t%2F1", "t2"), strict=True):
        path, _, query = url.partition("?")
        assert path.endswith("/fba/inbound/v0/shipmentItems")
        assert set(query.split("&")) == {"QueryType=NEXT_TOKEN", f"MarketplaceId={market}", f"NextToken={token}"}


async def test_the_items_of_a_shipment_by_the_name_of_their_operation() -> None:
    world = World(steps=[page({"payload": {"NextToken": "t"}}), LAST])
    name = "fulfillment-inbound/v0/getShipmentItemsByShipmentId"
    call = SpApiCall("a", operation=name, path_params={"shipmentId": "FBA1"})
    found = [result async for result in Pages(world.calls, CATALOGUE, Threads("pages", 1).run).follow(call, "", 0)]
    assert [result.operation.operation_id for result in found if result.operation] == [
        "getShipmentItemsByShipmentId",
        "getShipmentItems",
    ]


async def test_support_has_its_token_in_the_body() -> None:
    body = json.dumps({"marketplaceId": "ATVPDKIKX0DER", "maxResults": 2}).encode()
    sent = await queries(
        "/support/2025-02-01/cases", "", page({"nextToken": "t"}), page({"cases": []}), method="POST", body=body
    )
    assert [json.loads(one).get("nextToken") for one in sent] == [None, "t"]
    assert json.loads(sent[1])["maxResults"] == 2
    for wrong in (b"", b"[]", b"{"):
        with pytest.raises(SellergateError) as caught:
            await queries("/support/2025-02-01/cases", "", LAST, method="POST", body=wrong)
        assert (caught.value.reason, caught.value.violations[0].field) == (Reason.INVALID_REQUEST, "call.body")


async def test_replenishment_has_an_offset_in_the_body() -> None:
    body = json.dumps({"pagination": {"limit": 10, "offset": 5}, "filters": {}}).encode()
    response = page({"offers": [], "pagination": {"totalResults": 31}})
    sent = await queries("/replenishment/2022-11-07/offers/search", "", response, method="POST", body=body)
    assert [json.loads(one)["pagination"]["offset"] for one in sent] == [5, 15, 25]


async def test_a_repeated_token_ends_the_pages() -> None:
    responses = [page(orders(token)) for token in "aba"]
    with pytest.raises(SellergateError) as caught:
        await queries(ORDERS, "", *responses)
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert "cycle" in caught.value.message


VENDOR_ORDERS = "/vendor/orders/v1/purchaseOrders"


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (ORDERS, {"payload": {"Orders": []}}),
        (ORDERS, orders("")),
        (ORDERS, {**orders(None), "errors": None}),
        # Amazon's models let these be without their list, and Vendor Orders leaves an empty one out.
        (VENDOR_ORDERS, {"payload": {}}),
        (VENDOR_ORDERS, {"payload": {"pagination": None, "orders": None}}),
        ("/fba/inbound/v0/shipments", {"payload": {}}),
        ("/supplySources/2020-07-01/supplySources", {}),
    ],
)
async def test_what_ends_the_pages(path: str, document: object) -> None:
    assert len(await queries(path, "", page(document))) == 1


PAGED = [one for one in CATALOGUE if one.paginated_by or one.pages_in_body]
LISTED = [one for one in PAGED if one.page_list]


@pytest.mark.parametrize("operation", LISTED, ids=lambda one: one.name)
def test_a_page_without_the_list_that_its_model_requires_is_no_page(operation: Operation) -> None:
    *places, name = (operation.page_list or "").split(".")
    for wrong in ({}, {name: None}, {name: "x"}, {"other": []}):
        with pytest.raises(ParseError, match=f"it has no {operation.page_list}"):
            next_token(operation, within(places, wrong), b"")
    assert next_token(operation, within(places, {name: []}), b"") is None


@pytest.mark.parametrize("operation", [one for one in PAGED if one.envelope == "payload"], ids=lambda one: one.name)
def test_a_page_without_its_payload_is_no_page(operation: Operation) -> None:
    for wrong in ({}, {"payload": None}, {"payload": []}, {"payload": "x"}, {"pagination": {"nextToken": "t"}}):
        with pytest.raises(ParseError):
            next_token(operation, wrong, b"")


def within(places: list[str], document: dict[str, object]) -> dict[str, object]:
    """Return a document inside of objects with these names, the outermost first."""
    for place in reversed(places):
        document = {place: document}
    return document


def test_most_operations_with_pages_have_a_list_that_each_page_must_have() -> None:
    known = {one.name: one.page_list for one in PAGED}
    assert len(LISTED) > len(PAGED) / 3
    assert known["orders/v0/getOrders"] == "payload.Orders"
    assert known["orders/2026-01-01/searchOrders"] == "orders"
    assert known["fba-inventory/v1/getInventorySummaries"] == "payload.inventorySummaries"
    assert known["orders/v0/getOrderItemsBuyerInfo"] is None, "Amazon's own example is without it"


ERRORS = {"errors": [{"code": "InternalFailure", "message": "m", "details": ""}]}
NO_PAGES = [
    *(page(one) for one in (ERRORS, {**ERRORS, "payload": None}, ERRORS["errors"][0], [], [{}], "x", None)),
    *(page(orders(one)) for one in (5, ["a"], "x" * 10_000, "\x00")),
    *(page({"payload": one}) for one in ([1], None, {}, {"NextToken": "a"}, {"Orders": None, "NextToken": "a"})),
    page({}),
    *(
        AmazonResponse(200, (), body)
        for body in (
            b"",
            b" ",
            b"<html>",
            b"[" * 5_000,
            b'{"payload": {"Orders": [], "NextToken": "\\ud800"}}',
            b'{"payload": "\xff"}',
            b'{"payload": {"Orders": [{"a": 1}, {"b"',
            b'{"payload": {"Orders": [], "NextToken": "a"}',
            b'{"payload": {"Orders": [], "NextToken": "a"}} {}',
            b'{"payload": {"Orders": [1 2], "NextToken": "a"}}',
            b'{"payload": {"Orders": [], "NextToken": NaN}}',
        )
    ),
]


@pytest.mark.parametrize("position", [1, 2, 3])
@pytest.mark.parametrize("broken", NO_PAGES, ids=lambda broken: broken.body[:20].decode("latin-1"))
async def test_an_unreadable_page_is_requested_again_and_is_never_the_last(
    broken: AmazonResponse, position: int
) -> None:
    pages = [page(orders(token)) for token in "ab"] + [LAST]
    once = [*pages[: position - 1], broken, *pages[position - 1 :]]
    sent = await queries(ORDERS, "", *once)
    assert (len(sent), sent[position - 1]) == (4, sent[position]), "the same page is requested again"
    with pytest.raises(SellergateError, match="cannot be read") as caught:
        await queries(ORDERS, "", *pages[: position - 1], broken)
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert caught.value.metadata["operation"] == "orders/v0/getOrders"


async def test_a_page_without_its_number_of_results_is_not_the_last() -> None:
    path, body = "/replenishment/2022-11-07/offers/search", b'{"pagination": {"limit": 10}}'
    for document in ({"offers": []}, {"pagination": None}, {"pagination": {"totalResults": "many"}}):
        with pytest.raises(SellergateError, match="cannot be read"):
            await queries(path, "", page(document), method="POST", body=body)
    for bad in (b"", b"{}", b"[]", b'{"pagination": {"limit": 0}}', b'{"pagination": {"limit": "x"}}'):
        with pytest.raises(SellergateError) as caught:
            await queries(path, "", page({}), method="POST", body=bad)
        assert caught.value.violations[0].field == "call.body"


def large(token: str) -> AmazonResponse:
    """Return a page of 10 MB, as of financial events."""
    event = {"AmazonOrderId": "902-1845936-5435065", "Fees": [{"Type": "x" * 40, "Amount": 1.25}] * 3}
    events = b",".join([json.dumps(event).encode()] * 40_000)
    body = b'{"payload": {"FinancialEvents": {"Shipments": [%b]}, "NextToken": "%b"}}' % (events, token.encode())
    return AmazonResponse(200, (), body)


FINANCES = "/finances/v0/financialEvents"


async def test_pages_of_ten_megabytes_are_parsed_in_a_thread() -> None:
    pages = [large(token) for token in "abc"]
    assert 10_000_000 < len(pages[0].body) < MOST_PAGE_BYTES
    packed = gzip.compress(pages[2].body, 1)
    pages[2] = AmazonResponse(200, (("content-encoding", "gzip"),), packed)
    with watched_loop():
        assert len(await queries(FINANCES, "", *pages, page({"payload": {}}))) == 4


async def test_a_page_that_is_too_large_is_yielded_before_the_error() -> None:
    for body in (b'{"payload": {"Orders": [' + b"1," * MOST_PAGE_VALUES + b"1]}}", b" " * (MOST_PAGE_BYTES + 1)):
        world, seen = World(steps=[AmazonResponse(200, (), body)]), 0
        pages = Pages(world.calls, CATALOGUE, Threads("pages", 1).run)
        with pytest.raises(SellergateError, match="Request smaller pages"):
            async for _ in pages.follow(SpApiCall("a", "GET", ORDERS), "", 0):
                seen += 1
        assert (seen, len(world.sent)) == (1, 1)


async def test_the_number_of_pages_is_bounded_and_a_refusal_is_the_last() -> None:
    assert len(await queries(ORDERS, "", page(orders("a")), LAST, most=1)) == 1
    with pytest.raises(SellergateError):
        await queries(ORDERS, "", page(orders("a")), DENIED)
    with pytest.raises(SellergateError) as caught:
        await queries("/sellers/v1/account", "", LAST)
    assert caught.value.violations[0].field == "call"
