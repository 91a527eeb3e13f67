"""What the account service has stored, over gRPC, as rotations see it."""

from datetime import UTC, datetime

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import SecretStr
from sellergate.account.v1 import (
    account_secrets_service_pb2,
    account_secrets_service_pb2_grpc,
    account_service_pb2,
    account_service_pb2_grpc,
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
)
from sellergate_common.channel import invoke

from sellergate_token.grpc_applications import opened_client
from sellergate_token.ports import LwaClient
from sellergate_token.rotation_ports import StoredAccount, StoredApplication

_DEPENDENCY = "account"


class GrpcStored:
    """Applications and accounts."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._applications = application_service_pb2_grpc.ApplicationServiceStub(channel)
        self._secrets = account_secrets_service_pb2_grpc.AccountSecretsServiceStub(channel)

    async def application(self, application_id: str) -> StoredApplication:
        """Return an application."""
        request = application_service_pb2.GetApplicationRequest(application_id=application_id)
        return _application(
            (await invoke(self._applications.GetApplication, request, dependency=_DEPENDENCY)).application
        )

    async def application_of_client(self, client_id: SecretStr) -> StoredApplication:
        """Return the operator's application of an LWA client."""
        request = account_secrets_service_pb2.FindApplicationRequest(lwa_client_id=client_id.get_secret_value())
        return _application((await invoke(self._secrets.FindApplication, request, dependency=_DEPENDENCY)).application)

    async def client(self, application_id: str) -> LwaClient:
        """Open an application's client id and secrets."""
        return await opened_client(self._secrets, application_id)

    async def account(self, account_id: str) -> StoredAccount:
        """Return an account, whatever its state."""
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        account = (await invoke(self._accounts.GetAccount, request, dependency=_DEPENDENCY)).account
        return StoredAccount(account.account_id, account.application_id, account.revision)

    async def store_client_secret(
        self, application_id: str, client_secret: SecretStr, until: datetime | None, old_until: datetime | None
    ) -> None:
        """Store a new secret."""
        request = application_service_pb2.RotateClientSecretRequest(
            application_id=application_id,
            client_secret=client_secret.get_secret_value(),
            secret_expire_time=_timestamp(until),
            old_secret_expire_time=_timestamp(old_until),
        )
        await invoke(self._applications.RotateClientSecret, request, dependency=_DEPENDENCY)

    async def store_refresh_token(
        self, account: StoredAccount, refresh_token: SecretStr, consent_until: datetime | None
    ) -> bool:
        """Store a refresh token by compare-and-set; the revision tells whether it was new."""
        request = account_secrets_service_pb2.RotateRefreshTokenRequest(
            account_id=account.account_id,
            expected_revision=account.revision,
            refresh_token=refresh_token.get_secret_value(),
            authorization_expire_time=_timestamp(consent_until),
        )
        changed = await invoke(self._secrets.RotateRefreshToken, request, dependency=_DEPENDENCY)
        return changed.account.revision != account.revision

    async def store_secret_expiry(self, application_id: str, until: datetime) -> None:
        """Store when the present secret ends."""
        request = account_secrets_service_pb2.RecordSecretExpiryRequest(
            application_id=application_id, secret_expire_time=_timestamp(until)
        )
        await invoke(self._secrets.RecordSecretExpiry, request, dependency=_DEPENDENCY)


def _application(message: application_pb2.Application) -> StoredApplication:
    return StoredApplication(
        message.application_id,
        _time(message, "secret_expire_time"),
        _time(message, "previous_secret_expire_time"),
    )


def _time(message: Message, field: str) -> datetime | None:
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=UTC)


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
