"""The servicers of AccountService and AccountSecretsService, which translate and delegate."""

from typing import Any

from pydantic import SecretStr
from sellergate.account.v1 import account_secrets_service_pb2 as secrets_pb2
from sellergate.account.v1 import account_service_pb2 as pb2
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceServicer
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceServicer
from sellergate_common.errors import NotAllowed
from sellergate_common.identity.operator_settings import visible_user
from sellergate_common.rpc.timestamps import read_time

from sellergate_account.accounts import Accounts
from sellergate_account.applications import ApplicationChanges, Applications
from sellergate_account.model import Account, Cursor
from sellergate_account.ports.change_log import ChangeLog
from sellergate_account.rpc import page_tokens
from sellergate_account.rpc.account_messages import (
    to_change_message,
    to_changes,
    to_connection,
    to_filter,
    to_message,
    to_method,
    to_secrets_message,
)
from sellergate_account.rpc.acting_user import acting_user, check_user
from sellergate_account.rpc.application_messages import to_message as to_application_message
from sellergate_account.rpc.once import once
from sellergate_account.rpc.pages import page_of


class AccountServicer(AccountServiceServicer):
    """The servicer of seller accounts."""

    def __init__(self, accounts: Accounts, changes: ChangeLog, operators: frozenset[str] = frozenset()) -> None:
        """Take the dependencies. `operators` are the users that may ask for accounts of all users."""
        self._accounts = accounts
        self._changes = changes
        self._operators = operators

    async def UpsertAccount(self, request: pb2.UpsertAccountRequest, context: Any) -> pb2.UpsertAccountResponse:
        """Store a seller's account."""
        check_user(request.user_id, "user_id")
        connection = to_connection(request)

        def respond(stored: tuple[Account, bool]) -> pb2.UpsertAccountResponse:
            return pb2.UpsertAccountResponse(account=to_message(stored[0]), created=stored[1])

        return await once(request, pb2.UpsertAccountResponse, lambda: self._accounts.upsert(connection), respond)

    async def GetAccount(self, request: pb2.GetAccountRequest, context: Any) -> pb2.GetAccountResponse:
        """Return one account."""
        user = visible_user(self._operators, all_users=request.all_users)
        account, application = await self._accounts.with_application(request.account_id, user)
        return pb2.GetAccountResponse(account=to_message(account), shared_application=not application.owner_user_id)

    async def ListAccounts(self, request: pb2.ListAccountsRequest, context: Any) -> pb2.ListAccountsResponse:
        """Return one page of accounts."""
        user = visible_user(self._operators, all_users=request.all_users)
        if request.user_id and not request.all_users:
            check_user(request.user_id, "user_id")
        narrowed = to_filter(request, request.user_id or user)
        size = page_tokens.page_size(request.page_size)
        found = await self._accounts.list(narrowed, page_tokens.decode(request.page_token, narrowed.query), size + 1)
        page, token = page_of(
            found, size, narrowed.query, to_message, lambda row: Cursor(row.create_time, row.account_id)
        )
        return pb2.ListAccountsResponse(accounts=page, next_page_token=token)

    async def UpdateAccount(self, request: pb2.UpdateAccountRequest, context: Any) -> pb2.UpdateAccountResponse:
        """Change single fields."""
        if "role_without_external_id" in request.update_mask.paths and acting_user():
            raise NotAllowed(
                "Only an operator may set role_without_external_id; ask an operator to set it, or leave it out of update_mask."
            )
        etag, changes = request.etag or request.account.etag, to_changes(request)
        return await once(
            request,
            pb2.UpdateAccountResponse,
            lambda: self._accounts.update(request.account.account_id, acting_user(), changes, etag),
            lambda account: pb2.UpdateAccountResponse(account=to_message(account)),
        )

    async def DeleteAccount(self, request: pb2.DeleteAccountRequest, context: Any) -> pb2.DeleteAccountResponse:
        """Make an account inactive."""
        return await once(
            request,
            pb2.DeleteAccountResponse,
            lambda: self._accounts.set_active(request.account_id, acting_user(), request.etag, active=False),
            lambda account: pb2.DeleteAccountResponse(account=to_message(account)),
        )

    async def UndeleteAccount(
        self,
        request: pb2.UndeleteAccountRequest,
        context: Any,
    ) -> pb2.UndeleteAccountResponse:
        """Make an inactive account active again."""
        return await once(
            request,
            pb2.UndeleteAccountResponse,
            lambda: self._accounts.set_active(request.account_id, acting_user(), request.etag, active=True),
            lambda account: pb2.UndeleteAccountResponse(account=to_message(account)),
        )

    async def HardDeleteAccount(
        self,
        request: pb2.HardDeleteAccountRequest,
        context: Any,
    ) -> pb2.HardDeleteAccountResponse:
        """Remove an account permanently."""
        return await once(
            request,
            pb2.HardDeleteAccountResponse,
            lambda: self._accounts.remove(request.account_id, acting_user(), request.etag),
            lambda _: pb2.HardDeleteAccountResponse(),
        )

    async def ListAccountChanges(
        self,
        request: pb2.ListAccountChangesRequest,
        context: Any,
    ) -> pb2.ListAccountChangesResponse:
        """Return the changes since a cursor."""
        listed = await self._changes.read(request.cursor)
        return pb2.ListAccountChangesResponse(
            changes=map(to_change_message, listed.changes),
            next_cursor=listed.next_cursor,
            forget_all=listed.forgets_all,
        )


class AccountSecretsServicer(AccountSecretsServiceServicer):
    """The servicer of stored secrets, for the token service."""

    def __init__(self, accounts: Accounts, applications: Applications) -> None:
        self._accounts = accounts
        self._applications = applications

    async def GetAccountSecrets(
        self,
        request: secrets_pb2.GetAccountSecretsRequest,
        context: Any,
    ) -> secrets_pb2.GetAccountSecretsResponse:
        """Return the secrets for a token exchange."""
        account, application, secrets, refresh_token = await self._accounts.secrets(
            request.account_id, verifying=request.for_verification
        )
        return secrets_pb2.GetAccountSecretsResponse(
            account=to_message(account),
            application=to_secrets_message(application, secrets),
            refresh_token=refresh_token.get_secret_value(),
        )

    async def GetApplicationSecrets(
        self,
        request: secrets_pb2.GetApplicationSecretsRequest,
        context: Any,
    ) -> secrets_pb2.GetApplicationSecretsResponse:
        """Return an application's client id and secrets."""
        application, secrets = await self._applications.secrets(request.application_id)
        return secrets_pb2.GetApplicationSecretsResponse(application=to_secrets_message(application, secrets))

    async def RotateRefreshToken(
        self,
        request: secrets_pb2.RotateRefreshTokenRequest,
        context: Any,
    ) -> secrets_pb2.RotateRefreshTokenResponse:
        """Store a new refresh token by compare-and-set."""
        token, until = SecretStr(request.refresh_token), read_time(request, "authorization_expire_time")
        return await once(
            request,
            secrets_pb2.RotateRefreshTokenResponse,
            lambda: self._accounts.rotate_refresh_token(request.account_id, request.expected_revision, token, until),
            lambda account: secrets_pb2.RotateRefreshTokenResponse(account=to_message(account)),
        )

    async def MarkAuthorizationRevoked(
        self,
        request: secrets_pb2.MarkAuthorizationRevokedRequest,
        context: Any,
    ) -> secrets_pb2.MarkAuthorizationRevokedResponse:
        """Record a refused refresh token by compare-and-set."""
        account = await self._accounts.mark_revoked(request.account_id, request.expected_revision)
        return secrets_pb2.MarkAuthorizationRevokedResponse(account=to_message(account))

    async def RestoreAuthorization(
        self,
        request: secrets_pb2.RestoreAuthorizationRequest,
        context: Any,
    ) -> secrets_pb2.RestoreAuthorizationResponse:
        """Record an accepted refresh token by compare-and-set."""
        method = to_method(request.method)
        account = await self._accounts.restore(request.account_id, request.expected_revision, method)
        return secrets_pb2.RestoreAuthorizationResponse(account=to_message(account))

    async def FindApplication(
        self,
        request: secrets_pb2.FindApplicationRequest,
        context: Any,
    ) -> secrets_pb2.FindApplicationResponse:
        """Return the operator's application of an LWA client id."""
        found = await self._applications.find(SecretStr(request.lwa_client_id))
        return secrets_pb2.FindApplicationResponse(application=to_application_message(found))

    async def RecordSecretExpiry(
        self,
        request: secrets_pb2.RecordSecretExpiryRequest,
        context: Any,
    ) -> secrets_pb2.RecordSecretExpiryResponse:
        """Store the time at which the present secret ends, as Amazon reports it."""
        expiry = ApplicationChanges(secret_expire_time=read_time(request, "secret_expire_time"))
        changed = await self._applications.update(request.application_id, "", expiry, "")
        return secrets_pb2.RecordSecretExpiryResponse(application=to_application_message(changed))
