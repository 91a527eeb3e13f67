"""The layers around every RPC, over real sockets: ids, deadlines, errors, identity, validation."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from sellergate.account.v1 import account_pb2
from sellergate.account.v1 import account_service_pb2 as pb2
from sellergate.account.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
    AccountServiceStub,
    add_AccountServiceServicer_to_server,
)
from sellergate_common.context import REQUEST_ID, CallContext, current_call, time_left, use_context
from sellergate_common.errors import (
    InternalError,
    InvalidRequest,
    NotAllowed,
    OutOfTime,
    Reason,
    SellergateError,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from sellergate_common.rpc.channel import invoke, open_channel

from tests.conftest import TestAuthority
from tests.integration import servers


class Servicer(AccountServiceServicer):  # type: ignore[misc]
    """A servicer whose behaviour is chosen by the account ID."""

    def __init__(self) -> None:
        self.calls = 0

    async def GetAccount(self, request: pb2.GetAccountRequest, context: Any) -> pb2.GetAccountResponse:  # noqa: N802
        self.calls += 1
        match request.account_id:
            case "bug":
                raise KeyError("a secret: Atzr|hidden")
            case "down":
                raise Unavailable("Later.", retry_after=2.0)
            case "slow":
                await asyncio.sleep(60)
        call = current_call()
        assert call
        seen = {
            "id": call.request_id,
            "who": call.caller.identity,
            "user": call.caller.on_behalf_of,
            "left": time_left(-1),
        }
        return pb2.GetAccountResponse(account=account_pb2.Account(account_id=json.dumps(seen)))


@pytest.fixture(scope="module")
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture(scope="module")
async def target(authority: TestAuthority, servicer: Servicer) -> AsyncIterator[str]:
    async with servers.serving(
        "account", authority.identity("account"), {add_AccountServiceServicer_to_server: servicer}
    ) as where:
        yield where


@pytest.fixture
async def stub(target: str, authority: TestAuthority) -> AsyncIterator[AccountServiceStub]:
    contracts = [pb2.DESCRIPTOR.services_by_name["AccountService"]]
    async with open_channel(target, "account", authority.identity("operator"), contracts) as channel:
        yield AccountServiceStub(channel)


async def get(stub: AccountServiceStub, account_id: str, **given: Any) -> dict[str, Any]:
    response = await invoke(
        stub.GetAccount, pb2.GetAccountRequest(account_id=account_id), dependency="account", **given
    )
    return dict(json.loads(response.account.account_id))


async def failed(stub: AccountServiceStub, account_id: str, **given: Any) -> SellergateError:
    with pytest.raises(SellergateError) as caught:
        await get(stub, account_id, **given)
    return caught.value


async def test_the_request_id_and_the_deadline_are_passed_on_less_20_ms(stub: AccountServiceStub) -> None:
    with use_context(CallContext("test", "request-1", deadline=time.monotonic() + 5)):
        seen = await get(stub, "x")
    assert seen["id"] == "request-1"
    assert 4.5 < seen["left"] <= 4.98


async def test_a_call_without_a_deadline_gets_thirty_seconds_and_one_without_an_id_gets_one(
    stub: AccountServiceStub,
) -> None:
    response = await stub.GetAccount(pb2.GetAccountRequest(account_id="x"))
    seen = json.loads(response.account.account_id)
    assert 29 < seen["left"] <= 30
    assert len(seen["id"]) == 32


async def test_an_invalid_request_id_is_replaced(stub: AccountServiceStub) -> None:
    response = await stub.GetAccount(pb2.GetAccountRequest(account_id="x"), metadata=((REQUEST_ID, "bad id; drop"),))
    assert json.loads(response.account.account_id)["id"] != "bad id; drop"


async def test_a_slow_call_ends_at_its_deadline_with_a_reason(stub: AccountServiceStub) -> None:
    began = time.monotonic()
    error = await failed(stub, "slow", seconds=0.5)
    assert isinstance(error, OutOfTime)
    assert time.monotonic() - began < 50, "the handler takes 60 s"


async def test_a_bug_is_opaque_and_reported_with_the_request_id(stub: AccountServiceStub) -> None:
    with use_context(CallContext("test", "request-bug")):
        error = await failed(stub, "bug")
    assert isinstance(error, InternalError)
    assert error.metadata["request_id"] == "request-bug"
    assert "KeyError" not in error.message


async def test_an_error_of_the_servicer_is_not_retried_by_grpc(stub: AccountServiceStub, servicer: Servicer) -> None:
    before = servicer.calls
    error = await failed(stub, "down")
    assert (error.reason, error.retry_after) == (Reason.DEPENDENCY_UNAVAILABLE, 2.0)
    assert servicer.calls == before + 1


async def test_a_missing_method_is_unimplemented(stub: AccountServiceStub) -> None:
    with pytest.raises(Unimplemented):
        await invoke(stub.ListAccounts, pb2.ListAccountsRequest(), dependency="account")


async def test_bad_requests_do_not_reach_the_servicer(stub: AccountServiceStub, servicer: Servicer) -> None:
    before = servicer.calls
    assert isinstance(await failed(stub, ""), InvalidRequest)
    assert servicer.calls == before


async def test_identity_is_checked_before_validation(target: str, authority: TestAuthority) -> None:
    async with open_channel(target, "account", authority.identity("edge"), []) as channel:
        stub = AccountServiceStub(channel)
        assert isinstance(await failed(stub, ""), Unauthenticated)
        assert isinstance(await failed(stub, "", on_behalf_of="u1"), InvalidRequest)
        assert (await get(stub, "x", on_behalf_of="u1"))["user"] == "u1"
    async with open_channel(target, "account", authority.identity("client/demo"), []) as channel:
        with pytest.raises(NotAllowed):
            await invoke(AccountServiceStub(channel).UpsertAccount, pb2.UpsertAccountRequest(), dependency="account")


async def test_a_message_above_the_limit_is_refused(stub: AccountServiceStub) -> None:
    with pytest.raises(SellergateError):
        await get(stub, "x" * (17 * 1024 * 1024))
    assert (await get(stub, "x"))["who"] == "operator"


async def test_an_unknown_method_is_unimplemented(target: str, authority: TestAuthority) -> None:
    async with open_channel(target, "account", authority.identity("operator"), []) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/sellergate.account.v1.AccountService/Nope")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_calls_use_all_addresses_and_skip_an_unavailable_one(authority: TestAuthority) -> None:
    contracts = [pb2.DESCRIPTOR.services_by_name["AccountService"]]
    first, second = Servicer(), Servicer()
    identity = authority.identity("account")
    async with servers.serving("account", identity, {add_AccountServiceServicer_to_server: second}) as other:
        async with servers.serving("account", identity, {add_AccountServiceServicer_to_server: first}) as one:
            target = f"ipv4:{one},{other}"
            async with open_channel(target, "account", authority.identity("operator"), contracts) as channel:
                stub = AccountServiceStub(channel)
                await channel.channel_ready()
                await asyncio.sleep(0.2)
                for _ in range(20):
                    await get(stub, "x")
        assert min(first.calls, second.calls) >= 8
        async with open_channel(target, "account", authority.identity("operator"), contracts) as channel:
            for _ in range(5):
                assert (await get(AccountServiceStub(channel), "x"))["who"] == "operator"
