"""The servicer of ApplicationService, which translates and delegates."""

from functools import partial
from typing import Any

from pydantic import SecretStr
from sellergate.account.v1 import application_service_pb2 as pb2
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceServicer
from sellergate_common.rpc.timestamps import read_time

from sellergate_account.applications import Applications
from sellergate_account.model import Application, Cursor
from sellergate_account.rpc import page_tokens
from sellergate_account.rpc.acting_user import acting_user, check_user
from sellergate_account.rpc.application_messages import to_application_changes, to_message, to_new_application
from sellergate_account.rpc.once import once
from sellergate_account.rpc.pages import page_of
from sellergate_account.secrets.rotation import NewSecret


class ApplicationServicer(ApplicationServiceServicer):
    """The servicer of LWA clients. The edge reads and changes a user's own and reads the shared ones; other callers read all."""

    def __init__(self, applications: Applications) -> None:
        self._applications = applications

    async def CreateApplication(
        self, request: pb2.CreateApplicationRequest, context: Any
    ) -> pb2.CreateApplicationResponse:
        """Store an LWA client."""
        if request.application.owner_user_id:
            check_user(request.application.owner_user_id, "owner_user_id")
        new = to_new_application(request)
        return await once(
            request,
            pb2.CreateApplicationResponse,
            lambda: self._applications.create(new, acting_user()),
            lambda made: pb2.CreateApplicationResponse(application=to_message(made)),
        )

    async def GetApplication(self, request: pb2.GetApplicationRequest, context: Any) -> pb2.GetApplicationResponse:
        """Return one application."""
        found = await self._applications.get(request.application_id, acting_user())
        return pb2.GetApplicationResponse(application=to_message(found))

    async def ListApplications(
        self, request: pb2.ListApplicationsRequest, context: Any
    ) -> pb2.ListApplicationsResponse:
        """Return one page of applications."""
        if request.owner_user_id:
            check_user(request.owner_user_id, "owner_user_id")
        user = request.owner_user_id or acting_user()
        size, query = page_tokens.page_size(request.page_size), ("applications", user)
        found = await self._applications.list(user, page_tokens.decode(request.page_token, query), size + 1)
        page, token = page_of(found, size, query, to_message, lambda row: Cursor(row.create_time, row.application_id))
        return pb2.ListApplicationsResponse(applications=page, next_page_token=token)

    async def UpdateApplication(
        self, request: pb2.UpdateApplicationRequest, context: Any
    ) -> pb2.UpdateApplicationResponse:
        """Change single fields."""
        given = request.application
        etag = request.etag or given.etag
        changes = to_application_changes(request)
        return await once(
            request,
            pb2.UpdateApplicationResponse,
            lambda: self._applications.update(given.application_id, acting_user(), changes, etag),
            lambda changed: pb2.UpdateApplicationResponse(application=to_message(changed)),
        )

    async def DeleteApplication(
        self, request: pb2.DeleteApplicationRequest, context: Any
    ) -> pb2.DeleteApplicationResponse:
        """Remove an application that no account uses."""
        return await once(
            request,
            pb2.DeleteApplicationResponse,
            lambda: self._applications.remove(request.application_id, acting_user(), request.etag),
            lambda _: pb2.DeleteApplicationResponse(),
        )

    async def RotateClientSecret(
        self, request: pb2.RotateClientSecretRequest, context: Any
    ) -> pb2.RotateClientSecretResponse:
        """Store a new secret and keep the old one until it ends."""
        new = NewSecret(
            SecretStr(request.client_secret),
            until=read_time(request, "secret_expire_time"),
            old_until=read_time(request, "old_secret_expire_time"),
            issue_time=read_time(request, "issue_time"),
        )

        def respond(rotated: tuple[Application, bool]) -> pb2.RotateClientSecretResponse:
            return pb2.RotateClientSecretResponse(application=to_message(rotated[0]), superseded=rotated[1])

        rotate = partial(self._applications.rotate, request.application_id, acting_user(), new)
        return await once(request, pb2.RotateClientSecretResponse, rotate, respond)
