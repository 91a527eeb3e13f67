"""The pipeline of one call: what, for whom, with which token, within which quota, and how often.

Quota is charged last before each attempt, so that neither a slow LWA nor an account without a working token wastes a slot.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sellergate_amazon.operations import Operation
from sellergate_common.context import bind
from sellergate_common.errors import (
    Conflict,
    NotAllowed,
    NotFound,
    OutOfTime,
    PreconditionFailed,
    QuotaExceeded,
    SellergateError,
)
from sellergate_common.sites import Site

from sellergate_gateway.calls.counts import OperationCounts
from sellergate_gateway.calls.follow_ups import FollowUps
from sellergate_gateway.calls.ports import Ports
from sellergate_gateway.calls.retries import Attempt, Failure, failure_of, pause_before_retry
from sellergate_gateway.calls.sending import Reader, send
from sellergate_gateway.calls.unanswered import raise_error, refused_by_quota, unfinished, unsent
from sellergate_gateway.credentials.selection import SELLER, SellerTokens, TokenSpec
from sellergate_gateway.model import AccessToken, Account, AwsCredentials, signs
from sellergate_gateway.quota.ports import Admission, BucketSet
from sellergate_gateway.spapi.http import (
    AmazonRequest,
    AmazonResponse,
    ConnectError,
    ResponseLost,
    ResponseOversized,
)
from sellergate_gateway.spapi.marketplaces import check_marketplaces
from sellergate_gateway.spapi.request import SpApiCall, Target, resolve
from sellergate_gateway.spapi.response import Classification, Kind, oversized, rate_limit_of, retry_after_of, to_error

# The time that a call keeps for itself after Amazon answered, so that its error still reaches the caller; a busy event loop runs
# everything late, and gets more: this many times as much as it is late, up to a share of what is left.
RESERVE_SECONDS = 0.050
LATENESS_TIMES, LARGEST_SHARE = 3.0, 0.25
# The caller's deadline bounds an attempt; this bounds one within a stream of an hour, whose connection may be dead.
LONGEST_ATTEMPT_SECONDS = 300.0
# What was read of an account longer ago than this is read again before anything is sent, from a copy of at most five seconds.
RECHECK_SECONDS = 0.1
_RATE_TOLERANCE = 0.001
_REPAIRABLE = frozenset({Kind.TOKEN_REFUSED, Kind.CREDENTIALS_REFUSED, Kind.FORBIDDEN})
# What makes an account another one: whose it is, and what its calls are sent to and counted for.
_IDENTITY = ("user_id", "application_id", "amazon_seller_id", "marketplace", "sandbox")


@dataclass(slots=True)
class CallResult:
    """A call that was answered. `waited` are the seconds it waited for quota, `revision` is that of the account it was made for.

    `retry_after`: seconds until the next call within quota, for Amazon's own 429 where Amazon does not name them.
    """

    response: AmazonResponse
    operation: Operation | None
    attempts: int
    waited: float
    revision: int
    retry_after: float | None = None


@dataclass(slots=True)
class _CallState:
    """One call on its way."""

    call: SpApiCall
    user: str
    target: Target
    account: Account
    checked_at: float
    """Seconds until the caller's deadline when the account was read."""
    site: Site
    buckets: BucketSet
    token_spec: TokenSpec = SELLER
    reader: Reader | None = None
    attempts: int = 0
    waited: float = 0.0
    repaired: bool = False
    last: Callable[[], CallResult] | None = None
    """Ends the call with Amazon's last response, or with what is known of the last attempt; None before one."""
    uncertain: bool = False
    """Amazon may have done it in an earlier attempt: nothing that happens later may report otherwise."""
    rate: float = 0.0
    """Calls a second that the first bucket is believed to have."""
    counts: OperationCounts = field(default_factory=OperationCounts)

    @property
    def name(self) -> str:
        return self.target.operation.name if self.target.operation else ""


class Calls:
    """Calls of SP-API, with the kinds of tokens that `tokens` gives."""

    def __init__(self, ports: Ports, tokens: SellerTokens) -> None:
        self._ports = ports
        self._tokens = tokens
        self._follow_ups = FollowUps(ports.left)

    async def make(self, call: SpApiCall, user: str, reader: Reader | None = None) -> CallResult:
        """Make a call for `user` (empty: for any). Raises what the contract of GatewayService.Call names.

        A success that `reader` cannot read counts as a response that did not arrive.
        """
        ports, target = self._ports, resolve(call, self._ports.catalogue)
        if target.operation:
            bind(operation=target.operation.name)
        if target.hands_out_a_token and not self._tokens.fetches_tokens:
            raise NotAllowed(
                "Tokens of Amazon's stay here: operations that need a Restricted Data Token are sent with one; name data_elements"
                " or restricted_resources. Services that SELLERGATE_TOKEN_CALLERS names get one by GetRestrictedDataToken."
            )
        checked_at, account = ports.left(), await self._load_account(call, target, user)
        site = ports.sites.of(account.marketplace, sandbox=account.sandbox if call.sandbox is None else call.sandbox)
        check_marketplaces(target.query, site, "query" if call.raw_query is None else "raw_query")
        grantless = bool(target.grantless_scope)
        path = f"{target.method} {target.path}"
        buckets = ports.buckets.of(
            account, site, target.operation, path, background=call.background, grantless=grantless
        )
        token_spec = await self._tokens.token_spec(account, site, target, call)
        state = _CallState(
            call, user, target, account, checked_at, site, buckets, token_spec, reader, rate=buckets.primary.rate
        )
        state.counts = ports.counts.of(state.name)
        state.counts.calls += 1
        ports.budgets.record_call(account.account_id)
        while True:
            result = await self._attempt(state)
            if result is not None:
                return result

    async def account(self, account_id: str, user: str, *, grantless: bool = False) -> Account:
        """Return an account that the user owns and that can be used. Raises NotFound, PreconditionFailed.

        `grantless`: for a call that needs no seller's authorization, so that subscriptions of a lost one can be ended.
        """
        account = await self._ports.accounts.get(account_id)
        bind(account.account_id)
        if user and account.user_id != user:
            raise NotFound.account(account_id)
        if account.state == "INACTIVE":
            raise PreconditionFailed.inactive()
        if account.state == "AUTHORIZATION_REVOKED" and not grantless:
            raise PreconditionFailed.revoked()
        return account

    def site(self, account: Account) -> Site:
        """Return where calls of an account go unless they name another environment. Raises InvalidRequest."""
        return self._ports.sites.of(account.marketplace, sandbox=account.sandbox)

    async def _load_account(self, call: SpApiCall, target: Target, user: str) -> Account:
        """Return the account of a call that `user` may make now. Raises NotFound, PreconditionFailed, NotAllowed."""
        account = await self.account(call.account_id, user, grantless=bool(target.grantless_scope))
        if target.grantless_scope and user and account.shared_application:
            raise NotAllowed(
                f"{call.operation or target.path} acts for the application, which is not the user's own; an operator may call it."
            )
        return account

    async def _check_again(self, state: _CallState) -> None:
        """Read the account again after a wait. Raises as `_load_account`, and Conflict where the account is another one now."""
        checked_at = self._ports.left()
        account = await self._load_account(state.call, state.target, state.user)
        changed = [name for name in _IDENTITY if getattr(account, name) != getattr(state.account, name)]
        if changed:
            raise Conflict(
                f"The account was changed while the call waited ({', '.join(changed)}); nothing was sent. Call again."
            )
        state.account, state.checked_at = account, checked_at

    async def _attempt(self, state: _CallState) -> CallResult | None:
        """Try once; return the response, or None to try again. Raises the typed error of a call that failed for good."""
        try:
            prepared = await self._prepared(state)
        except SellergateError as error:
            # No slot or time for another attempt: what Amazon said last is the response.
            if state.last is None or not (state.uncertain or isinstance(error, QuotaExceeded | OutOfTime)):
                raise
            return state.last()
        return await self._send(state, *prepared)

    async def _prepared(self, state: _CallState) -> tuple[AmazonRequest, float, AccessToken, AwsCredentials | None]:
        """Return what an attempt sends, the seconds that it has, and what it is made with."""
        self._ports.breakers.check(state.site.base_url, state.account.user_id)
        token, credentials = await self._request_credentials(state)
        admission = await self._reserve_quota(state)
        try:
            if admission.waited or state.checked_at - self._ports.left() >= RECHECK_SECONDS:
                await self._check_again(state)
                # The wait may have been longer than the rest of the token's life.
                token, credentials = await self._request_credentials(state)
            request = self._request(state, token, credentials)
            request.on_sent = partial(self._ports.quota.on_sent, admission)
            seconds = self._seconds_to_send(state)
        except BaseException:
            self._ports.quota.cancel(admission)
            raise
        return request, seconds, token, credentials

    def _seconds_to_send(self, state: _CallState) -> float:
        """Return the time that an attempt has, and enter the breaker. Raises OutOfTime, Unavailable."""
        left = self._ports.left()
        late = min(LATENESS_TIMES * self._ports.lateness(), LARGEST_SHARE * left)
        seconds = min(LONGEST_ATTEMPT_SECONDS, left - RESERVE_SECONDS - late)
        if seconds <= 0:
            raise OutOfTime("The call waited for its slot until its deadline; give it more time.")
        self._ports.breakers.begin(state.site.base_url, state.account.user_id)
        return seconds

    async def _send(
        self,
        state: _CallState,
        request: AmazonRequest,
        seconds: float,
        token: AccessToken,
        credentials: AwsCredentials | None,
    ) -> CallResult | None:
        """Send a request; return as `_attempt` does.

        A caller whose time ends while it is under way gets the error of a request that was sent, as if no response had come.
        """
        ports, idempotent = self._ports, state.target.idempotent
        host, user = state.site.base_url, state.account.user_id
        state.attempts += 1
        state.counts.requests += 1
        try:
            response, classification = await send(
                ports.amazon, ports.breakers, host, user, request, seconds, state.reader
            )
        except asyncio.CancelledError:
            if not request.sent or ports.left() > RESERVE_SECONDS:
                raise  # nothing was sent, or the caller has left
            late = ResponseLost("the call's time was over", late=True)
            raise unfinished(late, state.name, idempotent=idempotent, left=0.0) from None
        except ResponseOversized as error:
            raise oversized(error.response, state.name) from None
        except (ConnectError, ResponseLost) as error:
            sent = isinstance(error, ResponseLost)
            final = (
                unfinished(error, state.name, idempotent=idempotent, left=ports.left())
                if sent
                else unsent(error, state.name)
            )
            return await self._again(
                state, Failure.UNKNOWN if sent else Failure.NOT_DONE, None, partial(raise_error, final)
            )
        return await self._handle_response(state, response, classification, token, credentials)

    async def _handle_response(
        self,
        state: _CallState,
        response: AmazonResponse,
        classification: Classification,
        token: AccessToken,
        credentials: AwsCredentials | None,
    ) -> CallResult | None:
        await self._update_rate(state, response)
        if classification.kind is Kind.SUCCESS:
            if self._tokens.has_report_types(state.target):
                learning = self._tokens.update_report_types(state.account, state.site, state.target, response)
                await self._follow_ups.run("learn report types", learning, None)
            return CallResult(response, state.target.operation, state.attempts, state.waited, state.account.revision)
        final = partial(self._finish, state, response, classification)
        if state.call.as_is:
            state.last = final
        if (
            classification.kind in _REPAIRABLE
            and not state.repaired
            and await self._repair(state, classification, token, credentials)
        ):
            return None
        retry_after = retry_after_of(response)
        if classification.kind is Kind.THROTTLED:
            state.counts.throttled += 1
            throttled = self._ports.quota.on_throttled(
                state.buckets, 1 / state.rate if retry_after is None else retry_after
            )
            await self._follow_ups.run("note throttling", throttled, None)
        return await self._again(state, failure_of(classification.kind), retry_after, final)

    async def _repair(
        self, state: _CallState, classification: Classification, token: AccessToken, credentials: AwsCredentials | None
    ) -> bool:
        """Have what Amazon refused replaced, once a call; False when nothing else could be sent."""
        state.repaired = True
        if classification.kind is Kind.CREDENTIALS_REFUSED:
            if credentials is None:
                return False
            invalidation = self._ports.credentials.invalidate(state.account, credentials)
            return await self._follow_ups.run("invalidate credentials", invalidation, False)
        replacement = self._tokens.replace_refused(state.account, state.token_spec, token, classification)
        token_spec = await self._follow_ups.run("replace token", replacement, None)
        state.token_spec = token_spec or state.token_spec
        return token_spec is not None

    def _finish(self, state: _CallState, response: AmazonResponse, classification: Classification) -> CallResult:
        if not state.call.as_is:
            raise to_error(
                response,
                classification,
                state.name,
                idempotent=state.target.idempotent,
                interval=1 / state.rate,
                personal=bool(state.token_spec.resources),
            )
        interval = (
            1 / state.rate if classification.kind is Kind.THROTTLED and not response.header("retry-after") else None
        )
        result = CallResult(response, state.target.operation, state.attempts, state.waited, state.account.revision)
        result.retry_after = interval
        return result

    async def _request_credentials(self, state: _CallState) -> tuple[AccessToken, AwsCredentials | None]:
        """Return what a call is made with: a token, and credentials where it is signed."""
        token = await self._tokens.get(state.account, state.token_spec)
        return token, await self._ports.credentials.get(state.account) if signs(state.account) else None

    def _request(self, state: _CallState, token: AccessToken, credentials: AwsCredentials | None) -> AmazonRequest:
        secret = ("x-amz-access-token", token.value.get_secret_value())
        url = state.site.base_url + state.target.path_and_query
        request = AmazonRequest(state.target.method, url, (*state.target.headers, secret), state.call.body, state.name)
        signing_region = state.site.region.signing_region
        return self._ports.signer.sign(request, credentials, signing_region) if credentials else request

    async def _reserve_quota(self, state: _CallState) -> Admission:
        """Wait for a slot in every bucket. Raises QuotaExceeded."""
        left = max(0.0, self._ports.left() - RESERVE_SECONDS)
        longest = left if state.call.max_wait is None else min(left, max(0.0, state.call.max_wait - state.waited))
        try:
            admission = await self._ports.quota.acquire(state.buckets, longest)
        except QuotaExceeded as error:
            state.counts.refused += 1
            raise refused_by_quota(error, state.name) from None
        state.rate = admission.rate
        state.waited += admission.waited
        state.counts.rate_share = admission.rate / state.buckets.primary.rate
        if admission.waited:
            state.counts.waits += 1
            state.counts.waited += admission.waited
        return admission

    async def _update_rate(self, state: _CallState, response: AmazonResponse) -> None:
        """Believe the rate that Amazon told, where it differs from the one in force."""
        rate = rate_limit_of(response)
        if rate and state.buckets.primary.learns and abs(rate - state.rate) > state.rate * _RATE_TOLERANCE:
            await self._follow_ups.run("learn rate", self._ports.quota.update_rate(state.buckets, rate), None)
            state.rate = rate

    async def _again(
        self, state: _CallState, failure: Failure, retry_after: float | None, last: Callable[[], CallResult]
    ) -> CallResult | None:
        """Wait before the next attempt and return None; end the call by `last` when there is none."""
        state.last, state.uncertain = last, state.uncertain or failure is Failure.UNKNOWN
        return None if await self._pause(state, failure, retry_after) else last()

    async def _pause(self, state: _CallState, failure: Failure, retry_after: float | None) -> bool:
        """Wait before the next attempt; False when there is none."""
        left = self._ports.left() - RESERVE_SECONDS
        attempt = Attempt(state.attempts, failure, state.target.idempotent, left, retry_after)
        pause = pause_before_retry(attempt, self._ports.jitter)
        if pause is None or not self._ports.budgets.spend(state.account.account_id):
            return False
        await self._ports.sleep(pause)
        return True
