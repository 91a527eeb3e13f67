"""The account service over gRPC, as the iam service sees it."""

import grpc
from sellergate.account.v1 import account_service_pb2, account_service_pb2_grpc
from sellergate_client.states import check_usable
from sellergate_common.channel import invoke
from sellergate_common.errors import InvalidRequest

from sellergate_iam.ports import Role

CONTRACTS = (account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],)


class GrpcAccounts:
    """Roles of accounts."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)

    async def role(self, account_id: str) -> Role:
        """Return the role of an account that can be used."""
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        account = check_usable((await invoke(self._accounts.GetAccount, request, dependency="account")).account)
        if not account.iam_role_arn:
            raise InvalidRequest.of_field("account_id", "names an account without an IAM role; set iam_role_arn first")
        external_id = "" if account.role_without_external_id else account.external_id
        return Role(account.iam_role_arn, external_id, account.region, account.account_id, account.revision)
