"""Operations with other tokens than those of accounts: an application's, those of a caller's credentials, and restricted ones."""

from typing import Any

from sellergate.token.v1 import token_service_pb2
from sellergate_common.rpc.channel import invoke

from simulation import gateway
from simulation.acknowledged import Acknowledged
from simulation.invariants import Checker
from simulation.plan import Operation
from simulation.world.amazon import APPLICATION, CLIENT_ID, SimulatedAmazon

CALLERS_SELLER = "SELLERO"
"""The seller of the credentials that a caller keeps."""
SCOPE = "sellingpartnerapi::notifications"


class OtherTokens:
    """The requests for these tokens. `client` makes the calls, and knows the application and the accounts."""

    def __init__(self, client: Any, checker: Checker, amazon: SimulatedAmazon) -> None:
        self.seller = CALLERS_SELLER
        self._client = client
        self._checker = checker
        self._amazon = amazon
        self._grant = amazon.grant_of(CALLERS_SELLER, amazon.new_grant(CALLERS_SELLER))
        self._causes = checker.accounts.setdefault(APPLICATION, Acknowledged()).causes
        checker.accounts[CALLERS_SELLER] = Acknowledged(causes=self._causes)

    def note_rotation(self) -> None:
        """Record that tokens of the application, and of its grants, may be exchanged again, because its secret changes."""
        self._causes.append(self._checker.now)

    async def request(self, operation: Operation) -> str:
        """Carry out an operation of one of the kinds, which its draw decides."""
        if operation.draw < 0.25:
            return await self._token(operation, APPLICATION, grantless=self._scope())
        if operation.draw < 0.5:
            return await self.own_token(operation)
        if operation.draw < 0.95:
            name = gateway.OTHERS[operation.draw < 0.65]
            key = f"op-{operation.number}"
            await self._client.call(operation.account, operation.replica, name, key, operation.deadline)
            return "response"
        return await self._clear(operation)

    async def own_token(self, operation: Operation) -> str:
        """Request a token for the credentials that a caller keeps."""
        return await self._token(operation, CALLERS_SELLER, credentials=self._credentials())

    def _scope(self) -> token_service_pb2.GrantlessScope:
        return token_service_pb2.GrantlessScope(application_id=self._client.application_id, scope=SCOPE)

    def _credentials(self) -> token_service_pb2.InlineCredentials:
        secret = f"secret-{self._amazon.secret}"
        return token_service_pb2.InlineCredentials(client_id=CLIENT_ID, client_secret=secret, refresh_token=self._grant)

    async def _token(self, operation: Operation, owner: str, **grant: Any) -> str:
        began, stub = self._checker.now, self._client.token_stub(operation.replica)
        request = token_service_pb2.GetAccessTokenRequest(**grant)
        found = await invoke(stub.GetAccessToken, request, dependency="token", seconds=operation.deadline)
        self._checker.check_token(owner, found.access_token, began, f"client of {owner}")
        return f"{found.access_token}"

    async def _clear(self, operation: Operation) -> str:
        """Drop the cached token of an account."""
        account_id, seller = self._client.accounts[operation.account]
        request = token_service_pb2.ClearTokenCacheRequest(account_id=account_id)
        stub = self._client.token_stub(operation.replica)
        with self._checker.accounts[seller].may_exchange(lambda: self._checker.now):
            found = await invoke(stub.ClearTokenCache, request, dependency="token", seconds=operation.deadline)
        return f"dropped {found.cleared}"
