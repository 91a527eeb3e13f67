"""Pages of the client library, over a real connection: the bound of a list that has no end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import (
    GatewayServiceServicer,
    GatewayServiceStub,
    add_GatewayServiceServicer_to_server,
)
from sellergate_client import Unavailable
from sellergate_client.documents.streams import MOST_PAGES, Documents
from sellergate_common.errors import Reason
from sellergate_common.rpc.channel import open_channel

from tests.conftest import TestAuthority
from tests.integration.servers import serving

CALL = call_pb2.CallRequest(account_id="a", method="GET", path="/x")


class Gateway(GatewayServiceServicer):  # type: ignore[misc]
    """A gateway whose lists have no end unless the caller sets one."""

    def __init__(self) -> None:
        self.open = 0

    async def StreamPages(  # noqa: N802
        self, request: pb2.StreamPagesRequest, context: Any
    ) -> AsyncIterator[pb2.StreamPagesResponse]:
        self.open += 1
        try:
            number = 0
            while not request.max_pages or number < request.max_pages:
                number += 1
                yield pb2.StreamPagesResponse(page=call_pb2.CallResponse(http_status=200, body=b"%d" % number))
        finally:
            self.open -= 1


@pytest.fixture
async def documents(authority: TestAuthority) -> AsyncIterator[Documents]:
    gateway = Gateway()
    servicers = {add_GatewayServiceServicer_to_server: gateway}
    async with (
        serving("gateway", authority.identity("gateway"), servicers) as target,
        open_channel(target, "gateway", authority.identity("operator"), []) as channel,
    ):
        yield Documents(channel, GatewayServiceStub(channel))


async def test_ten_thousand_pages_are_the_default_bound_and_more_of_them_an_error(documents: Documents) -> None:
    assert MOST_PAGES == 10_000
    count = 0
    with pytest.raises(Unavailable, match=r"more than 10000 pages.*set max_pages") as caught:
        async for page in documents.pages(CALL, seconds=300):
            count += 1
            assert page.body == b"%d" % count
    assert (count, caught.value.reason) == (10_000, Reason.AMAZON_UNAVAILABLE)


async def test_a_caller_may_set_a_larger_bound(documents: Documents) -> None:
    found = [page.body async for page in documents.pages(CALL, max_pages=10_002, seconds=300)]
    assert (len(found), found[-1]) == (10_002, b"10002")
