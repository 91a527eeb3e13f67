"""The rule of each family for the next page."""

import gzip
import json

import pytest
from sellergate_common.errors import Reason, SellergateError
from sellergate_gateway.calls.pagination import Pages
from sellergate_gateway.spapi.http import AmazonAnswer
from sellergate_gateway.spapi.request import SpApiCall

from tests.fakes.gateway import CATALOGUE, DENIED, World


def page(document: object, *, packed: bool = False) -> AmazonAnswer:
    body = json.dumps(document).encode()
    return AmazonAnswer(200, (("content-encoding", "gzip"),) if packed else (), gzip.compress(body) if packed else body)


async def queries(
    path: str, query: str, *answers: AmazonAnswer, most: int = 0, method: str = "GET", body: bytes = b""
) -> list[str]:
    world = World(steps=list(answers))
    pages = Pages(world.calls, CATALOGUE)
    call = SpApiCall("a", method, path, raw_query=query, body=body)
    async for _ in pages.follow(call, "", most):
        pass
    return [request.url.partition("?")[2] if method == "GET" else request.body.decode() for request in world.sent]


ORDERS, LAST = "/orders/v0/orders", page({"payload": {"Orders": []}})


async def test_most_want_all_parameters_again() -> None:
    first = page({"payload": {"NextToken": "a/b=="}})
    asked = await queries(ORDERS, "MarketplaceIds=ATVPDKIKX0DER&NextToken=old&x", first, LAST)
    assert asked == [
        "MarketplaceIds=ATVPDKIKX0DER&NextToken=old&x",
        "MarketplaceIds=ATVPDKIKX0DER&x&NextToken=a%2Fb%3D%3D",
    ]


async def test_an_answer_that_is_packed_is_read_too() -> None:
    assert len(await queries(ORDERS, "", page({"payload": {"NextToken": "a"}}, packed=True), LAST)) == 2


async def test_reports_and_feeds_want_the_token_alone() -> None:
    for path in ("/reports/2021-06-30/reports", "/feeds/2021-06-30/feeds"):
        asked = await queries(path, "pageSize=10&types=a", page({"nextToken": "t"}), page({}))
        assert asked[1] == "nextToken=t"


async def test_fulfillment_inbound_v0_changes_its_query_type() -> None:
    query = "QueryType=SHIPMENT&MarketplaceId=ATVPDKIKX0DER&ShipmentIdList=1,2"
    asked = await queries(
        "/fba/inbound/v0/shipments", query, page({"payload": {"NextToken": "t"}}), page({"payload": {}})
    )
    assert asked[1] == "MarketplaceId=ATVPDKIKX0DER&QueryType=NEXT_TOKEN&NextToken=t"


async def test_replenishment_counts_in_the_body() -> None:
    body = json.dumps({"pagination": {"limit": 10, "offset": 5}, "filters": {}}).encode()
    answer = page({"offers": [], "pagination": {"totalResults": 31}})
    asked = await queries("/replenishment/2022-11-07/offers/search", "", answer, method="POST", body=body)
    assert [json.loads(one)["pagination"]["offset"] for one in asked] == [5, 15, 25]


async def test_tokens_that_come_again_end_it() -> None:
    answers = [page({"payload": {"NextToken": token}}) for token in "aba"]
    with pytest.raises(SellergateError) as caught:
        await queries(ORDERS, "", *answers)
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert "circle" in caught.value.message


@pytest.mark.parametrize(
    "document", [{}, [], {"payload": None}, {"payload": {"NextToken": ""}}, {"payload": {"NextToken": 5}}]
)
async def test_what_ends_the_pages(document: object) -> None:
    assert len(await queries(ORDERS, "", page(document))) == 1


async def test_a_page_above_a_megabyte_has_a_page_after_it_and_one_that_cannot_be_read_is_not_the_last() -> None:
    large = page({"payload": {"Orders": ["x" * 3_000_000], "NextToken": "a"}})
    assert len(await queries(ORDERS, "", large, LAST)) == 2
    for body in (b"<html>", b"[" * 5_000, b'{"payload": {"NextToken": "\\ud800"}}', b'{"payload": "\xff"}'):
        with pytest.raises(SellergateError) as caught:
            await queries(ORDERS, "", AmazonAnswer(200, (), body), LAST)
        assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
        assert "cannot be read" in caught.value.message


async def test_no_more_than_asked_for_and_none_after_a_refusal() -> None:
    assert len(await queries(ORDERS, "", page({"payload": {"NextToken": "a"}}), LAST, most=1)) == 1
    with pytest.raises(SellergateError):
        await queries(ORDERS, "", page({"payload": {"NextToken": "a"}}), DENIED)
    with pytest.raises(SellergateError) as caught:
        await queries("/sellers/v1/account", "", LAST)
    assert caught.value.violations[0].field == "call"
