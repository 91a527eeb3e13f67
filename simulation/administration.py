"""The administration of accounts: lists, connections, changes, and an authorization that ends."""

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import (
    account_pb2,
    account_service_pb2,
    account_service_pb2_grpc,
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
)
from sellergate.gateway.v1 import gateway_service_pb2_grpc
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_account.model import State
from sellergate_common.errors import SellergateError
from sellergate_common.rpc.channel import invoke

from simulation import gateway
from simulation.invariants import Checker
from simulation.plan import REPLICAS, SPARE, Operation

USER, OTHER_USER = "user-1", "user-2"
NO_ACCOUNT = "00000000-0000-4000-8000-000000000000"
# The longest time for which a seller waits until it authorizes again: the refusal of the old authorization takes about as long.
MOST_REFUSAL_SECONDS = 0.12


class Administration:
    """The clients of these operations, most of which act through the edge for a user."""

    def __init__(self, client: Any, checker: Checker) -> None:
        self._client = client
        self._checker = checker
        self._amazon = client.world.amazon
        self._is_authorized = True
        self._channel: Any = client.world.channel(
            "account",
            "edge",
            (
                account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
                application_service_pb2.DESCRIPTOR.services_by_name["ApplicationService"],
            ),
        )
        self._accounts = account_service_pb2_grpc.AccountServiceStub(self._channel)
        self._applications = application_service_pb2_grpc.ApplicationServiceStub(self._channel)
        self._gateways: list[Any] = [
            gateway_service_pb2_grpc.GatewayServiceStub(
                client.world.channel(f"gateway-{number + 1}", "edge", gateway.CONTRACTS)
            )
            for number in range(REPLICAS["gateway"])
        ]
        contract = token_service_pb2.DESCRIPTOR.services_by_name["TokenService"]
        self._tokens: Any = token_service_pb2_grpc.TokenServiceStub(client.world.channel("token", "edge", (contract,)))

    async def _refused(self, call: Awaitable[Any], what: str) -> str:
        """Return the reason for which a call is refused. A call that is accepted breaks an invariant."""
        try:
            await call
        except SellergateError as error:
            return str(error.reason)
        self._client.history.violate("refused", f"{what} was accepted")
        return "accepted"

    def _account(self, method: Any, request: Any, seconds: float, user: str = USER) -> Awaitable[Any]:
        return invoke(method, request, dependency="account", seconds=seconds, on_behalf_of=user)

    def _token(self, operation: Operation, method: str, request: Any) -> Awaitable[Any]:
        stub = self._client.token_stub(operation.replica)
        return invoke(getattr(stub, method), request, dependency="token", seconds=operation.deadline)

    def _cause(self, account: int) -> None:
        """Record that an account's grant may be exchanged again."""
        self._checker.accounts[self._client.accounts[account][1]].causes.append(self._checker.now)

    async def _reason(self, call: Awaitable[Any]) -> str:
        """Return the reason for which a call fails; an empty text if it does not."""
        try:
            await call
        except SellergateError as error:
            return str(error.reason)
        return ""

    async def _list(self, operation: Operation) -> str:
        first = account_service_pb2.ListAccountsRequest(user_id=USER, page_size=1)
        page = await self._account(self._accounts.ListAccounts, first, operation.deadline)
        first.page_token = page.next_page_token
        await self._account(self._accounts.ListAccounts, first, operation.deadline)
        wrong = account_service_pb2.ListAccountsRequest(user_id=USER, page_token="page-2")
        call = self._account(self._accounts.ListAccounts, wrong, operation.deadline)
        return await self._refused(call, "a page token of no list")

    async def _look(self, operation: Operation) -> str:
        account_id, _ = self._client.accounts[operation.account]
        unknown = account_service_pb2.GetAccountRequest(account_id=NO_ACCOUNT)
        await self._refused(self._account(self._accounts.GetAccount, unknown, operation.deadline), "an unknown account")
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        call = self._account(self._accounts.GetAccount, request, operation.deadline, OTHER_USER)
        return await self._refused(call, "another user")

    async def _connect(self, operation: Operation) -> str:
        """Connect a seller with an application of its own, change both, and remove the account."""
        seconds, number = operation.deadline, operation.number
        app = application_pb2.Application(owner_user_id=USER, name=f"app {number}")
        create = application_service_pb2.CreateApplicationRequest(
            application=app,
            lwa_client_id=f"amzn1.application-oa2-client.own{number}",
            lwa_client_secret="secret-1",
            idempotency_key=f"application-{number:08}",
        )
        made = await self._account(self._applications.CreateApplication, create, seconds)
        upsert = account_service_pb2.UpsertAccountRequest(
            user_id=USER,
            amazon_seller_id=f"SELLERX{number}",
            marketplace="US",
            application_id=made.application.application_id,
            idempotency_key=f"connection-{number:08}",
        )
        await self._refused(self._account(self._accounts.UpsertAccount, upsert, seconds), "a seller without a token")
        upsert.refresh_token = f"Atzr|SELLERX{number}-1"
        upsert.idempotency_key = f"connected-{number:08}"
        first = await self._account(self._accounts.UpsertAccount, upsert, seconds)
        again = await self._account(self._accounts.UpsertAccount, upsert, seconds)
        if first != again:
            self._client.history.violate("repeat", f"SELLERX{number} got another response to the same request")
        upsert.labels["team"] = "a"
        call = self._account(self._accounts.UpsertAccount, upsert, seconds)
        await self._refused(call, "the key of another request")
        upsert.idempotency_key, upsert.external_ref = "", f"ref-{number}"
        await self._account(self._accounts.UpsertAccount, upsert, seconds)
        return await self._change(first.account.account_id, seconds)

    async def _change(self, account_id: str, seconds: float) -> str:
        request = account_service_pb2.UpdateAccountRequest(
            account=account_pb2.Account(account_id=account_id, application_id=self._client.application_id),
            update_mask=FieldMask(paths=["application_id"]),
        )
        other = self._account(self._accounts.UpdateAccount, request, seconds)
        await self._refused(other, "the application of another client")
        request.update_mask.paths[:] = ["lwa_client_secret"]
        request.lwa_client_secret = "secret-2"
        await self._account(self._accounts.UpdateAccount, request, seconds)
        request.etag = "old"
        await self._refused(self._account(self._accounts.UpdateAccount, request, seconds), "an old etag")
        remove = account_service_pb2.HardDeleteAccountRequest(account_id=account_id)
        await self._account(self._accounts.HardDeleteAccount, remove, seconds)
        return "removed"

    async def _revoke(self, operation: Operation) -> str:
        """Let a seller end its authorization, and authorize again, also while the old one is refused."""
        account_id, seller = self._client.accounts[SPARE]
        async with self._client.lock(SPARE):
            self._is_authorized = False
            self._amazon.sellers[seller].revoked = True
            verify = token_service_pb2.VerifyAccountRequest(account_id=account_id)
            try:
                await self._drop_token(operation, account_id)
                get = self._reason(self._client.get_token(SPARE, operation.replica, operation.deadline))
                refused = asyncio.get_running_loop().create_task(get)
                if operation.number % 2:
                    await asyncio.wait({refused})
                    await self._reason(self._token(operation, "VerifyAccount", verify))
                else:
                    await asyncio.sleep(MOST_REFUSAL_SECONDS * random.random())
            finally:
                self._amazon.sellers[seller].revoked = False
            if operation.number % 2:
                self._cause(SPARE)
                await self._reason(self._token(operation, "VerifyAccount", verify))
            await self._authorize(operation, account_id, seller)
            return await refused

    async def _authorize(self, operation: Operation, account_id: str, seller: str) -> None:
        self._cause(SPARE)
        grant = self._amazon.new_grant(seller)
        request = account_service_pb2.UpdateAccountRequest(
            account=account_pb2.Account(account_id=account_id),
            update_mask=FieldMask(paths=["refresh_token"]),
            refresh_token=self._amazon.grant_of(seller, grant),
        )
        await self._account(self._accounts.UpdateAccount, request, operation.deadline)
        self._checker.accounts[seller].grants.append((self._checker.now, grant))
        self._is_authorized = True
        await self._reason(self._client.get_token(SPARE, operation.replica, operation.deadline))

    def check_end(self) -> None:
        """Check that no refusal of an older authorization has ended the present one."""
        account_id, seller = self._client.accounts[SPARE]
        account, _ = self._client.world.database.committed.accounts.rows[account_id]
        if self._is_authorized and account.state != State.ACTIVE:
            self._client.history.violate(
                "newest", f"{seller} is {account.state} for a refusal of an older authorization"
            )

    async def _drop_token(self, operation: Operation, account_id: str) -> None:
        self._cause(SPARE)
        request = token_service_pb2.ClearTokenCacheRequest(account_id=account_id)
        await self._token(operation, "ClearTokenCache", request)
        self._cause(SPARE)
