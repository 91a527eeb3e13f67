"""The two test endpoints: a check of an account and its token, and a fetch of orders through the whole chain."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from sellergate.gateway.v1 import gateway_service_pb2
from sellergate_amazon.common_calls import ORDER_SEARCHES, OrderSearch
from sellergate_amazon.marketplaces import marketplace_by_id
from sellergate_client import InvalidRequest, Reason, Sellergate, SellergateError, SpApiResponse, Unavailable
from sellergate_common.context import current_call

from sellergate_edge.dependencies import Client, User
from sellergate_edge.routes.models import AccountState, Orders, Outcome, Stage, Status
from sellergate_edge.routes.problems import problem
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon/test", tags=["checks"], route_class=UserRoute)
DAYS = 7
_AccountId = Annotated[str, Query(alias="amazonAccountId", min_length=1, description="The account's id")]
_Exchange = Annotated[
    bool, Query(description="Exchange the refresh token with Amazon. With false, report the cached access token.")
]
_Call = Annotated[bool, Query(description="Call one operation of SP-API (getMarketplaceParticipations).")]
_MarketplaceId = Annotated[
    str, Query(alias="marketplaceId", min_length=1, examples=["ATVPDKIKX0DER"], description="Amazon's marketplace id")
]


@router.get("/status", operation_id="checkAccount")
async def status(
    account_id: _AccountId, user: User, client: Client, exchange: _Exchange = True, call: _Call = True
) -> Status:
    """Check an account: that it is stored, that its refresh token and role work, and that a call of SP-API succeeds.

    Sellergate exchanges the refresh token with Amazon at most once in 60 s for an account; another check within this time
    reports the current access token as CACHED with its age. The check is safe to repeat. It takes one call of the quota of
    getMarketplaceParticipations. If Amazon refuses the authorization, the account becomes AUTHORIZATION_REVOKED, as after any
    call. A revoked account stays revoked; `POST /api/amazon/accounts/{id}/verify` tries its refresh token again.
    """
    checked = await client.check_account(account_id, exchange=exchange, with_call=call, on_behalf_of=user)
    return Status(account_id=account_id, state=AccountState(checked.state), stages=stages_of(checked))


@router.get("/orders", operation_id="fetchRecentOrders", response_model=Orders)
async def orders(
    account_id: _AccountId, marketplace_id: _MarketplaceId, user: User, client: Client
) -> Orders | JSONResponse:
    """Fetch the orders of the last seven days through the whole chain, and report each stage."""
    if marketplace_by_id(marketplace_id) is None:
        raise InvalidRequest.of_field("marketplaceId", "must be the id of a marketplace, as in ATVPDKIKX0DER")
    checked = await client.check_account(account_id, with_call=False, on_behalf_of=user)
    stages = [stage for stage in stages_of(checked) if stage.name != "call"]
    started = time.monotonic()
    try:
        response, found = await _search_orders(client, account_id, marketplace_id, user)
    except SellergateError as error:
        failed = Stage(name="call", outcome=Outcome.FAILED, reason=f"{error.reason}: {error.message}", ms=_ms(started))
        return problem(error, {"stages": [stage.model_dump(mode="json", by_alias=True) for stage in (*stages, failed)]})
    call = current_call()
    return Orders(
        account_id=account_id,
        operation=response.operation,
        orders=found,
        request_id=call.request_id if call else "",
        amazon_request_id=response.amazon_request_id,
        stages=[*stages, Stage(name="call", outcome=Outcome.OK, reason="", ms=_ms(started))],
    )


async def _search_orders(
    client: Sellergate, account_id: str, marketplace_id: str, user: str
) -> tuple[SpApiResponse, list[Any]]:
    """Search in the newest version of the API whose role the application has. Raises SellergateError."""
    since = datetime.now(UTC) - timedelta(days=DAYS)
    *newer, oldest = ORDER_SEARCHES
    for search in newer:
        try:
            return await _search(client, account_id, search, search.query(since, marketplace_id), user)
        except SellergateError as error:
            if error.reason is not Reason.AMAZON_DENIED:
                raise
    return await _search(client, account_id, oldest, oldest.query(since, marketplace_id), user)


async def _search(
    client: Sellergate, account_id: str, search: OrderSearch, query: Mapping[str, str], user: str
) -> tuple[SpApiResponse, list[Any]]:
    """Return Amazon's response and its orders. Raises Unavailable where it holds none, and SellergateError."""
    response = await client.call(account_id, "GET", search.path, query=query, on_behalf_of=user)
    try:
        return response, search.orders_in(response.json())
    except ValueError:
        raise Unavailable(
            "Amazon's response holds no list of orders. Send the request again.",
            reason=Reason.AMAZON_UNAVAILABLE,
            retry_after=1.0,
        ) from None


def stages_of(checked: gateway_service_pb2.CheckAccountResponse) -> list[Stage]:
    """Return the stages of a check."""
    return [
        Stage(
            name=stage.name,
            outcome=Outcome(gateway_service_pb2.CheckOutcome.Name(stage.outcome).removeprefix("CHECK_OUTCOME_")),
            reason=stage.reason,
            ms=round(stage.duration.ToMicroseconds() / 1000, 2),
            age_seconds=round(stage.age.ToMilliseconds() / 1000, 1) if stage.HasField("age") else None,
        )
        for stage in checked.stages
    ]


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 2)
