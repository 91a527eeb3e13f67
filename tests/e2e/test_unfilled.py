"""What the contract has and nothing fills yet says so with a reason; nothing answers a made-up result."""

import pytest
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate.token.v1.token_service_pb2 import HandleRotationRequest
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_common.channel import invoke, invoke_stream, open_channel
from sellergate_common.errors import Unimplemented
from sellergate_devstack.suite import Suite


async def test_unary_and_streaming_calls_that_nothing_fills(suite: Suite) -> None:
    operator = suite.identity("operator")
    async with (
        open_channel(suite.target("token"), "token", operator, []) as token,
        open_channel(suite.target("gateway"), "gateway", operator, []) as gateway,
    ):
        with pytest.raises(Unimplemented) as caught:
            await invoke(TokenServiceStub(token).HandleRotation, HandleRotationRequest(), dependency="token")
        assert "not built yet" in caught.value.message
        assert caught.value.domain == "sellergate.token"
        pages = gateway_service_pb2.StreamPagesRequest(call=call_pb2.CallRequest(account_id="x"))
        report = gateway_service_pb2.RunReportRequest(account_id="x")
        for stream in (
            invoke_stream(GatewayServiceStub(gateway).RunReport, report, dependency="gateway", seconds=5),
            invoke_stream(GatewayServiceStub(gateway).StreamPages, pages, dependency="gateway", seconds=5),
        ):
            with pytest.raises(Unimplemented):
                async for _ in stream:
                    pass
