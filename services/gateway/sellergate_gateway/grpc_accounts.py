"""The account service over gRPC, with copies of its accounts."""

from functools import partial

import grpc
from sellergate.account.v1 import account_pb2, account_service_pb2, account_service_pb2_grpc
from sellergate_common.cache.stale_if_error import LOOK_SECONDS, StaleIfErrorCache
from sellergate_common.rpc.channel import invoke

from sellergate_gateway.model import Account

CONTRACTS = (account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],)


class GrpcAccounts:
    """Accounts, without their secrets."""

    def __init__(self, channel: grpc.aio.Channel, copies: StaleIfErrorCache[Account]) -> None:
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._copies = copies

    async def get(self, account_id: str) -> Account:
        """Return an account."""
        return await self._copies.get(account_id, partial(self._fetch, account_id))

    async def _fetch(self, account_id: str) -> Account:
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        response = await invoke(self._accounts.GetAccount, request, dependency="account", seconds=LOOK_SECONDS)
        message = response.account
        return Account(
            account_id=message.account_id,
            user_id=message.user_id,
            application_id=message.application_id,
            amazon_seller_id=message.amazon_seller_id,
            marketplace=message.marketplace,
            region=message.region,
            iam_role_arn=message.iam_role_arn,
            signing=account_pb2.SigningMode.Name(message.signing_mode).removeprefix("SIGNING_MODE_"),
            sandbox=message.sandbox,
            state=account_pb2.AccountState.Name(message.state).removeprefix("ACCOUNT_STATE_"),
            revision=message.revision,
            version=message.version,
            marketplace_ids=tuple(message.marketplace_ids),
            shared_application=response.shared_application,
        )
