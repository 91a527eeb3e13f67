"""Operations that clients seldom make: lists, reports of state, refused inputs, and the administration of accounts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.duration_pb2 import Duration
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2
from sellergate.token.v1 import token_service_pb2
from sellergate_common.errors import SellergateError
from sellergate_common.flights.local_flight import FLIGHT_SECONDS
from sellergate_common.rpc.channel import invoke

from simulation import gateway
from simulation.administration import NO_ACCOUNT, OTHER_USER, USER, Administration
from simulation.plan import REPLICAS, Operation
from simulation.world.amazon import APPLICATION, RESTRICTED_MARK

# HTTP's status of a success.
OK = 200
# The time by which a token must end if a call waits for its end, so that a run is short; the call follows after some seconds.
LATEST_END, AFTER_END_SECONDS = 13.0, 0.1
NO_FINGERPRINT = "0" * 64
Step = Callable[["Seldom", Operation], Awaitable[str]]


class Seldom(Administration):
    """All these operations."""

    async def request(self, operation: Operation) -> str:
        """Carry out one of the operations, which the draw decides."""
        step = STEPS[int(operation.draw * len(STEPS))]
        return f"{step.__name__[1:]}: {await step(self, operation)}"

    async def _statistics(self, operation: Operation) -> str:
        """Read what a process reports about itself: counts, and the conditions of its health."""
        found = await self._token(operation, "GetTokenCacheStats", token_service_pb2.GetTokenCacheStatsRequest())
        problems = {
            name: sorted(task for task, problem in background.problems().items() if problem)
            for name, background in sorted(self._client.world.backgrounds.items())
        }
        return f"{found.entries} entries, problems {problems}"

    async def _clear(self, operation: Operation) -> str:
        """Drop all tokens."""
        accounts = self._checker.accounts.values()
        for one in accounts:
            one.causes.append(self._checker.now)
        try:
            found = await self._token(operation, "ClearTokenCache", token_service_pb2.ClearTokenCacheRequest())
        finally:
            for one in accounts:
                one.causes.append(self._checker.now)
        return f"dropped {found.cleared}"

    async def _refused_tokens(self, operation: Operation) -> str:
        """Request tokens that no caller gets."""
        account_id, _ = self._client.accounts[operation.account]
        kind = token_service_pb2.GetAccessTokenRequest
        scope = token_service_pb2.GrantlessScope(application_id=self._client.application_id, scope="unknown")
        both = token_service_pb2.InvalidateAccessTokenRequest(
            account_id=account_id, grantless=scope, fingerprint=NO_FINGERPRINT
        )
        reasons = [
            await self._refused(self._token(operation, "GetAccessToken", kind(account_id=NO_ACCOUNT)), "no account"),
            await self._refused(self._token(operation, "GetAccessToken", kind(grantless=scope)), "an unknown scope"),
            await self._refused(self._token(operation, "InvalidateAccessToken", both), "two owners"),
        ]
        for seconds in (4000, 3000):
            request = kind(account_id=account_id, min_lifetime=Duration(seconds=seconds))
            call = self._token(operation, "GetAccessToken", request)
            reasons.append(await self._refused(call, f"a life of {seconds} s"))
        call = self._token(operation, "GetAccessToken", kind(account_id=account_id, expected_revision=1_000_000))
        reasons.append(await self._refused(call, "a revision to come"))
        return ", ".join(reasons)

    async def _other_user(self, operation: Operation) -> str:
        """Use another user's account."""
        account_id, _ = self._client.accounts[operation.account]
        verify = token_service_pb2.VerifyAccountRequest(account_id=account_id)
        call = invoke(
            self._tokens.VerifyAccount,
            verify,
            dependency="token",
            seconds=operation.deadline,
            on_behalf_of=OTHER_USER,
        )
        await self._refused(call, "a verification of another user's account")
        request = gateway.request_of(gateway.READS[0], f"op-{operation.number}", account_id)
        return await self._refused(self._edge(operation, "Call", request, OTHER_USER), "a call for another user")

    def _edge(self, operation: Operation, method: str, request: Any, user: str = USER) -> Awaitable[Any]:
        stub = self._gateways[operation.replica % len(self._gateways)]
        return invoke(
            getattr(stub, method), request, dependency="gateway", seconds=operation.deadline, on_behalf_of=user
        )

    async def _call(self, operation: Operation, request: Any, index: int = 0) -> str:
        """Make a call for a user, and record what the client learns."""
        _, seller = self._client.accounts[operation.account]
        key = f"op-{operation.number}-{index}"
        owner = APPLICATION if request.operation == gateway.OTHERS[0] else seller
        self._checker.begin_call(key, owner)
        try:
            response = await self._edge(operation, "Call", request)
        except SellergateError as error:
            self._checker.end_call(key, error, writes=False)
            return str(error.reason)
        if response.http_status == OK:
            self._checker.end_call(key, None, writes=False)
        return f"response {response.http_status}"

    def _request(self, operation: Operation, name: str, index: int = 0) -> Any:
        account_id, _ = self._client.accounts[operation.account]
        return gateway.request_of(name, f"op-{operation.number}-{index}", account_id)

    async def _calls(self, operation: Operation) -> str:
        """Make calls with buckets of their own: in the background, of an unknown path, to the sandbox, and of an application."""
        background = self._request(operation, gateway.READS[2])
        background.priority = call_pb2.PRIORITY_BATCH
        unknown = self._request(operation, "", 1)
        unknown.method, unknown.path = "GET", "/things/v9/things/1"
        sandbox = self._request(operation, gateway.READS[2], 2)
        sandbox.sandbox = True
        as_is = self._request(operation, gateway.MORE[0], 3)
        as_is.answer_mode = call_pb2.ANSWER_MODE_AS_IS
        return ", ".join(
            [await self._call(operation, one, index) for index, one in enumerate((background, unknown, sandbox, as_is))]
        )

    async def _end_of_token(self, operation: Operation) -> str:
        """Call through each gateway when the next token of an account ends, if that is soon: none may use it any more."""
        _, seller = self._client.accounts[operation.account]
        now, tokens = self._checker.now, self._amazon.tokens.values()
        ends = min((one.expires for one in tokens if one.seller == seller and one.expires > now), default=now)
        if ends < LATEST_END:
            await asyncio.sleep(ends + AFTER_END_SECONDS - now)
        name, key = gateway.READS[2], f"op-{operation.number}"
        for replica in range(REPLICAS["gateway"]):
            await self._reason(
                self._client.call(operation.account, replica, name, f"{key}-{replica}", operation.deadline)
            )
        return f"{seller}, after {self._checker.now - now:.1f} s"

    async def _quota(self, operation: Operation) -> str:
        account_id, _ = self._client.accounts[operation.account]
        request = gateway_service_pb2.GetQuotaRequest(
            account_id=account_id, operation=gateway.READS[0], more_operations=[gateway.READS[2], gateway.MORE[0]]
        )
        found = await self._edge(operation, "GetQuota", request)
        return f"{found.quota.remaining} left"

    async def _check(self, operation: Operation) -> str:
        """Check an account, which exchanges its grant."""
        account_id, seller = self._client.accounts[operation.account]
        known = self._checker.accounts[seller]
        request = gateway_service_pb2.CheckAccountRequest(account_id=account_id, skip_call=True)
        with known.may_exchange(lambda: self._checker.now, FLIGHT_SECONDS) as verification:
            found = await self._edge(operation, "CheckAccount", request)
            if all(stage.outcome != gateway_service_pb2.CHECK_OUTCOME_FAILED for stage in found.stages):
                verification.continues = 0.0
        return str(found.state)

    async def _restricted(self, operation: Operation) -> str:
        """Request tokens for personal data, and make calls with them."""
        account_id, _ = self._client.accounts[operation.account]
        resource = call_pb2.RestrictedResource(method="GET", path="/orders/v0/orders/{orderId}/address")
        wanted = gateway_service_pb2.GetRestrictedDataTokenRequest(account_id=account_id, resources=[resource])
        found = [await self._reason(self._edge(operation, "GetRestrictedDataToken", wanted))]
        wanted.resources[0].path = "/sellers/v1/marketplaceParticipations"
        await self._refused(self._edge(operation, "GetRestrictedDataToken", wanted), "an open resource")
        named = self._request(operation, gateway.OTHERS[1])
        named.restricted_resources.append(resource)
        found.append(await self._call(operation, named))
        named.data_elements.append("buyerInfo")
        await self._refused(self._edge(operation, "Call", named), "two kinds of restricted data")
        wrong = self._request(operation, gateway.READS[0])
        wrong.data_elements.append("buyerInfo")
        await self._refused(self._edge(operation, "Call", wrong), "an unknown data element")
        direct = self._request(operation, gateway.RESTRICT)
        await self._refused(self._edge(operation, "Call", direct), "a caller's own token for personal data")
        # Amazon's pages contradict each other about this one, and it gives no token for it.
        found.append(await self._call(operation, self._request(operation, gateway.MORE[1], 1), 1))
        return ", ".join(found)

    async def _refuse_tokens(self, operation: Operation) -> str:
        """Let Amazon refuse tokens of the application, and tokens for personal data, that gateways hold."""
        _, seller = self._client.accounts[operation.account]
        names = [gateway.OTHERS[1]] * 2 + [gateway.OTHERS[0]] * 2
        outcomes = []
        for index, name in enumerate(names):
            if index % 2:
                restricted, owner = (RESTRICTED_MARK, seller) if name == gateway.OTHERS[1] else ("", APPLICATION)
                for text, token in self._amazon.tokens.items():
                    if token.seller == owner and text.startswith(restricted):
                        token.revoked = token.revoked or self._checker.now
            self._checker.accounts[APPLICATION].causes.append(self._checker.now)
            outcomes.append(await self._call(operation, self._request(operation, name, index), index))
        self._checker.accounts[APPLICATION].causes.append(self._checker.now)
        return ", ".join(outcomes)

    async def _refuse_unknown(self, operation: Operation) -> str:
        """Report that Amazon refused tokens which are not cached."""
        scope = token_service_pb2.GrantlessScope(application_id=self._client.application_id, scope="a")
        own = token_service_pb2.InlineCredentials(client_id="a", client_secret="b", refresh_token="c")
        kind = token_service_pb2.InvalidateAccessTokenRequest
        found = [
            await self._reason(self._token(operation, "InvalidateAccessToken", one))
            for one in (
                kind(grantless=scope, fingerprint=NO_FINGERPRINT),
                kind(credentials=own, fingerprint=NO_FINGERPRINT),
            )
        ]
        return ", ".join(found)

    async def _consent(self, operation: Operation) -> str:
        """Let a seller return from Amazon with a code that LWA refuses."""
        start = token_service_pb2.StartAuthorizationRequest(
            user_id=USER, application_id=self._client.application_id, marketplace="US"
        )
        begun = await invoke(
            self._tokens.StartAuthorization,
            start,
            dependency="token",
            seconds=operation.deadline,
            on_behalf_of=USER,
        )
        complete = token_service_pb2.CompleteAuthorizationRequest(
            state=begun.state, browser_nonce=begun.browser_nonce, code="wrong", selling_partner_id="SELLERC"
        )
        call = invoke(
            self._tokens.CompleteAuthorization,
            complete,
            dependency="token",
            seconds=operation.deadline,
            on_behalf_of=USER,
        )
        return await self._refused(call, "a wrong code")

    async def _callers_grant(self, operation: Operation) -> str:
        """Let LWA send a new refresh token for credentials that a caller keeps."""
        self._amazon.sends_new_grant.add(self._client.other_tokens.seller)
        return str(await self._client.other_tokens.own_token(operation))


STEPS: tuple[Step, ...] = (
    Seldom._list,
    Seldom._look,
    Seldom._connect,
    Seldom._revoke,
    Seldom._revoke,
    Seldom._statistics,
    Seldom._clear,
    Seldom._refused_tokens,
    Seldom._other_user,
    Seldom._calls,
    Seldom._end_of_token,
    Seldom._quota,
    Seldom._check,
    Seldom._restricted,
    Seldom._restricted,
    Seldom._refuse_tokens,
    Seldom._refuse_tokens,
    Seldom._refuse_unknown,
    Seldom._consent,
    Seldom._callers_grant,
)
