"""The stored accounts of sellers, without await."""

from collections.abc import Iterator

from sellergate.account.v1 import account_pb2, account_service_pb2

from sellergate_client import accounts
from sellergate_client.rpc.arguments import checked
from sellergate_client.sync.loops import EventLoop


@checked
class Accounts:
    """Reads of accounts; see `sellergate_client.accounts.Accounts`."""

    def __init__(self, loop: EventLoop, wrapped: accounts.Accounts) -> None:
        self._loop = loop
        self._accounts = wrapped

    def get(self, account_id: str) -> account_pb2.Account:
        """Return one account."""
        return self._loop.run(self._accounts.get(account_id))

    def list(self, request: account_service_pb2.ListAccountsRequest) -> account_service_pb2.ListAccountsResponse:
        """Return one page of accounts."""
        return self._loop.run(self._accounts.list(request))

    def each(
        self, user_id: str = "", narrowed: account_service_pb2.AccountFilter | None = None
    ) -> Iterator[account_pb2.Account]:
        """Yield all accounts, oldest first; only those of `user_id` and those that match the filter, where given."""
        return self._loop.each(self._accounts.each(user_id, narrowed))
