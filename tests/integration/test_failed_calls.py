"""The memory after a failed call: nothing that it held stays, even before a garbage collection."""

import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import (
    GatewayServiceServicer,
    GatewayServiceStub,
    add_GatewayServiceServicer_to_server,
)
from sellergate_common.errors import SellergateError, Unavailable
from sellergate_common.rpc.channel import invoke, invoke_client_stream, invoke_stream, open_channel

from tests.conftest import TestAuthority
from tests.integration.servers import serving

CALL = call_pb2.CallRequest(account_id="a", method="GET", path="/x")


class Body:
    """A stand-in for the data of a call."""


class Gateway(GatewayServiceServicer):
    """A gateway that fails every call while it holds a body."""

    def __init__(self) -> None:
        self.bodies = list[weakref.ref[Body]]()

    def fail(self) -> None:
        body = Body()
        self.bodies.append(weakref.ref(body))
        raise Unavailable("Try again.")

    async def Call(self, request: call_pb2.CallRequest, context: Any) -> call_pb2.CallResponse:  # noqa: N802
        self.fail()
        return call_pb2.CallResponse()

    async def StreamPages(  # noqa: N802
        self, request: pb2.StreamPagesRequest, context: Any
    ) -> AsyncIterator[pb2.StreamPagesResponse]:
        yield pb2.StreamPagesResponse()
        self.fail()

    async def UploadDocument(  # noqa: N802
        self, requests: AsyncIterator[pb2.UploadDocumentRequest], context: Any
    ) -> pb2.UploadDocumentResponse:
        async for _ in requests:
            self.fail()
        return pb2.UploadDocumentResponse()


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_a_failed_call_leaves_no_response_in_memory(authority: TestAuthority) -> None:
    gateway = Gateway()
    servicers = {add_GatewayServiceServicer_to_server: gateway}
    async with (
        serving("gateway", authority.identity("gateway"), servicers) as target,
        open_channel(target, "gateway", authority.identity("operator"), []) as channel,
    ):
        stub = GatewayServiceStub(channel)
        for _ in range(5):
            with pytest.raises(SellergateError, match="Try again"):
                await invoke(stub.Call, CALL, dependency="gateway")
            with pytest.raises(SellergateError, match="Try again"):
                async for _ in invoke_stream(
                    stub.StreamPages, pb2.StreamPagesRequest(call=CALL), dependency="gateway", seconds=20
                ):
                    pass
            head = pb2.UploadDocumentHead(account_id="a", content_type="text/plain")
            requests = [pb2.UploadDocumentRequest(head=head)]
            with pytest.raises(SellergateError, match="Try again"):
                await invoke_client_stream(stub.UploadDocument, requests, dependency="gateway", seconds=20)
    assert len(gateway.bodies) == 15
    assert [body() for body in gateway.bodies if body() is not None] == []
