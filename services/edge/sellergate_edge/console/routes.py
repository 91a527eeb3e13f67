"""For a screen: applications, operations, and what is left of an account's quota."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from sellergate_edge.dependencies import Client, User
from sellergate_edge.limits.limiter import Limits
from sellergate_edge.routes.models import Application, ApplicationPage, Operation, OperationPage, Quota, Quotas
from sellergate_edge.routes.paging import PageSize, PageToken, link_next
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon", tags=["screens"], route_class=UserRoute)
# What most sellers' programs call; a caller may name others.
SHOWN = (
    "orders/2026-01-01/searchOrders",
    "orders/v0/getOrders",
    "sellers/v1/getMarketplaceParticipations",
    "reports/2021-06-30/createReport",
    "reports/2021-06-30/getReport",
    "reports/2021-06-30/getReportDocument",
    "feeds/2021-06-30/createFeed",
    "listings-items/2021-08-01/getListingsItem",
    "fba-inventory/v1/getInventorySummaries",
    "catalog-items/2022-04-01/getCatalogItem",
)
MAX_QUOTAS = 20
_Operations = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=128)]] | None,
    Query(
        max_length=MAX_QUOTAS,
        description="Names of operations; without any, those that most programs call. Each counts as a request of the user",
    ),
]


@router.get("/applications")
async def list_applications(
    request: Request,
    response: Response,
    user: User,
    client: Client,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> ApplicationPage:
    """List the applications that the user can connect sellers to: the user's own, and those that the operator shares."""
    page = await client.applications.list(page_size=page_size, page_token=page_token, on_behalf_of=user)
    link_next(request, response, page.next_page_token)
    return ApplicationPage(
        applications=[Application.from_message(one) for one in page.applications], next_page_token=page.next_page_token
    )


@router.get("/operations")
async def list_operations(
    request: Request,
    response: Response,
    user: User,
    client: Client,
    search: Annotated[str, Query(max_length=128, description="A part of the name, method or path, in any case")] = "",
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> OperationPage:
    """List the operations of SP-API with their rates."""
    page = await client.catalogue.page(search, page_size=page_size, page_token=page_token, on_behalf_of=user)
    link_next(request, response, page.next_page_token)
    names = Operation.model_fields
    return OperationPage(
        operations=[Operation(**{name: getattr(one, name) for name in names}) for one in page.operations],
        next_page_token=page.next_page_token,
    )


@router.get("/accounts/{account_id}/quotas")
async def quotas(
    request: Request, account_id: str, user: User, client: Client, operation: _Operations = None
) -> Quotas:
    """Return what is left of an account's quota now."""
    wanted = dict.fromkeys(operation or SHOWN)
    limits: Limits = request.app.state.limits
    for _ in range(len(wanted) - 1):  # the gateway reads a bucket for each; one was counted on arrival
        await limits.acquire(user)
    found = await client.catalogue.quotas(account_id, list(wanted), on_behalf_of=user)
    return Quotas(
        account_id=account_id,
        quotas=[Quota(**{name: getattr(one, name) for name in Quota.model_fields}) for one in found],
    )
