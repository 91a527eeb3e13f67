"""The account service's list of changes over gRPC, for the processes that keep copies of its accounts and applications."""

import grpc
from sellergate.account.v1 import account_service_pb2, account_service_pb2_grpc
from sellergate_common.feed.follower import PATIENCE_SECONDS
from sellergate_common.feed.ports import Change, ChangePage
from sellergate_common.rpc.channel import invoke

ACCOUNT, APPLICATION = "account", "application"
"""The kinds of changes."""


class GrpcAccountChanges:
    """The changes of accounts and applications. An account service without the RPC raises Unimplemented or NotAllowed."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)

    async def read(self, cursor: str) -> ChangePage:
        """Return the changes since a cursor."""
        request = account_service_pb2.ListAccountChangesRequest(cursor=cursor)
        response = await invoke(
            self._accounts.ListAccountChanges, request, dependency="account", seconds=PATIENCE_SECONDS
        )
        changes = [
            Change(ACCOUNT, change.account_id, change.version)
            if change.account_id
            else Change(APPLICATION, change.application_id, change.version)
            for change in response.changes
        ]
        return ChangePage(changes, response.next_cursor, response.forget_all)
