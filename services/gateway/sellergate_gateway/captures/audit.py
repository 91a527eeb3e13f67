"""The client of the account service's audit log over gRPC."""

import grpc
from google.protobuf.duration_pb2 import Duration
from sellergate.account.v1 import account_admin_service_pb2 as pb2
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate_common.context import current_caller
from sellergate_common.rpc.channel import invoke

from sellergate_gateway.captures.service import Capture


class GrpcCaptureLog:
    """The `CaptureLog` port over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._admin = AccountAdminServiceStub(channel)

    async def record(self, capture: Capture, seconds: float) -> None:
        """Record a capture before it starts, with its caller and the user that the caller acts for."""
        duration, caller = Duration(), current_caller()
        duration.FromMilliseconds(int(seconds * 1000))
        request = pb2.RecordCaptureRequest(
            account_id=capture.account_id,
            operation=capture.operation or "all operations",
            duration=duration,
            caller=caller.identity,
            on_behalf_of=caller.on_behalf_of,
        )
        await invoke(self._admin.RecordCapture, request, dependency="account")
