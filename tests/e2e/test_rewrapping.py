"""RewrapSecrets over gRPC, for operators only."""

import pytest
from sellergate.account.v1.account_admin_service_pb2 import RewrapSecretsRequest
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate_common.errors import InvalidRequest, NotAllowed
from sellergate_common.rpc.channel import invoke_stream, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def test_progress_is_streamed_to_operators_only(rest: Rest, seller: Seller) -> None:
    await rest.connect(seller)
    suite = rest.suite
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        stub = AccountAdminServiceStub(channel)
        request = RewrapSecretsRequest(batch_size=1)
        seen = [step async for step in invoke_stream(stub.RewrapSecrets, request, dependency="account", seconds=30)]
        assert seen[-1].skipped == seen[-1].total >= 2
        assert seen[-1].rewrapped == 0
        assert len(seen) > 2
        with pytest.raises(InvalidRequest):
            bad = RewrapSecretsRequest(batch_size=-1)
            _ = [step async for step in invoke_stream(stub.RewrapSecrets, bad, dependency="account", seconds=5)]
    async with open_channel(suite.target("account"), "account", suite.identity("client/demo"), []) as channel:
        stub = AccountAdminServiceStub(channel)
        with pytest.raises(NotAllowed):
            _ = [step async for step in invoke_stream(stub.RewrapSecrets, request, dependency="account", seconds=5)]
