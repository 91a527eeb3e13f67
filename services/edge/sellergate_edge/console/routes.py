"""Routes for the console and other frontends: the user, applications, operations, and the remaining quota of an account."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sellergate_amazon.common_calls import COMMON_OPERATIONS
from sellergate_amazon.operations import Catalogue

from sellergate_edge.dependencies import Client, Provided, User
from sellergate_edge.routes.models import (
    Application,
    ApplicationPage,
    Operation,
    OperationPage,
    Quota,
    Quotas,
    SignedInUser,
)
from sellergate_edge.routes.paging import PageSize, PageToken, link_next
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon", tags=["screens"], route_class=UserRoute)
MAX_QUOTAS = 20
_Operations = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=128)]] | None,
    Query(
        max_length=MAX_QUOTAS,
        description="Names of operations; without any, the most common ones. Each counts as one request of the user",
    ),
]


@router.get("/user", operation_id="getUser")
async def get_user(user: User, provided: Provided) -> SignedInUser:
    """Return the user that sends the request, and whether it is an operator, which sees the accounts of all users."""
    return SignedInUser(id=user, is_operator=user in provided.operators)


@router.get("/applications", operation_id="listApplications")
async def list_applications(
    request: Request,
    response: Response,
    user: User,
    client: Client,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> ApplicationPage:
    """List the applications with which the user can connect sellers: the user's own, and those that the operator shares."""
    page = await client.applications.list(page_size=page_size, page_token=page_token, on_behalf_of=user)
    link_next(request, response, page.next_page_token)
    return ApplicationPage(
        applications=[Application.from_message(one) for one in page.applications], next_page_token=page.next_page_token
    )


@router.get("/operations", operation_id="listOperations")
async def list_operations(
    request: Request,
    response: Response,
    user: User,
    client: Client,
    search: Annotated[
        str, Query(max_length=128, description="A part of the name, method or path; upper and lower case are equal")
    ] = "",
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> OperationPage:
    """List the operations of SP-API with their rate limits and parameters."""
    page = await client.catalogue.page(search, page_size=page_size, page_token=page_token, on_behalf_of=user)
    link_next(request, response, page.next_page_token)
    return OperationPage(
        operations=[Operation.from_message(one, _parameters(one.name)) for one in page.operations],
        next_page_token=page.next_page_token,
    )


def _parameters(operation: str) -> tuple[str, ...]:
    """Return the parameters of an operation; none of one that only the operator's newer catalogue has."""
    known = Catalogue.load().get(operation)
    return (known.parameters if known else None) or ()


@router.get("/accounts/{account_id}/quotas", operation_id="getQuotas")
async def quotas(
    account_id: str, user: User, client: Client, provided: Provided, operation: _Operations = None
) -> Quotas:
    """Return the remaining quota of an account."""
    wanted = dict.fromkeys(operation or COMMON_OPERATIONS)
    for _ in range(len(wanted) - 1):  # the gateway reads one bucket for each; the first was counted on arrival
        await provided.limits.acquire(user)
    found = await client.catalogue.quotas(account_id, list(wanted), on_behalf_of=user)
    return Quotas(
        account_id=account_id,
        quotas=[Quota(**{name: getattr(one, name) for name in Quota.model_fields}) for one in found],
    )
