"""The client library's own deadline: a request that was sent may have been executed, and one that was not sent was not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sellergate.account.v1 import account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
    add_AccountServiceServicer_to_server,
)
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import (
    GatewayServiceServicer,
    add_GatewayServiceServicer_to_server,
)
from sellergate_client import Sellergate
from sellergate_common.context import CallContext, use_context
from sellergate_common.errors import OutcomeUnknown, OutOfTime, Reason
from sellergate_common.status import BEGUN

from tests.conftest import TestAuthority
from tests.integration import servers

SECONDS = 0.8


async def busy() -> None:
    """Work on beyond the deadline, as a server does whose event loop is late."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(4 * SECONDS)


class Gateway(GatewayServiceServicer):
    """A gateway that responds after any deadline."""

    async def Call(self, request: call_pb2.CallRequest, context: Any) -> call_pb2.CallResponse:  # noqa: N802
        await context.send_initial_metadata((BEGUN,))
        await busy()
        return call_pb2.CallResponse()

    async def UploadDocument(  # noqa: N802
        self, requests: AsyncIterator[pb2.UploadDocumentRequest], context: Any
    ) -> pb2.UploadDocumentResponse:
        async for _ in requests:
            pass
        await busy()
        return pb2.UploadDocumentResponse()


class Accounts(AccountServiceServicer):
    """An account service whose deadline passes during a change, which it reports."""

    async def DeleteAccount(  # noqa: N802
        self, request: account_service_pb2.DeleteAccountRequest, context: Any
    ) -> account_service_pb2.DeleteAccountResponse:
        await asyncio.sleep(60)
        return account_service_pb2.DeleteAccountResponse()


@pytest.fixture
async def client(authority: TestAuthority) -> AsyncIterator[Sellergate]:
    gateway = servers.serving(
        "gateway", authority.identity("gateway"), {add_GatewayServiceServicer_to_server: Gateway()}
    )
    account = servers.serving(
        "account", authority.identity("account"), {add_AccountServiceServicer_to_server: Accounts()}
    )
    async with (
        gateway as gateway_target,
        account as account_target,
        Sellergate.connect(gateway_target, account_target, authority.identity("operator")) as connected,
    ):
        assert await connected.health() == {"gateway": True, "account": True}
        yield connected


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_write_that_was_sent_may_have_been_executed(client: Sellergate, method: str) -> None:
    with pytest.raises(OutcomeUnknown, match="check before you repeat it") as caught:
        await client.call("a", method, "/x", seconds=SECONDS)
    assert caught.value.reason is Reason.AMAZON_OUTCOME_UNKNOWN


async def test_a_read_is_out_of_time(client: Sellergate) -> None:
    with pytest.raises(OutOfTime):
        await client.call("a", "GET", "/x", seconds=SECONDS)


async def test_an_upload_may_have_been_stored(client: Sellergate) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        await client.documents.upload("a", b"x", "text/plain", seconds=SECONDS)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN


async def test_a_write_for_which_no_time_was_left_was_not_sent(client: Sellergate) -> None:
    with pytest.raises(OutOfTime, match="No time was left"):
        await client.call("a", "POST", "/x", seconds=0.0)


async def test_a_change_that_the_account_service_started_may_be_stored(client: Sellergate) -> None:
    loop = asyncio.get_running_loop()
    with use_context(CallContext("m", "r", deadline=loop.time() + SECONDS)), pytest.raises(OutcomeUnknown) as caught:
        await client.accounts.delete("a")
    assert caught.value.metadata["idempotency_key"]
