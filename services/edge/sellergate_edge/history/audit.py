"""The audit trail of an account: what was done to it, when, and by which caller and user."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field
from sellergate.account.v1 import account_admin_service_pb2

from sellergate_edge.dependencies import AllUsers, Client, User
from sellergate_edge.routes.models import Json, time_of
from sellergate_edge.routes.paging import PageSize, PageToken, link_next
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon/accounts", tags=["history"], route_class=UserRoute)
_Since = Annotated[AwareDatetime | None, Query(description="Only events from this time on (with its offset)")]


class AuditEvent(Json):
    """One event of an account's audit trail. It holds names of fields, and never a value of one."""

    sequence: Annotated[int, Field(examples=[4], description="The number of the event in the account's trail, from 1")]
    create_time: datetime
    action: Annotated[str, Field(examples=["account.updated"], description="A later release may add actions")]
    caller: Annotated[
        str, Field(examples=["edge"], description="The program that did it: a service of Sellergate, or `operator`")
    ]
    user_id: Annotated[
        str, Field(examples=["user-17"], description="The user for which the caller did it; empty: for none")
    ]
    subject: Annotated[
        str, Field(examples=["client/sgc_…"], description="What was changed beside the account; empty: nothing")
    ]
    detail: Annotated[str, Field(examples=["region,labels"], description="The fields that changed, or a description")]
    request_id: Annotated[str, Field(description="Sellergate's id of the request, as in its log")]

    @classmethod
    def from_message(cls, message: account_admin_service_pb2.AuditEvent) -> "AuditEvent":
        """Return the document of the account service's message."""
        return cls(
            sequence=message.sequence,
            create_time=time_of(message, "create_time"),
            action=message.action,
            caller=message.caller,
            user_id=message.on_behalf_of,
            subject=message.subject,
            detail=message.detail,
            request_id=message.request_id,
        )


class AuditEventPage(Json):
    """One page of audit events; nextPageToken is empty on the last."""

    events: list[AuditEvent]
    next_page_token: str


@router.get("/{account_id}/audit-events", operation_id="listAuditEvents")
async def list_audit_events(
    account_id: str,
    request: Request,
    response: Response,
    user: User,
    client: Client,
    since: _Since = None,
    all_users: AllUsers = False,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> AuditEventPage:
    """List what was done to an account, the newest first: changes, reads of its secrets, and captures of its calls.

    Events are chained by HMACs that the operator can verify. Those of a deleted account stay with the operator.
    """
    page = await client.history.audit_events(
        account_id,
        since=since,
        page_size=page_size,
        page_token=page_token,
        all_users=all_users,
        on_behalf_of=user,
    )
    link_next(request, response, page.next_page_token)
    return AuditEventPage(
        events=[AuditEvent.from_message(one) for one in page.events], next_page_token=page.next_page_token
    )
