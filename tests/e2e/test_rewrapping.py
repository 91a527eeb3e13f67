"""RewrapSecrets over gRPC and from the command line, for operators only."""

import asyncio

import pytest
from sellergate.account.v1.account_admin_service_pb2 import RewrapSecretsRequest
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate_common.errors import InvalidRequest, NotAllowed
from sellergate_common.rpc.channel import invoke_stream, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
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


async def test_an_operator_waits_for_the_end_at_the_command_line(rest: Rest, seller: Seller) -> None:
    await rest.connect(seller)
    done = await asyncio.to_thread(Operator(rest.suite).types, "keys", "rewrap")
    assert done.returncode == 0, done.stderr
    denied = await asyncio.to_thread(Operator(rest.suite, "client/demo").types, "keys", "rewrap")
    assert denied.returncode == 1
    assert "CALLER_NOT_ALLOWED" in denied.stderr
