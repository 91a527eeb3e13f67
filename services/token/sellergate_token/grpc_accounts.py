"""The account service over gRPC, as the token service sees it."""

import asyncio
from functools import partial

import grpc
from pydantic import SecretStr
from sellergate.account.v1 import (
    account_pb2,
    account_secrets_service_pb2,
    account_secrets_service_pb2_grpc,
    account_service_pb2,
    account_service_pb2_grpc,
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
)
from sellergate_client.states import check_usable
from sellergate_common.channel import invoke
from sellergate_common.context import concerns, time_left
from sellergate_common.copies import LOOK_SECONDS, Copies
from sellergate_common.errors import Conflict, NotFound, Unavailable
from sellergate_common.logs import get_logger

from sellergate_token.grpc_applications import lwa_client, opened_client
from sellergate_token.ports import AccountGrant, AccountView, ApplicationView, LwaClient, RefreshToken

CONTRACTS = (
    account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
    account_secrets_service_pb2.DESCRIPTOR.services_by_name["AccountSecretsService"],
    application_service_pb2.DESCRIPTOR.services_by_name["ApplicationService"],
)
_DEPENDENCY = "account"
STORE_PAUSE_SECONDS = 0.5


class GrpcAccounts:
    """Accounts and their grants."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        accounts: Copies[account_pb2.Account],
        applications: Copies[application_pb2.Application],
    ) -> None:
        self._account_copies = accounts
        self._application_copies = applications
        self._applications = application_service_pb2_grpc.ApplicationServiceStub(channel)
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._secrets = account_secrets_service_pb2_grpc.AccountSecretsServiceStub(channel)

    async def view(self, account_id: str) -> AccountView:
        """Return an account that can be used."""
        account = check_usable(await self._account_copies.get(account_id, partial(self._account, account_id)))
        concerns(account.account_id)
        return AccountView(account.account_id, account.revision)

    def forget(self, account_id: str) -> None:
        """Forget the copy of an account."""
        self._account_copies.forget(account_id)

    async def application(self, application_id: str, scope: str) -> ApplicationView:
        """Return an application."""
        fetch = partial(self._application, application_id)
        application = await self._application_copies.get(application_id, fetch)
        return ApplicationView(application.application_id, application.etag, scope)

    async def client(self, application_id: str) -> LwaClient:
        """Open an application's LWA client."""
        return await opened_client(self._secrets, application_id)

    async def grant(self, account_id: str) -> AccountGrant:
        """Open an account's grant."""
        request = account_secrets_service_pb2.GetAccountSecretsRequest(account_id=account_id)
        opened = await invoke(self._secrets.GetAccountSecrets, request, dependency=_DEPENDENCY)
        return AccountGrant(
            AccountView(opened.account.account_id, opened.account.revision),
            lwa_client(opened.application),
            RefreshToken(SecretStr(opened.refresh_token)),
        )

    async def rotate(self, account: AccountView, refresh_token: SecretStr) -> AccountView:
        """Store a refresh token that Amazon sent; tried again while there is time, because nobody else has it."""
        request = account_secrets_service_pb2.RotateRefreshTokenRequest(
            account_id=account.account_id,
            expected_revision=account.revision,
            refresh_token=refresh_token.get_secret_value(),
        )
        while True:
            try:
                answer = await invoke(self._secrets.RotateRefreshToken, request, dependency=_DEPENDENCY)
            except Unavailable as error:
                if time_left(0.0) <= STORE_PAUSE_SECONDS:
                    raise
                get_logger().error("rotated_refresh_token_not_stored_yet", reason=error.reason)
                await asyncio.sleep(STORE_PAUSE_SECONDS)
            else:
                return AccountView(answer.account.account_id, answer.account.revision)

    async def mark_revoked(self, account: AccountView) -> None:
        """Record a refused grant; an account that has moved on is left alone."""
        request = account_secrets_service_pb2.MarkAuthorizationRevokedRequest(
            account_id=account.account_id, expected_revision=account.revision
        )
        try:
            await invoke(self._secrets.MarkAuthorizationRevoked, request, dependency=_DEPENDENCY)
        except (Conflict, NotFound):
            return

    async def _account(self, account_id: str) -> account_pb2.Account:
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        answer = await invoke(self._accounts.GetAccount, request, dependency=_DEPENDENCY, seconds=LOOK_SECONDS)
        return answer.account

    async def _application(self, application_id: str) -> application_pb2.Application:
        request = application_service_pb2.GetApplicationRequest(application_id=application_id)
        answer = await invoke(self._applications.GetApplication, request, dependency=_DEPENDENCY, seconds=LOOK_SECONDS)
        return answer.application
