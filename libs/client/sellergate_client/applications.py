"""Applications (LWA clients), through ApplicationService."""

from collections.abc import AsyncGenerator, Awaitable

import grpc
from sellergate.account.v1 import application_pb2
from sellergate.account.v1 import application_service_pb2 as pb2
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_common.errors import OutcomeUnknown
from sellergate_common.rpc.channel import invoke

from sellergate_client.rpc.outcomes import transport_outcome
from sellergate_client.rpc.paging import PAGE_SIZE, items_of

CONTRACTS = (pb2.DESCRIPTOR.services_by_name["ApplicationService"],)
_SERVICE = "account"


class Applications:
    """Applications as messages of sellergate.account.v1. `on_behalf_of` is the user; only the edge may name one.

    Every method raises SellergateError.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ApplicationServiceStub(channel)

    async def create(
        self, request: pb2.CreateApplicationRequest, *, on_behalf_of: str = ""
    ) -> application_pb2.Application:
        """Store an LWA client."""
        with transport_outcome(OutcomeUnknown.default_reason):
            answer = await invoke(self._stub.CreateApplication, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
        return answer.application

    async def get(self, application_id: str, *, on_behalf_of: str = "") -> application_pb2.Application:
        """Return one application."""
        request = pb2.GetApplicationRequest(application_id=application_id)
        answer = await invoke(self._stub.GetApplication, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
        return answer.application

    async def list(
        self, owner_user_id: str = "", *, page_size: int = 0, page_token: str = "", on_behalf_of: str = ""
    ) -> pb2.ListApplicationsResponse:
        """Return one page of applications, oldest first."""
        request = pb2.ListApplicationsRequest(owner_user_id=owner_user_id, page_size=page_size, page_token=page_token)
        return await invoke(self._stub.ListApplications, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)

    def each(self, owner_user_id: str = "") -> AsyncGenerator[application_pb2.Application]:
        """Yield all of them, oldest first; only those of a user where one is named."""

        def page(token: str) -> Awaitable[pb2.ListApplicationsResponse]:
            return self.list(owner_user_id, page_size=PAGE_SIZE, page_token=token)

        return items_of(page, lambda found: found.applications)

    async def update(
        self, request: pb2.UpdateApplicationRequest, *, on_behalf_of: str = ""
    ) -> application_pb2.Application:
        """Change the fields that the request's mask names."""
        with transport_outcome(OutcomeUnknown.default_reason):
            answer = await invoke(self._stub.UpdateApplication, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
        return answer.application

    async def delete(self, application_id: str, *, etag: str = "", on_behalf_of: str = "") -> None:
        """Remove an application that no account refers to."""
        request = pb2.DeleteApplicationRequest(application_id=application_id, etag=etag)
        with transport_outcome(OutcomeUnknown.default_reason):
            await invoke(self._stub.DeleteApplication, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
