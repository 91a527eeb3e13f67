"""What the contract has and nothing fills yet says so with a reason; nothing answers a made-up result."""

import pytest
from sellergate.gateway.v1 import gateway_service_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.channel import invoke_stream, open_channel
from sellergate_common.errors import Unimplemented
from sellergate_devstack.suite import Suite


async def test_a_call_that_nothing_fills(suite: Suite) -> None:
    async with open_channel(suite.target("gateway"), "gateway", suite.identity("operator"), []) as gateway:
        report = gateway_service_pb2.RunReportRequest(account_id="x")
        with pytest.raises(Unimplemented) as caught:
            async for _ in invoke_stream(
                GatewayServiceStub(gateway).RunReport, report, dependency="gateway", seconds=5
            ):
                pass
        assert "not built yet" in caught.value.message
        assert caught.value.domain == "sellergate.gateway"
