"""The user's clients for SP-API SDKs: create, list, revoke."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sellergate.account.v1 import drop_in_client_service_pb2

from sellergate_edge.dependencies import Client, Provided, User
from sellergate_edge.routes.idempotency import IdempotencyKey
from sellergate_edge.routes.models import MAX_ITEMS, Given, Json, time_of
from sellergate_edge.routes.paging import PageSize, PageToken, link_next
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon/clients", tags=["clients"], route_class=UserRoute)
_Name = Annotated[str, "The client's id (sgc_…)"]


class NewClient(Given):
    """A client for SP-API SDKs to create, for accounts of the user."""

    name: Annotated[str, Field(max_length=128, examples=["warehouse"])] = ""
    account_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS)]


class DropInClient(Json):
    """A client for SP-API SDKs, without secrets."""

    client_id: Annotated[str, Field(examples=["sgc_…"])]
    name: str
    account_ids: list[str]
    create_time: datetime
    revoke_time: datetime | None

    @classmethod
    def from_message(cls, message: drop_in_client_service_pb2.DropInClient) -> "DropInClient":
        """Return the document of the account service's message."""
        return cls(
            client_id=message.client_id,
            name=message.name,
            account_ids=list(message.account_ids),
            create_time=time_of(message, "create_time"),
            revoke_time=time_of(message, "revoke_time"),
        )


class Handle(Json):
    """The drop-in refresh token of one account."""

    account_id: str
    handle: Annotated[str, Field(examples=["sgr_…"])]


class IssuedClient(DropInClient):
    """A new client with its secret and drop-in refresh tokens, which are shown only once."""

    client_secret: Annotated[str, Field(examples=["sgs_…"])]
    handles: list[Handle]


class ClientPage(Json):
    """One page of clients; nextPageToken is empty on the last."""

    clients: list[DropInClient]
    next_page_token: str


@router.post("", operation_id="createClient", status_code=201)
async def create(new: NewClient, user: User, client: Client, provided: Provided, key: IdempotencyKey) -> IssuedClient:
    """Create a client for an SP-API SDK.

    Configure the SDK with `clientId`, `clientSecret`, and the `handle` of an account as its refresh token. The secret and the
    handles are shown only in this response.
    """
    issued = await client.clients.create(user, new.name, new.account_ids, on_behalf_of=user, idempotency_key=key)
    await provided.guesses.issued(issued.client.client_id, issued.secret.get_secret_value())
    return IssuedClient(
        **DropInClient.from_message(issued.client).model_dump(),
        client_secret=issued.secret.get_secret_value(),
        handles=[
            Handle(account_id=account_id, handle=handle.get_secret_value())
            for account_id, handle in issued.handles.items()
        ],
    )


@router.get("", operation_id="listClients")
async def list_clients(
    request: Request,
    response: Response,
    user: User,
    client: Client,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> ClientPage:
    """List the clients of the user, oldest first, including revoked ones."""
    page = await client.clients.list(user, page_size=page_size, page_token=page_token, on_behalf_of=user)
    link_next(request, response, page.next_page_token)
    return ClientPage(
        clients=[DropInClient.from_message(one) for one in page.clients], next_page_token=page.next_page_token
    )


@router.delete("/{client_id}", operation_id="revokeClient", status_code=204)
async def revoke(client_id: _Name, user: User, client: Client, key: IdempotencyKey) -> None:
    """Revoke a client. Its secret and drop-in refresh tokens stop working at once, its access tokens within five seconds."""
    await client.clients.revoke(client_id, on_behalf_of=user, idempotency_key=key)
