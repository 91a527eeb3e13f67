"""The recent calls of an account: while its calls are captured, each request to Amazon is listed, redacted."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sellergate.gateway.v1.capture_service_pb2 import CapturedExchange

from sellergate_edge.dependencies import AllUsers, Client, User
from sellergate_edge.routes.models import Given, Json, time_of
from sellergate_edge.routes.paging import PageSize, PageToken, link_next
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon/accounts", tags=["history"], route_class=UserRoute)
DEFAULT_SECONDS, MOST_SECONDS = 600, 1800
_AMAZON_ID = "x-amzn-requestid"


class NewCapture(Given):
    """A capture of an account's calls to start."""

    seconds: Annotated[
        int,
        Field(ge=1, le=MOST_SECONDS, examples=[DEFAULT_SECONDS], description="How long calls are captured, in seconds"),
    ] = DEFAULT_SECONDS


class RunningCapture(Json):
    """A capture of an account's calls that is running."""

    account_id: Annotated[str, Field(examples=["01a209db-1d77-7db0-8f3f-d79cea19c35d"])]
    expire_time: Annotated[datetime, Field(description="When it ends by itself")]


class RecentCall(Json):
    """One request to Amazon and its response; a call that was retried has several. It holds no secret and no query value."""

    start_time: datetime
    operation: Annotated[str, Field(examples=["orders/2026-01-01/searchOrders"])]
    method: Annotated[str, Field(examples=["GET"])]
    path: Annotated[
        str, Field(examples=["/orders/2026-01-01/orders/{orderId}"], description="The path's template, without values")
    ]
    query_names: Annotated[list[str], Field(examples=[["marketplaceIds"]])]
    status: Annotated[
        int | None, Field(examples=[200], description="Amazon's HTTP status; null: there was no complete response")
    ]
    ms: Annotated[float, Field(examples=[183.2], description="Milliseconds until Amazon's response was complete")]
    failure: Annotated[str, Field(description="Why there was no complete response; empty: there was one")]
    error: Annotated[
        str,
        Field(
            description="The beginning of the body of Amazon's error, redacted, or in brackets why it is not shown. Other bodies"
            " are not kept."
        ),
    ]
    request_id: Annotated[str, Field(description="Sellergate's id of the request, as in its log")]
    amazon_request_id: Annotated[str, Field(description="Amazon's id of the request; empty without a response")]

    @classmethod
    def from_message(cls, message: CapturedExchange) -> "RecentCall":
        """Return the document of the gateway's message."""
        ids = [header.value for header in message.response_headers if header.name.lower() == _AMAZON_ID]
        return cls(
            start_time=time_of(message, "start_time"),
            operation=message.operation,
            method=message.method,
            path=message.path,
            query_names=list(message.query_names),
            status=message.http_status or None,
            ms=round(message.duration.ToMicroseconds() / 1000, 2),
            failure=message.failure,
            error=message.response_body,
            request_id=message.request_id,
            amazon_request_id=ids[0] if ids else "",
        )


class RecentCallPage(Json):
    """One page of recent calls; nextPageToken is empty on the last."""

    calls: list[RecentCall]
    next_page_token: str
    capture_expire_time: Annotated[
        datetime | None, Field(description="When the running capture ends; null: no call is being captured")
    ]


@router.get("/{account_id}/calls", operation_id="listRecentCalls")
async def list_calls(
    account_id: str,
    request: Request,
    response: Response,
    user: User,
    client: Client,
    all_users: AllUsers = False,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> RecentCallPage:
    """List the calls of an account that were captured, the newest first.

    Sellergate keeps the newest 200 of them until an hour after the capture has ended. A page has at most 200.
    """
    page = await client.history.calls(
        account_id, page_size=page_size, page_token=page_token, all_users=all_users, on_behalf_of=user
    )
    link_next(request, response, page.next_page_token)
    return RecentCallPage(
        calls=[RecentCall.from_message(one) for one in page.exchanges],
        next_page_token=page.next_page_token,
        capture_expire_time=time_of(page, "expire_time"),
    )


@router.put("/{account_id}/capture", operation_id="captureCalls")
async def capture(
    account_id: str, new: NewCapture, user: User, client: Client, all_users: AllUsers = False
) -> RunningCapture:
    """Capture all calls of an account for a limited time, whichever program makes them.

    It is recorded in the account's audit trail. While a capture is running, another request moves its end. At most ten accounts of
    a user are captured at once.
    """
    end = await client.history.start_capture(account_id, new.seconds, all_users=all_users, on_behalf_of=user)
    return RunningCapture(account_id=account_id, expire_time=end)


@router.delete("/{account_id}/capture", operation_id="endCapture", status_code=204)
async def end_capture(account_id: str, user: User, client: Client, all_users: AllUsers = False) -> None:
    """End the capture of an account's calls before its time. The captured calls stay listed."""
    await client.history.end_capture(account_id, all_users=all_users, on_behalf_of=user)
