"""Applications (LWA clients), through ApplicationService."""

from collections.abc import AsyncGenerator, Awaitable
from typing import Any, TypeVar

import grpc
from sellergate.account.v1 import application_pb2
from sellergate.account.v1 import application_service_pb2 as pb2
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub

from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.kinds import Count
from sellergate_client.rpc.paging import PAGE_SIZE, items_of
from sellergate_client.rpc.retries import invoke_with_retries
from sellergate_client.rpc.writes import write

CONTRACTS = (pb2.DESCRIPTOR.services_by_name["ApplicationService"],)
_SERVICE = "account"

_Response = TypeVar("_Response")


@checked
class Applications:
    """Applications as messages of sellergate.account.v1. `on_behalf_of` is the user; only the edge may name one.

    Every method raises SellergateError. A change is sent under one idempotency key, and repeated under it while its outcome is
    unknown.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = ApplicationServiceStub(channel)

    async def create(
        self, request: pb2.CreateApplicationRequest, *, on_behalf_of: str = ""
    ) -> application_pb2.Application:
        """Store an LWA client, and return the application."""
        return (await self._write(self._stub.CreateApplication, request, on_behalf_of)).application

    async def get(self, application_id: str, *, on_behalf_of: str = "") -> application_pb2.Application:
        """Return one application."""
        request = pb2.GetApplicationRequest(application_id=application_id)
        response = await invoke_with_retries(
            self._stub.GetApplication, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )
        return response.application

    async def list(
        self, owner_user_id: str = "", *, page_size: Count = 0, page_token: str = "", on_behalf_of: str = ""
    ) -> pb2.ListApplicationsResponse:
        """Return one page of applications, oldest first."""
        request = pb2.ListApplicationsRequest(owner_user_id=owner_user_id, page_size=page_size, page_token=page_token)
        return await invoke_with_retries(
            self._stub.ListApplications, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )

    def each(self, owner_user_id: str = "") -> AsyncGenerator[application_pb2.Application]:
        """Yield all applications, oldest first; only those of `owner_user_id` where given."""

        def page(token: str) -> Awaitable[pb2.ListApplicationsResponse]:
            return self.list(owner_user_id, page_size=PAGE_SIZE, page_token=token)

        return items_of(page, lambda found: found.applications)

    async def update(
        self, request: pb2.UpdateApplicationRequest, *, on_behalf_of: str = ""
    ) -> application_pb2.Application:
        """Change the fields that the request's mask names."""
        return (await self._write(self._stub.UpdateApplication, request, on_behalf_of)).application

    async def delete(
        self, application_id: str, *, etag: str = "", on_behalf_of: str = "", idempotency_key: str = ""
    ) -> None:
        """Remove an application that no account uses."""
        request = pb2.DeleteApplicationRequest(
            application_id=application_id, etag=etag, idempotency_key=idempotency_key
        )
        await self._write(self._stub.DeleteApplication, request, on_behalf_of)

    async def _write(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]", request: Any, on_behalf_of: str
    ) -> _Response:
        return await write(self._channel, method, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
