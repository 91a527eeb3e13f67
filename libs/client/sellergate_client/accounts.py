"""Seller accounts, through AccountService."""

from collections.abc import AsyncGenerator, Awaitable
from typing import Any, TypeVar

import grpc
from sellergate.account.v1 import account_pb2, account_service_pb2, account_service_pb2_grpc

from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.paging import PAGE_SIZE, items_of
from sellergate_client.rpc.retries import invoke_with_retries
from sellergate_client.rpc.writes import write

CONTRACTS = (account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],)
_SERVICE = "account"

_Response = TypeVar("_Response")


@checked
class Accounts:
    """Accounts as messages of sellergate.account.v1. `on_behalf_of` is the user; only the edge may name one.

    Every method raises SellergateError. A change is sent under one idempotency key, the request's own or a new one, and repeated
    under it while its outcome is unknown; OutcomeUnknown is raised when it remains unknown.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = account_service_pb2_grpc.AccountServiceStub(channel)

    async def upsert(
        self, request: account_service_pb2.UpsertAccountRequest, *, on_behalf_of: str = ""
    ) -> tuple[account_pb2.Account, bool]:
        """Store a seller; return the account, and whether it is new."""
        response = await self._write(self._stub.UpsertAccount, request, on_behalf_of)
        return response.account, response.created

    async def get(self, account_id: str, *, all_users: bool = False, on_behalf_of: str = "") -> account_pb2.Account:
        """Return one account; with `all_users` also one of another user, for a user that is an operator."""
        request = account_service_pb2.GetAccountRequest(account_id=account_id, all_users=all_users)
        return (
            await invoke_with_retries(self._stub.GetAccount, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
        ).account

    async def list(
        self, request: account_service_pb2.ListAccountsRequest, *, on_behalf_of: str = ""
    ) -> account_service_pb2.ListAccountsResponse:
        """Return one page of accounts."""
        return await invoke_with_retries(
            self._stub.ListAccounts, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )

    def each(
        self, user_id: str = "", narrowed: account_service_pb2.AccountFilter | None = None
    ) -> AsyncGenerator[account_pb2.Account]:
        """Yield all accounts, oldest first; only those of `user_id` and those that match the filter, where given."""

        def page(token: str) -> Awaitable[account_service_pb2.ListAccountsResponse]:
            return self.list(
                account_service_pb2.ListAccountsRequest(
                    user_id=user_id, filter=narrowed, page_size=PAGE_SIZE, page_token=token
                )
            )

        return items_of(page, lambda found: found.accounts)

    async def update(
        self, request: account_service_pb2.UpdateAccountRequest, *, on_behalf_of: str = ""
    ) -> account_pb2.Account:
        """Change the fields that the request's mask names, and return the account."""
        return (await self._write(self._stub.UpdateAccount, request, on_behalf_of)).account

    async def delete(
        self, account_id: str, *, etag: str = "", on_behalf_of: str = "", idempotency_key: str = ""
    ) -> account_pb2.Account:
        """Make an account inactive."""
        request = account_service_pb2.DeleteAccountRequest(
            account_id=account_id, etag=etag, idempotency_key=idempotency_key
        )
        return (await self._write(self._stub.DeleteAccount, request, on_behalf_of)).account

    async def undelete(
        self, account_id: str, *, etag: str = "", on_behalf_of: str = "", idempotency_key: str = ""
    ) -> account_pb2.Account:
        """Make an inactive account active again."""
        request = account_service_pb2.UndeleteAccountRequest(
            account_id=account_id, etag=etag, idempotency_key=idempotency_key
        )
        return (await self._write(self._stub.UndeleteAccount, request, on_behalf_of)).account

    async def hard_delete(
        self, account_id: str, *, etag: str = "", on_behalf_of: str = "", idempotency_key: str = ""
    ) -> None:
        """Delete an account permanently."""
        request = account_service_pb2.HardDeleteAccountRequest(
            account_id=account_id, etag=etag, idempotency_key=idempotency_key
        )
        await self._write(self._stub.HardDeleteAccount, request, on_behalf_of)

    async def _write(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]", request: Any, on_behalf_of: str
    ) -> _Response:
        return await write(self._channel, method, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
