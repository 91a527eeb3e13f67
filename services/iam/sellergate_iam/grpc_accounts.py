"""The client of the account service over gRPC."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import grpc
from sellergate.account.v1 import account_pb2, account_service_pb2, account_service_pb2_grpc
from sellergate_client.rpc.account_changes import ACCOUNT, GrpcAccountChanges
from sellergate_client.states import check_usable
from sellergate_common.cache.invalidation import InvalidationFeed, InvalidationListener
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES
from sellergate_common.cache.stale_if_error import LOOK_SECONDS, StaleIfErrorCache
from sellergate_common.clock import Clock
from sellergate_common.context import bind
from sellergate_common.errors import InvalidRequest
from sellergate_common.feed.follower import ChangeFollower
from sellergate_common.feed.trust import Trust
from sellergate_common.rpc.channel import invoke
from sellergate_common.tasks import BackgroundTasks

from sellergate_iam.ports import Role

CONTRACTS = (account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],)


class GrpcAccounts:
    """Roles of accounts."""

    def __init__(self, channel: grpc.aio.Channel, copies: StaleIfErrorCache[account_pb2.Account]) -> None:
        self._copies = copies
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)

    async def role(self, account_id: str, at_least: int = 0) -> Role:
        """Return the role of an account that can be used, of the revision `at_least` or a later one."""
        fetch = partial(self._account, account_id)
        account = await self._copies.get_newer(account_id, fetch, lambda found: found.revision >= at_least)
        check_usable(account)
        bind(account_id)
        if not account.iam_role_arn:
            raise InvalidRequest.of_field("account_id", "names an account without an IAM role; set iam_role_arn first")
        external_id = "" if account.role_without_external_id else account.external_id
        return Role(
            account.iam_role_arn,
            external_id,
            account.region,
            account.account_id,
            account.revision,
            account.marketplace,
        )

    async def _account(self, account_id: str) -> account_pb2.Account:
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        response = await invoke(self._accounts.GetAccount, request, dependency="account", seconds=LOOK_SECONDS)
        return response.account


@asynccontextmanager
async def open_accounts(
    channel: grpc.aio.Channel,
    size: int,
    changes: InvalidationFeed,
    listeners: Mapping[str, Sequence[InvalidationListener]],
    clock: Clock,
    background: BackgroundTasks,
) -> AsyncIterator[GrpcAccounts]:
    """Keep at most `size` copies of accounts, and follow their changes and those for other `listeners`, while the body runs."""
    trust = Trust()
    copies: StaleIfErrorCache[account_pb2.Account] = StaleIfErrorCache(
        clock.monotonic,
        lambda: changes.connected,
        trust=trust,
        version_of=lambda copied: copied.version,
        size=size,
    )
    follower = ChangeFollower(GrpcAccountChanges(channel), {ACCOUNT: (copies,)}, trust, clock)
    async with (
        changes.subscribe({ACCOUNT_CHANGES: (copies,), **listeners}, background),
        follower.following("account_changes", background),
    ):
        yield GrpcAccounts(channel, copies)
