"""The gateway's catalogue of operations, and what is left of an account's quota for one."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1 import operation_pb2

from sellergate_client.rpc.paging import PAGE_SIZE, items_of
from sellergate_client.rpc.patience import invoke_patiently

_SERVICE = "gateway"


@dataclass(frozen=True, slots=True)
class Quota:
    """One bucket: calls a second, calls at once, calls that could be made now, when it is full again, where the rate is from."""

    operation: str
    rate: float
    burst: int
    remaining: int
    reset_time: datetime
    source: str


class Catalogue:
    """What SP-API has. `on_behalf_of` is the user; only the edge may name one."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def page(
        self, search: str = "", *, page_size: int = 0, page_token: str = "", on_behalf_of: str = ""
    ) -> pb2.ListOperationsResponse:
        """Return one page of operations whose name, method or path contain `search`. Raises SellergateError."""
        request = pb2.ListOperationsRequest(search=search, page_size=page_size, page_token=page_token)
        answer: pb2.ListOperationsResponse = await invoke_patiently(
            self._stub.ListOperations, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )
        return answer

    def search(self, text: str = "") -> AsyncGenerator[operation_pb2.Operation]:
        """Yield all operations whose name, method or path contain `text`. Raises SellergateError."""
        return items_of(
            lambda token: self.page(text, page_size=PAGE_SIZE, page_token=token), lambda page: page.operations
        )

    async def get(self, name: str, *, on_behalf_of: str = "") -> operation_pb2.Operation:
        """Return one operation, by name (api/version/operationId) or by an id that one API alone has. Raises NotFound."""
        request = pb2.GetOperationRequest(name=name)
        answer = await invoke_patiently(
            self._stub.GetOperation, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )
        operation: operation_pb2.Operation = answer.operation
        return operation

    async def quota(
        self, account_id: str, operation: str, *, sandbox: bool | None = None, on_behalf_of: str = ""
    ) -> Quota:
        """Return the state of an account's bucket for an operation. Raises NotFound."""
        request = pb2.GetQuotaRequest(account_id=account_id, operation=operation)
        if sandbox is not None:
            request.sandbox = sandbox
        answer = await invoke_patiently(self._stub.GetQuota, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
        found = answer.quota
        return Quota(
            operation,
            found.rate,
            found.burst,
            found.remaining,
            found.reset_time.ToDatetime(tzinfo=UTC),
            operation_pb2.QuotaSource.Name(found.source).removeprefix("QUOTA_SOURCE_"),
        )
