"""The preparation of one attempt: its account, token, credentials, quota and time.

Quota is reserved last before each attempt, so that neither a slow LWA nor an account without a working token wastes a slot.
"""

from functools import partial

from sellergate_common.context import bind
from sellergate_common.errors import Conflict, NotAllowed, NotFound, OutOfTime, PreconditionFailed, QuotaExceeded

from sellergate_gateway.calls.sending import RESERVE_SECONDS
from sellergate_gateway.calls.state import CallState, Dependencies
from sellergate_gateway.credentials.selection import SellerTokens
from sellergate_gateway.model import AccessToken, Account, AwsCredentials, signs
from sellergate_gateway.quota.ports import Admission
from sellergate_gateway.spapi.http import AmazonRequest
from sellergate_gateway.spapi.request import SpApiCall, Target

# A busy event loop runs everything late: an attempt ends earlier by this multiple of the loop's lateness, up to a share of the
# remaining time.
LATENESS_TIMES, LARGEST_SHARE = 3.0, 0.25
# Besides the caller's deadline, this bounds an attempt within a stream of an hour, whose connection may be dead.
LONGEST_ATTEMPT_SECONDS = 300.0
# An account that was read more than these seconds ago is read again before a request is sent, from a copy at most five seconds
# old.
RECHECK_SECONDS = 0.1
# The fields that change where an account's calls are sent, for which owner, and for which quota they count.
_IDENTITY = ("user_id", "application_id", "amazon_seller_id", "marketplace", "sandbox")
_GUESS = " The catalogue lacks the operation: its quota is a guess until Amazon reports a rate."


class Preparing:
    """The preparation of attempts. `tokens` chooses the kind of token."""

    def __init__(self, *, dependencies: Dependencies, tokens: SellerTokens) -> None:
        self._dependencies = dependencies
        self._tokens = tokens

    async def account(self, account_id: str, user: str, *, grantless: bool) -> Account:
        """Return an account that the user owns and that can be used. Raises NotFound, PreconditionFailed.

        `grantless`: for a call that needs no seller's authorization, so that subscriptions of a lost one can be ended.
        """
        account = await self._dependencies.accounts.get(account_id)
        bind(account.account_id)
        if user and account.user_id != user:
            raise NotFound.account(account_id)
        if account.state == "INACTIVE":
            raise PreconditionFailed.inactive()
        if account.state == "AUTHORIZATION_REVOKED" and not grantless:
            raise PreconditionFailed.revoked()
        return account

    async def account_of(self, call: SpApiCall, target: Target, user: str) -> Account:
        """Return the account of a call that `user` may make now. Raises NotFound, PreconditionFailed, NotAllowed."""
        account = await self.account(call.account_id, user, grantless=bool(target.grantless_scope))
        if target.grantless_scope and user and account.shared_application:
            raise NotAllowed(
                f"{call.operation or target.path} acts for the application, which is not the user's own; an operator may call it."
            )
        return account

    async def prepare(self, state: CallState) -> tuple[AmazonRequest, float]:
        """Return an attempt's request and its seconds. The attempt has entered the breaker.

        Raises a typed error, after the slot is cancelled, if no attempt may be made.
        """
        its = self._dependencies
        its.breakers.check(state.site.base_url, state.account.user_id)
        token, credentials = await self._fetch_credentials(state)
        admission = await self._reserve_quota(state)
        try:
            if admission.waited or state.checked_at - its.left() >= RECHECK_SECONDS:
                await self._check_again(state)
                # The wait may have been longer than the token's remaining lifetime.
                token, credentials = await self._fetch_credentials(state)
            request = self._request(state, token, credentials)
            request.on_sent = partial(its.quota.on_sent, admission)
            seconds = self._seconds_to_send(state)
        except BaseException:
            its.quota.cancel(admission)
            raise
        return request, seconds

    async def _check_again(self, state: CallState) -> None:
        """Read the account again after a wait. Raises as `account_of` does, and Conflict for a changed account."""
        checked_at = self._dependencies.left()
        account = await self.account_of(state.call, state.target, state.user)
        changed = [name for name in _IDENTITY if getattr(account, name) != getattr(state.account, name)]
        if changed:
            raise Conflict(
                f"The account was changed while the call waited ({', '.join(changed)}); nothing was sent. Call again."
            )
        state.account, state.checked_at = account, checked_at

    async def _fetch_credentials(self, state: CallState) -> tuple[AccessToken, AwsCredentials | None]:
        """Return the token of an attempt, and AWS credentials if it is signed. Raises what their sources raise."""
        state.token = token = await self._tokens.get(state.account, state.token_spec)
        signed = signs(state.account)
        state.credentials = credentials = await self._dependencies.credentials.get(state.account) if signed else None
        state.replacing = False
        return token, credentials

    async def _reserve_quota(self, state: CallState) -> Admission:
        """Wait for a slot in every bucket. Raises QuotaExceeded."""
        left = max(0.0, self._dependencies.left() - RESERVE_SECONDS)
        longest = left if state.call.max_wait is None else min(left, max(0.0, state.call.max_wait - state.waited))
        try:
            admission = await self._dependencies.quota.acquire(state.buckets, longest)
        except QuotaExceeded as error:
            state.counts.refused += 1
            raise _refused_by_quota(error, state.name) from None
        state.rate = admission.rate
        state.waited += admission.waited
        state.counts.rate_share = admission.rate / state.buckets.primary.rate
        if admission.waited:
            state.counts.waits += 1
            state.counts.waited += admission.waited
        return admission

    def _request(self, state: CallState, token: AccessToken, credentials: AwsCredentials | None) -> AmazonRequest:
        secret = ("x-amz-access-token", token.value.get_secret_value())
        url = state.site.base_url + state.target.path_and_query
        request = AmazonRequest(state.target.method, url, (*state.target.headers, secret), state.call.body, state.name)
        if credentials is None:
            return request
        return self._dependencies.signer.sign(request, credentials, state.site.region.signing_region)

    def _seconds_to_send(self, state: CallState) -> float:
        """Enter the breaker and return the seconds of an attempt. Raises OutOfTime, Unavailable."""
        its = self._dependencies
        left = its.left()
        late = min(LATENESS_TIMES * its.lateness(), LARGEST_SHARE * left)
        seconds = min(LONGEST_ATTEMPT_SECONDS, left - RESERVE_SECONDS - late)
        if seconds <= 0:
            raise OutOfTime("The call waited for its slot until its deadline; give it more time.")
        its.breakers.begin(state.site.base_url, state.account.user_id)
        return seconds


def _refused_by_quota(error: QuotaExceeded, operation: str) -> QuotaExceeded:
    """Return the error of a call that the quota refused. `operation` is empty if the catalogue lacks it."""
    message = error.message if operation else error.message + _GUESS
    return QuotaExceeded(message, retry_after=error.retry_after, metadata={**error.metadata, "operation": operation})
