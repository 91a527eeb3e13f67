"""The gateway's catalogue of operations, and the state of accounts' quotas."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1 import operation_pb2

from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.kinds import Count
from sellergate_client.rpc.paging import PAGE_SIZE, items_of
from sellergate_client.rpc.retries import invoke_with_retries

_SERVICE = "gateway"
MOST_QUOTAS = 50
"""The most quotas in one GetQuota request: `operation`, and 49 of `more_operations`."""


@dataclass(frozen=True, slots=True)
class Quota:
    """One bucket: rate in calls a second, burst, calls possible now, time at which it is full again, source of the rate."""

    operation: str
    rate: float
    burst: int
    remaining: int
    reset_time: datetime
    source: str


@checked
class Catalogue:
    """The operations of SP-API. `on_behalf_of` is the user; only the edge may name one."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def page(
        self, search: str = "", *, page_size: Count = 0, page_token: str = "", on_behalf_of: str = ""
    ) -> pb2.ListOperationsResponse:
        """Return one page of operations whose name, method or path contain `search`. Raises SellergateError."""
        request = pb2.ListOperationsRequest(search=search, page_size=page_size, page_token=page_token)
        response: pb2.ListOperationsResponse = await invoke_with_retries(
            self._stub.ListOperations, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )
        return response

    def search(self, text: str = "") -> AsyncGenerator[operation_pb2.Operation]:
        """Yield all operations whose name, method or path contain `text`. Raises SellergateError."""
        return items_of(
            lambda token: self.page(text, page_size=PAGE_SIZE, page_token=token), lambda page: page.operations
        )

    async def get(self, name: str, *, on_behalf_of: str = "") -> operation_pb2.Operation:
        """Return one operation, by name (api/version/operationId) or by an operation ID of only one API. Raises NotFound."""
        request = pb2.GetOperationRequest(name=name)
        response = await invoke_with_retries(
            self._stub.GetOperation, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )
        operation: operation_pb2.Operation = response.operation
        return operation

    async def quota(
        self, account_id: str, operation: str, *, sandbox: bool | None = None, on_behalf_of: str = ""
    ) -> Quota:
        """Return the state of an account's bucket for an operation. Raises NotFound."""
        (found,) = await self.quotas(account_id, [operation], sandbox=sandbox, on_behalf_of=on_behalf_of)
        return found

    async def quotas(
        self, account_id: str, operations: Sequence[str], *, sandbox: bool | None = None, on_behalf_of: str = ""
    ) -> list[Quota]:
        """Return the states of an account's buckets for operations, in their order; one call reads up to 50. Raises NotFound."""
        found = list[Quota]()
        while len(found) < len(operations):
            names = operations[len(found) : len(found) + MOST_QUOTAS]
            request = pb2.GetQuotaRequest(
                account_id=account_id, operation=names[0], more_operations=names[1:], sandbox=sandbox
            )
            response = await invoke_with_retries(
                self._stub.GetQuota, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
            )
            # A gateway of an older release ignores more_operations and reads one.
            found += map(_quota, names, (response.quota, *response.more_quotas))
        return found


def _quota(operation: str, quota: operation_pb2.Quota) -> Quota:
    return Quota(
        operation,
        quota.rate,
        quota.burst,
        quota.remaining,
        quota.reset_time.ToDatetime(tzinfo=UTC),
        operation_pb2.QuotaSource.Name(quota.source).removeprefix("QUOTA_SOURCE_"),
    )
