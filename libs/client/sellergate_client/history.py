"""What happened to an account: its recent calls and its audit events."""

from datetime import UTC, datetime

import grpc
from google.protobuf.duration_pb2 import Duration
from sellergate.account.v1 import account_admin_service_pb2, account_admin_service_pb2_grpc
from sellergate.gateway.v1 import capture_service_pb2, capture_service_pb2_grpc
from sellergate_common.rpc.timestamps import from_datetime

from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.kinds import AwareTime, Count, Seconds
from sellergate_client.rpc.retries import invoke_with_retries

GATEWAY_CONTRACTS = (capture_service_pb2.DESCRIPTOR.services_by_name["CaptureService"],)
ACCOUNT_CONTRACTS = (account_admin_service_pb2.DESCRIPTOR.services_by_name["AccountAdminService"],)
_GATEWAY = "gateway"


@checked
class History:
    """The history of accounts, for operators and the edge.

    `on_behalf_of` is the user; only the edge may name one. `all_users`: also accounts of others, for a user that is an operator.
    """

    def __init__(self, gateway: grpc.aio.Channel, account: grpc.aio.Channel) -> None:
        self._captures = capture_service_pb2_grpc.CaptureServiceStub(gateway)
        self._admin = account_admin_service_pb2_grpc.AccountAdminServiceStub(account)

    async def start_capture(
        self, account_id: str, seconds: Seconds, *, all_users: bool = False, on_behalf_of: str = ""
    ) -> datetime:
        """List all calls of an account from now on; return the end. Raises SellergateError."""
        duration = Duration()
        duration.FromMilliseconds(round(seconds * 1000))
        request = capture_service_pb2.StartCaptureRequest(account_id=account_id, duration=duration, all_users=all_users)
        response = await invoke_with_retries(
            self._captures.StartCapture, request, dependency=_GATEWAY, on_behalf_of=on_behalf_of
        )
        end: datetime = response.expire_time.ToDatetime(tzinfo=UTC)
        return end

    async def end_capture(self, account_id: str, *, all_users: bool = False, on_behalf_of: str = "") -> None:
        """End the capture of an account's calls. Raises SellergateError."""
        request = capture_service_pb2.EndCaptureRequest(account_id=account_id, all_users=all_users)
        await invoke_with_retries(self._captures.EndCapture, request, dependency=_GATEWAY, on_behalf_of=on_behalf_of)

    async def calls(
        self,
        account_id: str,
        *,
        page_size: Count = 0,
        page_token: str = "",
        all_users: bool = False,
        on_behalf_of: str = "",
    ) -> capture_service_pb2.ListCapturedExchangesResponse:
        """Return one page of an account's captured calls, the newest first. Raises SellergateError."""
        request = capture_service_pb2.ListCapturedExchangesRequest(
            account_id=account_id, page_size=page_size, page_token=page_token, all_users=all_users
        )
        response: capture_service_pb2.ListCapturedExchangesResponse = await invoke_with_retries(
            self._captures.ListCapturedExchanges, request, dependency=_GATEWAY, on_behalf_of=on_behalf_of
        )
        return response

    async def audit_events(
        self,
        account_id: str,
        *,
        since: AwareTime | None = None,
        page_size: Count = 0,
        page_token: str = "",
        all_users: bool = False,
        on_behalf_of: str = "",
    ) -> account_admin_service_pb2.ListAuditEventsResponse:
        """Return one page of an account's audit events, the newest first; only those from `since` on. Raises SellergateError."""
        request = account_admin_service_pb2.ListAuditEventsRequest(
            account_id=account_id,
            page_size=page_size,
            page_token=page_token,
            newest_first=True,
            since=from_datetime(since, "since"),
            all_users=all_users,
        )
        response: account_admin_service_pb2.ListAuditEventsResponse = await invoke_with_retries(
            self._admin.ListAuditEvents, request, dependency="account", on_behalf_of=on_behalf_of
        )
        return response
