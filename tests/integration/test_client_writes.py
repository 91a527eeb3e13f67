"""The client library's writes: one idempotency key for each logical call, kept over its attempts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sellergate.account.v1 import account_service_pb2 as pb2
from sellergate.account.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
    add_AccountServiceServicer_to_server,
)
from sellergate_client.accounts import CONTRACTS, Accounts
from sellergate_client.rpc.writes import ATTEMPTS
from sellergate_common.errors import Conflict, OutcomeUnknown, SellergateError, Unavailable
from sellergate_common.rpc.channel import open_channel

from tests.conftest import TestAuthority
from tests.integration.servers import serving

KEY = "0b1c9e1a-1f5e-4d0e-9a55-000000000001"


class Scripted(AccountServiceServicer):
    """Raises one error after the other, and then responds."""

    def __init__(self) -> None:
        self.errors = list[SellergateError]()
        self.keys = list[str]()

    async def DeleteAccount(  # noqa: N802  (named by gRPC)
        self, request: pb2.DeleteAccountRequest, context: Any
    ) -> pb2.DeleteAccountResponse:
        self.keys.append(request.idempotency_key)
        if self.errors:
            raise self.errors.pop(0)
        return pb2.DeleteAccountResponse()


@pytest.fixture
def servicer() -> Scripted:
    return Scripted()


@pytest.fixture
async def accounts(authority: TestAuthority, servicer: Scripted) -> AsyncIterator[Accounts]:
    async with (
        serving("account", authority.identity("account"), {add_AccountServiceServicer_to_server: servicer}) as target,
        open_channel(target, "account", authority.identity("operator"), CONTRACTS) as channel,
    ):
        yield Accounts(channel)


async def test_a_write_with_an_unknown_outcome_is_repeated_under_its_key(
    accounts: Accounts, servicer: Scripted
) -> None:
    servicer.errors = [OutcomeUnknown("It may be stored.")]
    await accounts.delete("a")
    await accounts.delete("a")
    first, repeat, another = servicer.keys
    assert first == repeat != another
    await accounts.delete("a", idempotency_key=KEY)
    assert servicer.keys[-1] == KEY


async def test_an_outcome_that_stays_unknown_is_reported_so_with_its_key(
    accounts: Accounts, servicer: Scripted
) -> None:
    servicer.errors = [OutcomeUnknown("It may be stored.")] * ATTEMPTS
    with pytest.raises(OutcomeUnknown) as caught:
        await accounts.delete("a")
    assert set(servicer.keys) == {caught.value.metadata["idempotency_key"]}
    assert len(servicer.keys) == ATTEMPTS


async def test_an_error_about_only_the_last_attempt_leaves_the_outcome_unknown(
    accounts: Accounts, servicer: Scripted
) -> None:
    servicer.errors = [OutcomeUnknown("It may be stored."), *[Unavailable("The database is down.")] * ATTEMPTS]
    with pytest.raises(OutcomeUnknown):
        await accounts.delete("a")


async def test_the_decision_of_the_service_is_the_outcome(accounts: Accounts, servicer: Scripted) -> None:
    servicer.errors = [OutcomeUnknown("It may be stored."), Conflict("It was changed.")]
    with pytest.raises(Conflict):
        await accounts.delete("a")
    servicer.errors = [Unavailable("The database is down.")]
    with pytest.raises(Unavailable):
        await accounts.delete("a")
    assert len(servicer.keys) == 3


async def test_a_write_that_was_not_sent_is_safe_to_repeat(authority: TestAuthority) -> None:
    async with open_channel("127.0.0.1:1", "account", authority.identity("operator"), CONTRACTS) as channel:
        with pytest.raises(Unavailable, match="nothing was sent"):
            await Accounts(channel).delete("a")
