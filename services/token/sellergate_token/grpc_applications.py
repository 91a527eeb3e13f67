"""The account service over gRPC, as an authorization sees it: applications, and the account that comes of it."""

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import SecretStr
from sellergate.account.v1 import (
    account_pb2,
    account_secrets_service_pb2,
    account_secrets_service_pb2_grpc,
    account_service_pb2,
    account_service_pb2_grpc,
    application_service_pb2,
    application_service_pb2_grpc,
)
from sellergate_common.channel import invoke

from sellergate_token.authorization_ports import ApplicationView, Connection
from sellergate_token.ports import LwaClient

_DEPENDENCY = "account"


async def opened_client(
    secrets: "account_secrets_service_pb2_grpc.AccountSecretsServiceAsyncStub", application_id: str
) -> LwaClient:
    """Open an application's client id and secrets."""
    request = account_secrets_service_pb2.GetApplicationSecretsRequest(application_id=application_id)
    return lwa_client((await invoke(secrets.GetApplicationSecrets, request, dependency=_DEPENDENCY)).application)


def lwa_client(opened: account_secrets_service_pb2.ApplicationSecrets) -> LwaClient:
    """Return the LWA client of an application that was opened."""
    previous = SecretStr(opened.previous_client_secret) if opened.previous_client_secret else None
    return LwaClient(SecretStr(opened.client_id), SecretStr(opened.client_secret), previous)


class GrpcApplications:
    """Applications and their LWA clients."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._applications = application_service_pb2_grpc.ApplicationServiceStub(channel)
        self._secrets = account_secrets_service_pb2_grpc.AccountSecretsServiceStub(channel)

    async def view(self, application_id: str) -> ApplicationView:
        """Return an application."""
        request = application_service_pb2.GetApplicationRequest(application_id=application_id)
        found = (await invoke(self._applications.GetApplication, request, dependency=_DEPENDENCY)).application
        return ApplicationView(
            found.application_id,
            found.owner_user_id,
            found.spapi_application_id,
            tuple(found.redirect_uris),
            found.draft,
        )

    async def client(self, application_id: str) -> LwaClient:
        """Open an application's LWA client."""
        return await opened_client(self._secrets, application_id)


class GrpcSellers:
    """Accounts, stored for the user who began."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)

    async def connect(self, connection: Connection) -> account_pb2.Account:
        """Store a seller for its user; unique by user, seller and marketplace, so that no other user's account is touched."""
        expire_time = Timestamp()
        expire_time.FromSeconds(int(connection.authorization_expire_time))
        request = account_service_pb2.UpsertAccountRequest(
            user_id=connection.user_id,
            amazon_seller_id=connection.selling_partner_id,
            marketplace=connection.marketplace,
            application_id=connection.application_id,
            refresh_token=connection.refresh_token.get_secret_value(),
            authorization_expire_time=expire_time,
        )
        return (await invoke(self._accounts.UpsertAccount, request, dependency=_DEPENDENCY)).account
