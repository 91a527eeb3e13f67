"""Drop-in clients, through DropInClientService: Sellergate's credentials for unmodified SP-API SDKs."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from pydantic import SecretStr
from sellergate.account.v1 import drop_in_client_service_pb2 as pb2
from sellergate.account.v1.drop_in_client_service_pb2_grpc import DropInClientServiceStub

from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.kinds import Count, EmptyableText
from sellergate_client.rpc.paging import PAGE_SIZE, items_of
from sellergate_client.rpc.retries import invoke_with_retries
from sellergate_client.rpc.writes import write

CONTRACTS = (pb2.DESCRIPTOR.services_by_name["DropInClientService"],)
_SERVICE = "account"

_Response = TypeVar("_Response")


@dataclass(frozen=True, slots=True)
class Issued:
    """A new client. The secret and the drop-in refresh tokens (by account ID) exist only in this response."""

    client: pb2.DropInClient
    secret: SecretStr
    handles: dict[str, SecretStr]


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The owner of an SDK's credentials; see AuthenticateClientResponse."""

    client: pb2.DropInClient
    account_id: str
    application_account_id: str


@checked
class Clients:
    """Clients as messages of sellergate.account.v1. `on_behalf_of` is the user; only the edge may name one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = DropInClientServiceStub(channel)

    async def create(
        self,
        user_id: str,
        name: EmptyableText,
        account_ids: Sequence[str],
        *,
        on_behalf_of: str = "",
        idempotency_key: str = "",
    ) -> Issued:
        """Create a client of a user for accounts of that user. Raises SellergateError."""
        request = pb2.CreateClientRequest(
            user_id=user_id, name=name, account_ids=account_ids, idempotency_key=idempotency_key
        )
        response = await self._write(self._stub.CreateClient, request, on_behalf_of)
        handles = {handle.account_id: SecretStr(handle.handle) for handle in response.handles}
        return Issued(response.client, SecretStr(response.client_secret), handles)

    async def get(self, client_id: str, *, on_behalf_of: str = "") -> pb2.DropInClient:
        """Return one client, even if it is revoked. Raises SellergateError."""
        request = pb2.GetClientRequest(client_id=client_id)
        return (
            await invoke_with_retries(self._stub.GetClient, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
        ).client

    async def list(
        self, user_id: str = "", *, page_size: Count = 0, page_token: str = "", on_behalf_of: str = ""
    ) -> pb2.ListClientsResponse:
        """Return one page of clients, oldest first. Raises SellergateError."""
        request = pb2.ListClientsRequest(user_id=user_id, page_size=page_size, page_token=page_token)
        return await invoke_with_retries(
            self._stub.ListClients, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )

    def each(self, user_id: str = "") -> AsyncGenerator[pb2.DropInClient]:
        """Yield all clients, oldest first; only those of `user_id` where given."""

        def page(token: str) -> Awaitable[pb2.ListClientsResponse]:
            return self.list(user_id, page_size=PAGE_SIZE, page_token=token)

        return items_of(page, lambda found: found.clients)

    async def revoke(self, client_id: str, *, on_behalf_of: str = "", idempotency_key: str = "") -> pb2.DropInClient:
        """Revoke a client, its secret and its drop-in refresh tokens. Raises SellergateError."""
        request = pb2.RevokeClientRequest(client_id=client_id, idempotency_key=idempotency_key)
        return (await self._write(self._stub.RevokeClient, request, on_behalf_of)).client

    async def authenticate(self, client_id: str, secret: SecretStr, handle: SecretStr | None) -> Authenticated:
        """Check the credentials of an SDK; only the edge may call this. Raises Unauthenticated."""
        request = pb2.AuthenticateClientRequest(
            client_id=client_id,
            client_secret=secret.get_secret_value(),
            handle=handle.get_secret_value() if handle else "",
        )
        response = await invoke_with_retries(self._stub.AuthenticateClient, request, dependency=_SERVICE)
        return Authenticated(response.client, response.account_id, response.application_account_id)

    async def _write(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Any, _Response]", request: Any, on_behalf_of: str
    ) -> _Response:
        return await write(self._channel, method, request, dependency=_SERVICE, on_behalf_of=on_behalf_of)
