"""Clients of the account service over gRPC, for access tokens, authorizations and rotations."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

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
from sellergate_client.rpc.writes import new_key, write
from sellergate_client.states import check_usable
from sellergate_common.cache.redis_entries import Admit, AlwaysAdmitted
from sellergate_common.cache.stale_if_error import LOOK_SECONDS, StaleIfErrorCache
from sellergate_common.context import bind, time_left, until_deadline
from sellergate_common.errors import Conflict, NotFound, OutcomeUnknown, SellergateError, Unavailable
from sellergate_common.flights.local_flight import FLIGHT_SECONDS
from sellergate_common.observability.logs import get_logger
from sellergate_common.rpc.channel import invoke
from sellergate_common.rpc.timestamps import from_datetime, read_time, to_timestamp

from sellergate_token.authorizations.ports import ApplicationView as ConsentApplication
from sellergate_token.authorizations.ports import Connection
from sellergate_token.ports import AccountGrant, AccountView, ApplicationView, LwaClient, RefreshToken, Standing
from sellergate_token.rotation.ports import StoredAccount, StoredApplication

CONTRACTS = (
    account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
    account_secrets_service_pb2.DESCRIPTOR.services_by_name["AccountSecretsService"],
    application_service_pb2.DESCRIPTOR.services_by_name["ApplicationService"],
)
STORE_PAUSE_SECONDS = 0.5
_DEPENDENCY = "account"
_CONSENT = account_pb2.VERIFICATION_METHOD_CONSENT

_Response = TypeVar("_Response")


class GrpcAccounts:
    """Accounts and their grants."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        accounts: StaleIfErrorCache[account_pb2.Account],
        applications: StaleIfErrorCache[application_pb2.Application],
        admit: Admit = AlwaysAdmitted,
    ) -> None:
        self._admit = admit
        self._account_copies = accounts
        self._application_copies = applications
        self._applications = application_service_pb2_grpc.ApplicationServiceStub(channel)
        self._channel = channel
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._secrets = account_secrets_service_pb2_grpc.AccountSecretsServiceStub(channel)

    async def view(self, account_id: str, at_least: int = 0) -> AccountView:
        """Return an account that can be used, of the revision `at_least` or a later one."""
        turn = partial(self._turn, partial(self._account_copies.time_left, account_id))
        fetch = partial(self._account, account_id)
        account = await self._account_copies.get_newer(
            account_id, fetch, lambda found: found.revision >= at_least, turn
        )
        check_usable(account)
        bind(account.account_id)
        return AccountView(account.account_id, account.revision)

    def has_view(self, account_id: str) -> bool:
        """Return whether there is a current copy of an account."""
        return self._account_copies.has_current(account_id)

    async def standing(self, account_id: str) -> Standing:
        """Return an active or revoked account in its present state."""
        async with self._turn(until_deadline(FLIGHT_SECONDS)):
            account = await self._account(account_id)
        revoked = account.state == account_pb2.ACCOUNT_STATE_AUTHORIZATION_REVOKED
        if not revoked:
            check_usable(account)
        bind(account.account_id)
        return Standing(AccountView(account.account_id, account.revision), account.user_id, revoked)

    def forget(self, account_id: str) -> None:
        """Forget the copy of an account."""
        self._account_copies.forget(account_id)

    async def application(self, application_id: str, scope: str) -> ApplicationView:
        """Return an application."""
        fetch = partial(self._application, application_id)
        application = await self._application_copies.get(application_id, fetch)
        return ApplicationView(application.application_id, application.etag, scope)

    async def client(self, application_id: str) -> LwaClient:
        """Return an application's LWA client."""
        return await to_client(self._secrets, application_id)

    async def grant(self, account_id: str, *, verifying: bool = False) -> AccountGrant:
        """Return an account's grant."""
        request = account_secrets_service_pb2.GetAccountSecretsRequest(
            account_id=account_id, for_verification=verifying
        )
        read = partial(invoke, self._secrets.GetAccountSecrets, request, dependency=_DEPENDENCY)
        opened = await self._account_copies.keep_from(account_id, read, _account_of)
        return AccountGrant(
            AccountView(opened.account.account_id, opened.account.revision),
            lwa_client(opened.application),
            RefreshToken(SecretStr(opened.refresh_token)),
        )

    async def rotate(self, account: AccountView, refresh_token: SecretStr) -> AccountView:
        """Store a refresh token that Amazon sent. Retry while time is left, because no other copy of it exists."""
        request = account_secrets_service_pb2.RotateRefreshTokenRequest(
            account_id=account.account_id,
            expected_revision=account.revision,
            refresh_token=refresh_token.get_secret_value(),
            idempotency_key=new_key(),
        )
        while True:
            try:
                response = await _invoke(self._channel, self._secrets.RotateRefreshToken, request)
            except (Unavailable, OutcomeUnknown) as error:
                if time_left(0.0) <= STORE_PAUSE_SECONDS:
                    raise
                get_logger().error("rotated_refresh_token_not_stored_yet", reason=error.reason)
                await asyncio.sleep(STORE_PAUSE_SECONDS)
            else:
                return AccountView(response.account.account_id, response.account.revision)

    async def mark_revoked(self, account: AccountView) -> None:
        """Record a refused grant. An account with a later revision does not change."""
        request = account_secrets_service_pb2.MarkAuthorizationRevokedRequest(
            account_id=account.account_id, expected_revision=account.revision
        )
        try:
            await invoke(self._secrets.MarkAuthorizationRevoked, request, dependency=_DEPENDENCY)
        except (Conflict, NotFound):
            return

    async def restore(self, account: AccountView) -> AccountView:
        """Record an accepted grant; a revoked account becomes active."""
        restored = await restore_account(self._secrets, account.account_id, account.revision)
        return AccountView(restored.account_id, restored.revision)

    @asynccontextmanager
    async def _turn(self, left: Callable[[], float]) -> AsyncIterator[None]:
        """Wait for the turn of a reading, whose callers wait for `left()` seconds more."""
        async with self._admit(left) as place:
            await place.wait_for_turn()
            yield

    async def _account(self, account_id: str) -> account_pb2.Account:
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        response = await invoke(self._accounts.GetAccount, request, dependency=_DEPENDENCY, seconds=LOOK_SECONDS)
        return response.account

    async def _application(self, application_id: str) -> application_pb2.Application:
        request = application_service_pb2.GetApplicationRequest(application_id=application_id)
        response = await invoke(
            self._applications.GetApplication, request, dependency=_DEPENDENCY, seconds=LOOK_SECONDS
        )
        return response.application


class GrpcApplications:
    """Applications and their LWA clients."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._applications = application_service_pb2_grpc.ApplicationServiceStub(channel)
        self._secrets = account_secrets_service_pb2_grpc.AccountSecretsServiceStub(channel)

    async def view(self, application_id: str) -> ConsentApplication:
        """Return an application."""
        request = application_service_pb2.GetApplicationRequest(application_id=application_id)
        found = (await invoke(self._applications.GetApplication, request, dependency=_DEPENDENCY)).application
        return ConsentApplication(
            found.application_id,
            found.owner_user_id,
            found.spapi_application_id,
            tuple(found.redirect_uris),
            found.draft,
        )

    async def client(self, application_id: str) -> LwaClient:
        """Return an application's LWA client."""
        return await to_client(self._secrets, application_id)


class GrpcSellers:
    """A store of accounts for the users that started authorizations."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._secrets = account_secrets_service_pb2_grpc.AccountSecretsServiceStub(channel)

    async def account(self, account_id: str) -> account_pb2.Account:
        """Return a stored account."""
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        return (await invoke(self._accounts.GetAccount, request, dependency=_DEPENDENCY)).account

    async def connect(self, connection: Connection) -> tuple[str, account_pb2.Account]:
        """Store a seller's account, unique by user, seller and marketplace, so that no other user's account changes."""
        expire_time = to_timestamp(int(connection.authorization_expire_time))
        request = account_service_pb2.UpsertAccountRequest(
            user_id=connection.user_id,
            amazon_seller_id=connection.selling_partner_id,
            marketplace=connection.marketplace,
            application_id=connection.application_id,
            refresh_token=connection.refresh_token.get_secret_value(),
            authorization_expire_time=expire_time,
        )
        account = (await _invoke(self._channel, self._accounts.UpsertAccount, request)).account
        try:
            account = await restore_account(self._secrets, account.account_id, account.revision, _CONSENT)
        except SellergateError as error:
            # A revoked account has the refresh token that Amazon has just accepted, and needs this record to be usable.
            if account.state == account_pb2.ACCOUNT_STATE_AUTHORIZATION_REVOKED:
                raise
            get_logger().warning("verification_not_recorded", reason=error.reason)
        return account.account_id, account


class GrpcStored:
    """Stored applications and accounts, for rotations."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
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
        """Return an application's client id and secrets."""
        return await to_client(self._secrets, application_id)

    async def account(self, account_id: str) -> StoredAccount:
        """Return an account in any state."""
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        account = (await invoke(self._accounts.GetAccount, request, dependency=_DEPENDENCY)).account
        return StoredAccount(account.account_id, account.application_id, account.revision)

    async def store_client_secret(
        self,
        application_id: str,
        client_secret: SecretStr,
        until: datetime | None,
        old_until: datetime | None,
        issue_time: datetime | None,
    ) -> bool:
        """Store a new secret. Return False if the present one was issued later."""
        request = application_service_pb2.RotateClientSecretRequest(
            application_id=application_id,
            client_secret=client_secret.get_secret_value(),
            secret_expire_time=from_datetime(until),
            old_secret_expire_time=from_datetime(old_until),
            issue_time=from_datetime(issue_time),
        )
        response = await _invoke(self._channel, self._applications.RotateClientSecret, request)
        return not response.superseded

    async def store_refresh_token(
        self, account: StoredAccount, refresh_token: SecretStr, consent_until: datetime | None
    ) -> bool:
        """Store a refresh token by compare-and-set. Return whether it was new, which the revision shows."""
        request = account_secrets_service_pb2.RotateRefreshTokenRequest(
            account_id=account.account_id,
            expected_revision=account.revision,
            refresh_token=refresh_token.get_secret_value(),
            authorization_expire_time=from_datetime(consent_until),
        )
        changed = await _invoke(self._channel, self._secrets.RotateRefreshToken, request)
        return changed.account.revision != account.revision

    async def store_secret_expiry(self, application_id: str, until: datetime) -> None:
        """Store the time at which the present secret ends."""
        request = account_secrets_service_pb2.RecordSecretExpiryRequest(
            application_id=application_id, secret_expire_time=from_datetime(until)
        )
        await invoke(self._secrets.RecordSecretExpiry, request, dependency=_DEPENDENCY)


async def _invoke(
    channel: grpc.aio.Channel, method: "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]", request: Any
) -> _Response:
    """Store credentials that Amazon issues only once. Retry a refusal under overload here, because no caller could repeat it."""
    return await write(channel, method, request, dependency=_DEPENDENCY, serving=False)


async def to_client(
    secrets: "account_secrets_service_pb2_grpc.AccountSecretsServiceAsyncStub", application_id: str
) -> LwaClient:
    """Return an application's client id and secrets."""
    request = account_secrets_service_pb2.GetApplicationSecretsRequest(application_id=application_id)
    return lwa_client((await invoke(secrets.GetApplicationSecrets, request, dependency=_DEPENDENCY)).application)


async def restore_account(
    secrets: "account_secrets_service_pb2_grpc.AccountSecretsServiceAsyncStub",
    account_id: str,
    revision: int,
    method: "account_pb2.VerificationMethod.ValueType" = account_pb2.VERIFICATION_METHOD_REFRESH_TOKEN,
) -> account_pb2.Account:
    """Record that Amazon accepted an account's grant. Raises Conflict if the account has changed since."""
    request = account_secrets_service_pb2.RestoreAuthorizationRequest(
        account_id=account_id, expected_revision=revision, method=method
    )
    return (await invoke(secrets.RestoreAuthorization, request, dependency=_DEPENDENCY)).account


def _account_of(opened: account_secrets_service_pb2.GetAccountSecretsResponse) -> account_pb2.Account:
    """Return a copy of the account: a reference into the response would keep its secrets in memory."""
    account = account_pb2.Account()
    account.CopyFrom(opened.account)
    return account


def lwa_client(opened: account_secrets_service_pb2.ApplicationSecrets) -> LwaClient:
    """Return the LWA client in the account service's message."""
    previous = SecretStr(opened.previous_client_secret) if opened.previous_client_secret else None
    return LwaClient(SecretStr(opened.client_id), SecretStr(opened.client_secret), previous)


def _application(message: application_pb2.Application) -> StoredApplication:
    return StoredApplication(
        message.application_id,
        read_time(message, "secret_expire_time"),
        read_time(message, "previous_secret_expire_time"),
        read_time(message, "secret_issue_time"),
    )
