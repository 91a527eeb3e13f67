"""The servicer of DropInClientService, which translates and delegates."""

from typing import Any

from pydantic import SecretStr
from sellergate.account.v1 import drop_in_client_service_pb2 as pb2
from sellergate.account.v1.drop_in_client_service_pb2_grpc import DropInClientServiceServicer
from sellergate_common.rpc.timestamps import from_datetime

from sellergate_account.clients import Clients, Issued
from sellergate_account.model import Cursor, DropInClient
from sellergate_account.rpc import page_tokens
from sellergate_account.rpc.account_messages import secret_or_none
from sellergate_account.rpc.acting_user import acting_user, check_user
from sellergate_account.rpc.once import once
from sellergate_account.rpc.pages import page_of


class DropInClientServicer(DropInClientServiceServicer):
    """The servicer of Sellergate's credentials for SP-API SDKs."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def CreateClient(self, request: pb2.CreateClientRequest, context: Any) -> pb2.CreateClientResponse:
        """Create a client; only this response holds its secret and drop-in refresh tokens."""
        if request.user_id:
            check_user(request.user_id, "user_id")
        return await once(
            request,
            pb2.CreateClientResponse,
            lambda: self._clients.create(request.user_id, request.name, request.account_ids),
            _to_issued,
        )

    async def ListClients(self, request: pb2.ListClientsRequest, context: Any) -> pb2.ListClientsResponse:
        """Return one page of clients."""
        if request.user_id:
            check_user(request.user_id, "user_id")
        user = request.user_id or acting_user()
        size, query = page_tokens.page_size(request.page_size), ("clients", user)
        found = await self._clients.list(user, page_tokens.decode(request.page_token, query), size)
        page, token = page_of(
            found.clients,
            size,
            query,
            _to_message,
            lambda row: Cursor(row.create_time, row.client_id),
            more=found.more,
        )
        return pb2.ListClientsResponse(clients=page, next_page_token=token)

    async def GetClient(self, request: pb2.GetClientRequest, context: Any) -> pb2.GetClientResponse:
        """Return one client."""
        client = await self._clients.get(request.client_id, acting_user())
        return pb2.GetClientResponse(client=_to_message(client))

    async def RevokeClient(self, request: pb2.RevokeClientRequest, context: Any) -> pb2.RevokeClientResponse:
        """Revoke a client at once."""
        return await once(
            request,
            pb2.RevokeClientResponse,
            lambda: self._clients.revoke(request.client_id, acting_user()),
            lambda client: pb2.RevokeClientResponse(client=_to_message(client)),
        )

    async def AuthenticateClient(
        self, request: pb2.AuthenticateClientRequest, context: Any
    ) -> pb2.AuthenticateClientResponse:
        """Check the credentials that an SDK presented; only the edge may call it."""
        handle = secret_or_none(request.handle)
        client, account_id = await self._clients.authenticate(
            request.client_id, SecretStr(request.client_secret), handle
        )
        through = "" if handle else await self._clients.application_account(client)
        return pb2.AuthenticateClientResponse(
            client=_to_message(client), account_id=account_id, application_account_id=through
        )


def _to_issued(issued: Issued) -> pb2.CreateClientResponse:
    return pb2.CreateClientResponse(
        client=_to_message(issued.client),
        client_secret=issued.secret.get_secret_value(),
        handles=[
            pb2.ClientHandle(account_id=account_id, handle=handle.get_secret_value())
            for account_id, handle in issued.handles.items()
        ],
    )


def _to_message(client: DropInClient) -> pb2.DropInClient:
    return pb2.DropInClient(
        client_id=client.client_id,
        user_id=client.user_id,
        name=client.name,
        account_ids=client.account_ids,
        create_time=from_datetime(client.create_time),
        revoke_time=from_datetime(client.revoke_time),
    )
