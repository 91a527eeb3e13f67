"""The account service over gRPC, as the token service sees it."""

import grpc
from pydantic import SecretStr
from sellergate.account.v1 import (
    account_secrets_service_pb2,
    account_secrets_service_pb2_grpc,
    account_service_pb2,
    account_service_pb2_grpc,
)
from sellergate_client.states import check_usable
from sellergate_common.channel import invoke
from sellergate_common.errors import Conflict, NotFound

from sellergate_token.ports import AccountGrant, AccountView, LwaClient, RefreshToken

CONTRACTS = (
    account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
    account_secrets_service_pb2.DESCRIPTOR.services_by_name["AccountSecretsService"],
)
_DEPENDENCY = "account"


class GrpcAccounts:
    """Accounts and their grants."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._secrets = account_secrets_service_pb2_grpc.AccountSecretsServiceStub(channel)

    async def view(self, account_id: str) -> AccountView:
        """Return an account that can be used."""
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        account = check_usable((await invoke(self._accounts.GetAccount, request, dependency=_DEPENDENCY)).account)
        return AccountView(account.account_id, account.revision)

    async def grant(self, account_id: str) -> AccountGrant:
        """Open an account's grant."""
        request = account_secrets_service_pb2.GetAccountSecretsRequest(account_id=account_id)
        opened = await invoke(self._secrets.GetAccountSecrets, request, dependency=_DEPENDENCY)
        return AccountGrant(
            AccountView(opened.account.account_id, opened.account.revision),
            _client(opened.application),
            RefreshToken(SecretStr(opened.refresh_token)),
        )

    async def mark_revoked(self, account: AccountView) -> None:
        """Record a refused grant; an account that has moved on is left alone."""
        request = account_secrets_service_pb2.MarkAuthorizationRevokedRequest(
            account_id=account.account_id, expected_revision=account.revision
        )
        try:
            await invoke(self._secrets.MarkAuthorizationRevoked, request, dependency=_DEPENDENCY)
        except (Conflict, NotFound):
            return


def _client(secrets: account_secrets_service_pb2.ApplicationSecrets) -> LwaClient:
    previous = SecretStr(secrets.previous_client_secret) if secrets.previous_client_secret else None
    return LwaClient(SecretStr(secrets.client_id), SecretStr(secrets.client_secret), previous)
